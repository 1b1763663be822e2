//! What `thalweg log` found, for people.

use std::collections::BTreeSet;

use thalweg_engine::folder::{Folder, FolderCheck, FolderView, ShardCheck};
use thalweg_engine::log::format::Superblock;
use thalweg_engine::log::inspect::{
    Finding, Findings, FooterView, FrameView, LogEnd, LogView, Loss, SegmentView, Tail,
};
use thalweg_engine::model::PartitionId;

use super::json::state_name;
use crate::exit::Failure;
use crate::output::print_line;

pub(super) fn folder_view(view: &FolderView, frames: &[Vec<FrameView>]) -> Result<(), Failure> {
    manifest(view.manifest.as_ref(), &view.manifest_damages)?;
    for (index, shard) in view.shards.iter().enumerate() {
        print_line("")?;
        print_line(&format!("shard {}", shard.shard))?;
        log_view(&shard.log)?;
        if let Some(frames) = frames.get(index) {
            list(frames)?;
        }
    }
    Ok(())
}

pub(super) fn folder_check(check: &FolderCheck) -> Result<(), Failure> {
    check.manifest_damages.iter().try_for_each(damage)?;
    for shard in &check.shards {
        shard_check(shard)?;
        names(check, shard)?;
    }
    Ok(())
}

/// Says of which topics the partitions are that lost something.
fn names(check: &FolderCheck, shard: &ShardCheck) -> Result<(), Failure> {
    let mut lost = BTreeSet::new();
    for finding in shard.log.view.findings.list() {
        if let Loss::Parts { parts, .. } = &finding.loss {
            lost.extend(parts.iter().map(|part| PartitionId(part.stream.0)));
        }
    }
    for partition in lost {
        if let Some((topic, index)) = check.partitions.get(&partition) {
            print_line(&format!("  partition {partition} is partition {index} of topic {topic}"))?;
        }
    }
    Ok(())
}

fn shard_check(shard: &ShardCheck) -> Result<(), Failure> {
    let (view, checked) = (&shard.log.view, &shard.log.checked);
    let verdict = match view.findings.count() {
        0 if view.superblock.is_none() => "not made yet".to_owned(),
        0 => "whole".to_owned(),
        1 => "1 damage".to_owned(),
        many => format!("{many} damages"),
    };
    print_line(&format!(
        "shard {}: {verdict}; read {} segments, {} frames, {} entries, {} bytes of payload, {} footers",
        shard.shard,
        checked.segments,
        checked.frames,
        checked.entries,
        checked.payload_bytes,
        checked.footers
    ))?;
    if let Some(end) = &view.end {
        print_line(&format!("  {}", end_words(end)))?;
    }
    if view.superblock.is_some() && checked.segments == 0 {
        print_line("  no checkpoint reads, so that the segments could not be checked")?;
    }
    findings(&view.findings)
}

fn manifest(manifest: Option<&Folder>, damages: &[Finding]) -> Result<(), Failure> {
    if let Some(folder) = manifest {
        print_line(&format!("data folder {:016x}, shards: {}", folder.id.0, folder.shards))?;
    }
    damages.iter().try_for_each(damage)
}

fn findings(findings: &Findings) -> Result<(), Failure> {
    findings.list().iter().try_for_each(damage)?;
    let more = findings.count() - findings.list().len() as u64;
    if more > 0 { print_line(&format!("  and {more} more damages")) } else { Ok(()) }
}

fn damage(finding: &Finding) -> Result<(), Failure> {
    let Finding { file, position, what, loss } = finding;
    print_line(&format!("  {file:?} is damaged at byte {position}: {what}; {loss}"))
}

fn end_words(end: &LogEnd) -> String {
    let LogEnd { sequence, segment, position, .. } = end;
    let tail = match &end.tail {
        Tail::Clean => "nothing is behind it".to_owned(),
        Tail::Leftover => "behind it is a leftover of an earlier time".to_owned(),
        Tail::Torn { what } => format!("behind it is the torn tail of the last start: {what}"),
        Tail::Damaged => "behind it is damage".to_owned(),
    };
    format!(
        "ends with frame {sequence}, in segment {segment:08x} at byte {position}; {tail}",
        segment = segment.0
    )
}

fn log_view(view: &LogView) -> Result<(), Failure> {
    match &view.superblock {
        None => print_line("  no superblock")?,
        Some(superblock) => {
            print_line(&format!(
                "  log {:016x}, segments of {} bytes, {} bytes live",
                superblock.newest.log.0, superblock.newest.segment_size, view.live_bytes
            ))?;
            block("in force", &superblock.newest)?;
            if let Some(older) = &superblock.older {
                block("older", older)?;
            }
        }
    }
    for checkpoint in &view.checkpoints {
        let covers = match checkpoint.header {
            Some(header) => format!("covers frame {}", header.sequence),
            None => "empty".to_owned(),
        };
        let in_force = if checkpoint.in_force { ", in force" } else { "" };
        let bytes = checkpoint.file_bytes;
        print_line(&format!("  checkpoint-{}: {covers}{in_force}; file of {bytes} bytes", checkpoint.file))?;
    }
    if let Some(end) = &view.end {
        print_line(&format!("  {}", end_words(end)))?;
        print_line(&format!("  {} frames, {} bytes behind the checkpoint", end.frames, end.bytes))?;
    }
    findings(&view.findings)?;
    print_line(
        "  segment   generation    state      first frame   frames  batches        bytes         live  footer",
    )?;
    view.segments.iter().try_for_each(segment)
}

fn block(name: &str, block: &Superblock) -> Result<(), Failure> {
    let checkpoint = match block.checkpoint {
        Some(name) => format!("checkpoint-{} of {} bytes", name.file, name.size),
        None => "no checkpoint".to_owned(),
    };
    print_line(&format!(
        "  superblock {name}: write {}, incarnation {}, durable up to frame {}, {checkpoint}",
        block.counter, block.incarnation, block.durable_up_to
    ))
}

fn segment(view: &SegmentView) -> Result<(), Failure> {
    let generation = view.generation.map_or("-".to_owned(), |generation| format!("{:x}", generation.0));
    let batches = view.batches.map_or("?".to_owned(), |batches| batches.to_string());
    let footer = match (&view.footer, view.file_bytes) {
        (_, None) => "the file is missing",
        (FooterView::None, _) => "-",
        (FooterView::Sound { .. }, _) => "yes",
        (FooterView::Unsound { .. }, _) => "damaged",
    };
    print_line(&format!(
        "  {:08x}  {generation:>10}  {:>7}  {:15}  {:7}  {batches:>7}  {:11}  {:11}  {footer}",
        view.segment.0,
        state_name(view.state),
        view.first,
        view.frames,
        view.bytes,
        view.live_bytes
    ))
}

fn list(frames: &[FrameView]) -> Result<(), Failure> {
    print_line("        frame  segment     position    bytes  incarnation  durable up to  entries  batches")?;
    for frame in frames {
        let batches = frame.batches.map_or("?".to_owned(), |batches| batches.to_string());
        print_line(&format!(
            "  {:11}  {:08x}  {:11}  {:7}  {:11}  {:13}  {:7}  {batches:>7}",
            frame.sequence,
            frame.segment.0,
            frame.position,
            frame.length,
            frame.incarnation,
            frame.durable_up_to,
            frame.entries
        ))?;
    }
    Ok(())
}
