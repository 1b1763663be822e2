//! Opening a log.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::rc::Rc;

use super::create::{check_nothing_lost, create};
use super::evidence::find_evidence;
use super::frame::{Expected, Refusal};
use super::replay::{Replayed, replay};
use crate::io::{Buffer, DiskError, File, FileKind, OpenMode, Runtime};
use crate::limits::{BLOCK_SIZE, SEGMENT_SIZE_MAX, SEGMENT_SIZE_MIN, SEGMENTS_FREE_AT_FIRST};
use crate::log::checkpoint::{
    CheckpointRequests, CheckpointRoom, SUPERBLOCK_NAME, SuperblockFile, checkpoint_room, read_checkpoint,
};
use crate::log::format::{LogOwner, Superblock, SuperblockChoice, choose_superblock};
use crate::log::index::Index;
use crate::log::read::{FooterCache, ReadAhead, TailCache};
use crate::log::segment::{FreeSegment, Segment, make_sure, parse_segment_name, segment_path};
use crate::log::shared::{Progress, Shared};
use crate::log::write::{Room, Tail, TailStart};
use crate::log::{FlushMethod, LogOptions, OpenError, RecoveryReport, StateMachine};
use crate::model::{Incarnation, SegmentId, Sequence};

/// Opens the log in `folder`, or makes it.
pub(in crate::log) async fn open<R: Runtime, S: StateMachine + 'static>(
    runtime: R,
    folder: &Path,
    options: LogOptions,
    state: Rc<RefCell<S>>,
) -> Result<(Rc<Shared<R>>, RecoveryReport), OpenError> {
    if let Some(what) = options.contradiction() {
        return Err(OpenError::Options { what });
    }
    let mut report = RecoveryReport::default();
    let is_complete = options.home.is_some_and(|home| home.complete);
    if !is_complete {
        runtime.create_folder(folder).await?;
    }
    // Every time: the start that made the folder may have ended before its name was durable.
    if let Some(parent) = folder.parent() {
        runtime.sync_folder(parent).await?;
    }
    let listed = segments_in(&runtime, folder).await?;
    let found = open_superblock(&runtime, folder, &options, &listed, &mut report).await?;
    let restored = read_checkpoint(&runtime, folder, &found.newest, &state).await;
    let mut index = restored.map_err(|error| found.blame(folder, error))?;
    let expected = Expected::behind(&found.newest);
    if !index.segments().contains_key(&expected.at.segment) {
        let what = "the checkpoint does not know the segment in which the log goes on";
        return Err(damaged(&folder.join(SUPERBLOCK_NAME), 0, Sequence(0), what.to_owned()));
    }
    let replayed = replay(&runtime, folder, expected, &mut index, &state).await?;
    let others: Vec<SegmentId> = (segments_in(&runtime, folder).await?.into_iter())
        .filter(|segment| !index.segments().contains_key(segment))
        .collect();
    judge_end(&runtime, folder, &found, &replayed, &others, options.accept_damage, &mut report).await?;
    report.checkpoint = found.newest.replay.sequence;
    report.last = replayed.expected.at.sequence;
    (report.frames, report.bytes) = (replayed.frames, replayed.bytes);
    let owner = options.home.map(|home| home.owner);
    let accepted = report.damage_accepted.is_some();
    let superblock = raise_incarnation(&runtime, found, &replayed, accepted, owner).await?;
    let shared = assemble(runtime, folder, options, state, superblock, index, replayed, others).await?;
    Ok((Rc::new(shared), report))
}

/// The superblock file and what it says.
struct FoundSuperblock<R: Runtime> {
    file: R::File,
    newest: Superblock,
    older: Option<Superblock>,
    torn: bool,
}

impl<R: Runtime> FoundSuperblock<R> {
    /// Why the checkpoint in force was refused.
    ///
    /// A block is written only once its checkpoint is durable, and the checkpoint of the block before may be
    /// written over only once it is durable itself. So if one block does not read, and neither does the checkpoint
    /// that the other one names, then the first was durable, and it is what is damaged.
    fn blame(&self, folder: &Path, error: OpenError) -> OpenError {
        match error {
            OpenError::Damaged { what, .. } if self.torn => {
                let position = BLOCK_SIZE as u64 - self.newest.position();
                let what = format!("the newer block does not read, and of the older one {what}");
                damaged(&folder.join(SUPERBLOCK_NAME), position, Sequence(0), what)
            }
            error => error,
        }
    }
}

/// Whether segments can have this size.
pub(in crate::log) fn is_segment_size(size: u32) -> bool {
    (SEGMENT_SIZE_MIN..=SEGMENT_SIZE_MAX).contains(&size) && (size as usize).is_multiple_of(BLOCK_SIZE)
}

