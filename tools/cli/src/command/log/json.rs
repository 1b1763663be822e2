//! What `thalweg log` found, as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use thalweg_engine::folder::{Folder, FolderCheck, FolderView};
use thalweg_engine::log::format::Superblock;
use thalweg_engine::log::inspect::{
    CheckpointView, Finding, Findings, FooterView, FrameView, LogEnd, LogView, Loss, LostPart, SegmentUse,
    SegmentView, SuperblockView, Tail,
};
use thalweg_engine::model::{PartitionId, TopicName};

/// Of which topic a partition is, and which one of it.
type Names = BTreeMap<PartitionId, (TopicName, usize)>;

/// A path; what of it is not UTF-8 is replaced.
pub(super) fn path(path: &Path) -> Value {
    path.to_string_lossy().into()
}

pub(super) fn folder_view(view: &FolderView, frames: &[Vec<FrameView>]) -> Value {
    let shards = view.shards.iter().enumerate().map(|(index, shard)| {
        let mut object = log_view(&shard.log, &view.partitions);
        object["shard"] = shard.shard.0.into();
        if let Some(frames) = frames.get(index) {
            object["frames"] = frames.iter().map(frame).collect();
        }
        object
    });
    let mut object = json!({"shards": shards.collect::<Value>()});
    add_manifest(&mut object, view.manifest.as_ref(), &view.manifest_damages);
    object
}

pub(super) fn folder_check(check: &FolderCheck) -> Value {
    let shards = check.shards.iter().map(|shard| {
        let (view, checked) = (&shard.log.view, &shard.log.checked);
        let mut object = json!({
            "shard": shard.shard.0,
            "whole": shard.log.is_whole(),
            "made": view.superblock.is_some(),
            "end": view.end.as_ref().map(end),
            "checked": {
                "segments": checked.segments, "frames": checked.frames, "entries": checked.entries,
                "payload_bytes": checked.payload_bytes, "footers": checked.footers,
            },
        });
        add_findings(&mut object, &view.findings, &check.partitions);
        object
    });
    let mut object = json!({
        "whole": check.is_whole(), "damage_count": check.damages(), "shards": shards.collect::<Value>(),
    });
    add_manifest(&mut object, check.manifest.as_ref(), &check.manifest_damages);
    object
}

fn add_manifest(object: &mut Value, manifest: Option<&Folder>, damages: &[Finding]) {
    object["manifest"] = json!({
        "id": manifest.map(|folder| format!("{:016x}", folder.id.0)),
        "shards": manifest.map(|folder| folder.shards),
        "complete": manifest.map(|folder| folder.complete),
        "damages": damages.iter().map(|finding| damage(finding, &Names::new())).collect::<Value>(),
    });
}

fn add_findings(object: &mut Value, findings: &Findings, names: &Names) {
    object["damages"] = findings.list().iter().map(|finding| damage(finding, names)).collect();
    object["damage_count"] = findings.count().into();
}

fn damage(finding: &Finding, names: &Names) -> Value {
    json!({
        "file": path(&finding.file), "position": finding.position, "what": finding.what,
        "loss": loss(&finding.loss, names),
    })
}

fn loss(loss: &Loss, names: &Names) -> Value {
    match loss {
        Loss::Nothing => json!({"kind": "nothing"}),
        Loss::Parts { parts, more } => {
            json!({"kind": "batches", "parts": parts.iter().map(|lost| part(lost, names)).collect::<Value>(), "more": more})
        }
        Loss::FramesFrom(first) => json!({"kind": "frames", "from": first.0}),
        Loss::Log => json!({"kind": "log"}),
    }
}

/// `from` and `to`: the first and behind the last. The topic, where the catalog tells it.
fn part(part: &LostPart, names: &Names) -> Value {
    let (from, to) = (part.from.0, part.to.0);
    match part.stream.outbox_target() {
        Some(target) => json!({"outbox_to_shard": target.0, "from": from, "to": to}),
        None => {
            let mut object = json!({"partition": part.stream.0, "from": from, "to": to});
            if let Some((topic, index)) = names.get(&PartitionId(part.stream.0)) {
                (object["topic"], object["topic_partition"]) = (topic.as_str().into(), (*index).into());
            }
            object
        }
    }
}

fn log_view(view: &LogView, names: &Names) -> Value {
    let mut object = json!({
        "folder": path(&view.folder),
        "log": view.superblock.map(|superblock| format!("{:016x}", superblock.newest.log.0)),
        "superblock": view.superblock.as_ref().map(superblock),
        "checkpoints": view.checkpoints.iter().map(checkpoint).collect::<Value>(),
        "segments": view.segments.iter().map(segment).collect::<Value>(),
        "end": view.end.as_ref().map(end),
        "live_bytes": view.live_bytes,
    });
    add_findings(&mut object, &view.findings, names);
    object
}

fn superblock(view: &SuperblockView) -> Value {
    json!({"in_force": block(&view.newest), "older": view.older.as_ref().map(block)})
}

fn block(block: &Superblock) -> Value {
    json!({
        "position": block.position(), "counter": block.counter, "incarnation": block.incarnation.0,
        "durable_up_to": block.durable_up_to.0, "segment_size": block.segment_size,
        "checkpoint": block.checkpoint.map(|name| json!({"file": name.file, "bytes": name.size})),
        "replay": {
            "after": block.replay.sequence.0, "segment": block.replay.segment.0,
            "generation": block.replay.generation.0, "position": block.replay.position.0,
        },
    })
}

fn checkpoint(view: &CheckpointView) -> Value {
    json!({
        "file": view.file, "file_bytes": view.file_bytes, "in_force": view.in_force,
        "covers": view.header.map(|header| header.sequence.0),
    })
}

fn segment(view: &SegmentView) -> Value {
    let footer = match &view.footer {
        FooterView::None => json!(null),
        FooterView::Sound { batches } => json!({"batches": batches}),
        FooterView::Unsound { what } => json!({"damaged": what}),
    };
    json!({
        "segment": view.segment.0, "generation": view.generation.map(|generation| generation.0),
        "state": state_name(view.state), "first": view.first.0, "last": view.last.0, "frames": view.frames,
        "batches": view.batches, "bytes": view.bytes, "live_bytes": view.live_bytes,
        "file_bytes": view.file_bytes, "footer": footer,
    })
}

pub(super) fn state_name(state: SegmentUse) -> &'static str {
    match state {
        SegmentUse::Open => "open",
        SegmentUse::Sealed => "sealed",
        SegmentUse::Store => "store",
        SegmentUse::Free => "free",
    }
}

fn end(end: &LogEnd) -> Value {
    let (tail, what) = match &end.tail {
        Tail::Clean => ("clean", None),
        Tail::Leftover => ("leftover", None),
        Tail::Torn { what } => ("torn", Some(what)),
        Tail::Damaged => ("damaged", None),
    };
    json!({
        "sequence": end.sequence.0, "segment": end.segment.0, "generation": end.generation.0,
        "position": end.position.0, "incarnation": end.incarnation.0, "tail": tail, "torn": what,
        "frames_behind_checkpoint": end.frames, "bytes_behind_checkpoint": end.bytes,
    })
}

fn frame(frame: &FrameView) -> Value {
    json!({
        "sequence": frame.sequence.0, "segment": frame.segment.0, "position": frame.position.0,
        "length": frame.length, "incarnation": frame.incarnation.0, "durable_up_to": frame.durable_up_to.0,
        "entries": frame.entries, "batches": frame.batches, "payload_bytes": frame.payload_bytes,
    })
}