fn damaged(file: &Path, position: u64, sequence: Sequence, what: String) -> OpenError {
    OpenError::Damaged { file: file.to_owned(), position, sequence, what }
}

/// Segment files in `folder`, by number.
pub(in crate::log) async fn segments_in<R: Runtime>(
    runtime: &R,
    folder: &Path,
) -> Result<Vec<SegmentId>, DiskError> {
    let names = runtime.list_folder(folder).await?;
    let mut segments: Vec<SegmentId> = names.iter().filter_map(|name| parse_segment_name(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Opens and reads the superblock, and makes the log if there is none.
async fn open_superblock<R: Runtime>(
    runtime: &R,
    folder: &Path,
    options: &LogOptions,
    segments: &[SegmentId],
    report: &mut RecoveryReport,
) -> Result<FoundSuperblock<R>, OpenError> {
    let path = folder.join(SUPERBLOCK_NAME);
    let home = options.home;
    let is_complete = home.is_some_and(|home| home.complete);
    let mode = if is_complete { OpenMode::Existing } else { OpenMode::Create };
    let file = match runtime.open(&path, FileKind::Meta, mode).await {
        Err(DiskError::NotFound { .. }) if is_complete => return Err(lost(folder)),
        opened => opened?,
    };
    // Names and superblock may have been written and not yet flushed by the last start.
    file.flush().await?;
    runtime.sync_folder(folder).await?;
    let blocks = file.read_at(0, 2 * BLOCK_SIZE).await?;
    let bytes = blocks.bytes();
    let (first, second) = bytes.split_at(bytes.len().min(BLOCK_SIZE));
    match choose_superblock(first, second) {
        SuperblockChoice::Found { newest, older, torn } => {
            let size = newest.segment_size;
            if !is_segment_size(size) {
                let what = format!("segments of {size} bytes are out of range");
                return Err(damaged(&path, newest.position(), Sequence(0), what));
            }
            check_owner(&path, &newest, home.map(|home| home.owner))?;
            if torn {
                runtime.mark("superblock-torn");
            }
            Ok(FoundSuperblock { file, newest, older, torn })
        }
        SuperblockChoice::Newer { found, known } => Err(OpenError::NewerVersion { file: path, found, known }),
        SuperblockChoice::Contradiction => {
            let what = "its blocks belong to different logs".to_owned();
            Err(damaged(&path, 0, Sequence(0), what))
        }
        SuperblockChoice::Nothing => {
            check_nothing_lost(runtime, folder, segments).await?;
            if is_complete {
                return Err(lost(folder));
            }
            report.created = true;
            let newest = create(runtime, folder, &file, options).await?;
            Ok(FoundSuperblock { file, newest, older: None, torn: false })
        }
    }
}

pub(in crate::log) fn lost(folder: &Path) -> OpenError {
    OpenError::Lost { folder: folder.to_owned() }
}

/// Refuses the log of another. One without an owner was made before owners were written down.
pub(in crate::log) fn check_owner(
    path: &Path,
    superblock: &Superblock,
    owner: Option<LogOwner>,
) -> Result<(), OpenError> {
    match (superblock.owner, owner) {
        (Some(found), Some(expected)) if found != expected => {
            Err(OpenError::Foreign { file: path.to_owned(), found, expected })
        }
        _ => Ok(()),
    }
}

/// Decides whether what ends the log is its torn tail, or damage.
async fn judge_end<R: Runtime>(
    runtime: &R,
    folder: &Path,
    found: &FoundSuperblock<R>,
    replayed: &Replayed<R>,
    others: &[SegmentId],
    accept_damage: bool,
    report: &mut RecoveryReport,
) -> Result<(), OpenError> {
    let at = &replayed.expected.at;
    let path = segment_path(folder, at.segment);
    if let Refusal::Newer { found, known } = replayed.refusal {
        return Err(OpenError::NewerVersion { file: path, found, known });
    }
    let superblocks: Vec<Superblock> = [Some(found.newest), found.older].into_iter().flatten().collect();
    if let Some(evidence) = find_evidence(runtime, folder, &superblocks, replayed, others).await? {
        let lost = at.sequence.next();
        let what = replayed.refusal.contradicts(lost, &evidence);
        runtime.mark("damage");
        if !accept_damage {
            return Err(damaged(&path, u64::from(at.position.0), lost, what));
        }
        report.damage_accepted = Some(format!("{path:?} at byte {}: {what}", at.position));
    }
    match replayed.refusal {
        Refusal::Nothing | Refusal::Newer { .. } => {}
        Refusal::Leftover => runtime.mark("leftover-frame"),
        Refusal::Torn { .. } => runtime.mark("torn-tail"),
    }
    report.torn_tail = replayed.refusal != Refusal::Nothing;
    Ok(())
}

/// Makes durable that there is a new start, before it appends anything.
async fn raise_incarnation<R: Runtime>(
    runtime: &R,
    found: FoundSuperblock<R>,
    replayed: &Replayed<R>,
    damage_accepted: bool,
    owner: Option<LogOwner>,
) -> Result<SuperblockFile<R>, OpenError> {
    // A block that cannot be read may have held one more start.
    let lost = u32::from(found.torn);
    let incarnation = Incarnation(found.newest.incarnation.max(replayed.incarnation).0 + 1 + lost);
    let mut superblock = SuperblockFile::new(found.file, found.newest, found.older);
    // Where damage was accepted, neither block may know durable any longer what was given up.
    for _ in 0..1 + u32::from(damage_accepted) {
        let next = superblock.next(|next| {
            next.incarnation = incarnation;
            next.durable_up_to = replayed.expected.at.sequence;
            next.owner = next.owner.or(owner);
        });
        superblock.write(runtime, &next).await?;
        superblock.written(next);
    }
    Ok(superblock)
}

/// The segments that are not in use, and how many of them are known to be whole.
async fn look_at_free<R: Runtime>(
    runtime: &R,
    folder: &Path,
    others: Vec<SegmentId>,
    segment_size: u32,
) -> Result<(VecDeque<FreeSegment<R>>, usize), OpenError> {
    let (mut free, mut files_free) = (VecDeque::new(), 0);
    for id in others {
        // Only as many as let appends begin: the others are looked at behind the foreground.
        let whole =
            files_free < SEGMENTS_FREE_AT_FIRST && make_sure(runtime, folder, id, segment_size).await?;
        files_free += usize::from(whole);
        free.push_back(FreeSegment { id, holder: None, whole });
    }
    Ok((free, files_free))
}

/// Puts the parts together.
#[expect(clippy::too_many_arguments, reason = "everything that the steps of opening found out")]
async fn assemble<R: Runtime>(
    runtime: R,
    folder: &Path,
    mut options: LogOptions,
    state: Rc<RefCell<dyn StateMachine>>,
    superblock: SuperblockFile<R>,
    index: Index,
    replayed: Replayed<R>,
    others: Vec<SegmentId>,
) -> Result<Shared<R>, OpenError> {
    let (log, incarnation) = (superblock.newest().log, superblock.newest().incarnation);
    let segment_size = superblock.newest().segment_size;
    let size_max = (segment_size as usize / 2) / BLOCK_SIZE * BLOCK_SIZE;
    options.frame_size_max = options.frame_size_max.min(size_max);
    options.frame_size_target = options.frame_size_target.min(options.frame_size_max);
    let at = replayed.expected.at;
    let mut file = replayed.file;
    if options.flush == FlushMethod::WriteThrough {
        let kind = FileKind::Log { write_through: true };
        file = runtime.open(&segment_path(folder, at.segment), kind, OpenMode::Existing).await?;
    }
    let segment = Segment::open(at.segment, at.generation, file);
    let mut segments = BTreeMap::new();
    for (id, state) in index.segments() {
        segments.insert(*id, Segment::closed(*id, state.generation));
    }
    segments.insert(at.segment, Rc::clone(&segment));
    let highest = segments.keys().chain(&others).max().map_or(0, |segment| segment.0 + 1);
    let room = Room::new(segment_size as usize, at.position.0 as usize, index.segments()[&at.segment].rows);
    let (free, files_free) = look_at_free(&runtime, folder, others, segment_size).await?;
    let reserved = checkpoint_room(&runtime, folder).await?;
    let measured = superblock.newest().checkpoint.map_or(0, |name| name.size);
    let checkpoint = CheckpointRoom::new(reserved, measured, replayed.growth);
    let start = TailStart { log, incarnation, at, segment, room, files_free, checkpoint };
    Ok(Shared {
        tail: RefCell::new(Tail::new(start, &options)),
        index: RefCell::new(index),
        cache: RefCell::new(TailCache::new(options.cache_bytes)),
        ahead: RefCell::new(ReadAhead::new(options.read_ahead_bytes)),
        read_turns: Default::default(),
        footers: RefCell::new(FooterCache::default()),
        segments: RefCell::new(segments),
        free: RefCell::new(free),
        superblock: RefCell::new(superblock),
        checkpoints: CheckpointRequests::new(replayed.bytes),
        waiters: RefCell::default(),
        writer: Default::default(),
        filler: Default::default(),
        keeper: Default::default(),
        regrouper: Default::default(),
        regrouping: Default::default(),
        moving: Default::default(),
        movers: Default::default(),
        ready: Default::default(),
        changed: Default::default(),
        progress: Progress::new(at, highest, 0),
        runtime,
        folder: folder.to_owned(),
        options,
        log,
        incarnation,
        segment_size,
        state,
    })
}
