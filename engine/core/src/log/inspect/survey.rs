//! What a start reads: superblock, checkpoint, and the frames behind it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::error::finding_of;
use super::segment::view_segments;
use super::superblock::read_superblock;
use super::{CheckpointView, Finding, Findings, InspectError, LogEnd, LogView, Loss, SuperblockView, Tail};
use crate::io::{Buffer, File, FileKind, Runtime, open_existing};
use crate::limits::BLOCK_SIZE;
use crate::log::checkpoint::{SUPERBLOCK_NAME, checkpoint_path, read_checkpoint};
use crate::log::format::{CheckpointHeader, Superblock};
use crate::log::index::{Index, SegmentClass, SegmentState};
use crate::log::recover::{Expected, Refusal, Replayed, find_evidence, replay, segments_in};
use crate::log::segment::segment_path;
use crate::log::{CommittedFrame, LogHome, RestoreError, StateMachine};
use crate::model::{LogId, SegmentId, Sequence};

/// A log as a start would find it.
pub(super) struct Survey {
    pub(super) folder: PathBuf,
    pub(super) superblock: Option<SuperblockView>,
    /// Segment files, by number.
    pub(super) files: Vec<SegmentId>,
    /// `None` if no checkpoint reads that would do.
    pub(super) index: Option<Index>,
    pub(super) end: Option<LogEnd>,
    pub(super) findings: Findings,
}

/// Stands for the state that is built over a log, whose slices and entries have their own checksums.
struct Unread;

impl StateMachine for Unread {
    fn apply(&mut self, _: &CommittedFrame<'_>) {}

    fn begin_checkpoint(&mut self) {}

    fn next_slice(&mut self, _: &mut Vec<u8>) -> bool {
        false
    }

    fn restore_slice(&mut self, _: &[u8]) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// Reads what a start reads of the log in `folder`.
pub(super) async fn survey<R: Runtime>(
    runtime: &R,
    folder: &Path,
    home: Option<LogHome>,
) -> Result<Survey, InspectError> {
    let files = segments_in(runtime, folder).await?;
    let mut findings = Findings::default();
    let superblock = read_superblock(runtime, folder, &files, home, &mut findings).await?;
    let folder = folder.to_owned();
    let mut survey = Survey { folder, superblock, files, index: None, end: None, findings };
    if let Some(superblock) = superblock
        && let Some((from, index)) = survey.restore(runtime, &superblock).await?
    {
        survey.follow(runtime, &superblock, &from, index).await?;
    }
    Ok(survey)
}

impl Survey {
    /// The log's name, where there is one.
    pub(super) fn log(&self) -> Option<LogId> {
        self.superblock.map(|superblock| superblock.newest.log)
    }

    /// The index as of the newest checkpoint that reads, and the block that names it.
    async fn restore<R: Runtime>(
        &mut self,
        runtime: &R,
        superblock: &SuperblockView,
    ) -> Result<Option<(Superblock, Index)>, InspectError> {
        let SuperblockView { newest, older, .. } = superblock;
        let finding = match restore(runtime, &self.folder, newest).await? {
            Ok(index) => return Ok(Some((*newest, index))),
            Err(finding) => finding,
        };
        let Some(older) = older else {
            self.blame(finding);
            return Ok(None);
        };
        self.findings.push(finding);
        if older.checkpoint == newest.checkpoint {
            return Ok(None);
        }
        // A start would not use it, but what it leads to can be checked. It may be partly written over.
        Ok(restore(runtime, &self.folder, older).await?.ok().map(|index| (*older, index)))
    }

    /// Puts the blame for a checkpoint that does not read, where one block of the superblock does not either.
    ///
    /// The checkpoint of a block may be written over as soon as the next block is durable: that one is what is damaged.
    fn blame(&mut self, finding: Finding) {
        match self.findings.in_file(&self.folder.join(SUPERBLOCK_NAME)) {
            Some(superblock) => {
                superblock.what = format!("{}, but of that one {}", superblock.what, finding.what);
                superblock.loss = Loss::Log;
            }
            None => self.findings.push(finding),
        }
    }

    /// Reads the frames behind the checkpoint of `from`, and judges where they end.
    async fn follow<R: Runtime>(
        &mut self,
        runtime: &R,
        superblock: &SuperblockView,
        from: &Superblock,
        mut index: Index,
    ) -> Result<(), InspectError> {
        // From an older checkpoint too, what the newest block knows of the last start counts.
        let expected = Expected { at: from.replay, ..Expected::behind(&superblock.newest) };
        let state = RefCell::new(Unread);
        match replay(runtime, &self.folder, expected, &mut index, &state).await {
            Ok(replayed) => self.judge(runtime, superblock, &index, &replayed).await?,
            Err(error) => {
                let journal = |state: &&SegmentState| state.class == SegmentClass::Journal;
                let last = index.segments().values().filter(journal).map(|state| state.last).max();
                let last = last.unwrap_or(Sequence(0)).max(from.replay.sequence);
                self.findings.push(finding_of(error, Loss::FramesFrom(last.next()))?);
            }
        }
        self.index = Some(index);
        Ok(())
    }

    async fn judge<R: Runtime>(
        &mut self,
        runtime: &R,
        superblock: &SuperblockView,
        index: &Index,
        replayed: &Replayed<R>,
    ) -> Result<(), InspectError> {
        let at = &replayed.expected.at;
        let file = segment_path(&self.folder, at.segment);
        let superblocks: Vec<Superblock> =
            [Some(superblock.newest), superblock.older].into_iter().flatten().collect();
        let others: Vec<SegmentId> =
            self.files.iter().copied().filter(|file| !index.segments().contains_key(file)).collect();
        let mut tail = match &replayed.refusal {
            Refusal::Newer { found, known } => {
                return Err(InspectError::NewerVersion { file, found: *found, known: *known });
            }
            Refusal::Nothing => Tail::Clean,
            Refusal::Leftover => Tail::Leftover,
            Refusal::Torn { what } => Tail::Torn { what: what.clone() },
        };
        if let Some(evidence) = find_evidence(runtime, &self.folder, &superblocks, replayed, &others).await? {
            let lost = at.sequence.next();
            let what = replayed.refusal.contradicts(lost, &evidence);
            let position = u64::from(at.position.0);
            self.findings.push(Finding { file, position, what, loss: Loss::FramesFrom(lost) });
            tail = Tail::Damaged;
        }
        self.end = Some(LogEnd {
            sequence: at.sequence,
            segment: at.segment,
            generation: at.generation,
            position: at.position,
            incarnation: replayed.incarnation,
            frames: replayed.frames,
            bytes: replayed.bytes,
            tail,
        });
        Ok(())
    }

    /// All of it, with what the files beside it say.
    pub(super) async fn view<R: Runtime>(self, runtime: &R) -> Result<LogView, InspectError> {
        let checkpoints = view_checkpoints(runtime, &self).await?;
        let segments = view_segments(runtime, &self).await?;
        let live_bytes = self.index.as_ref().map_or(0, Index::live_bytes);
        let Self { folder, superblock, end, findings, .. } = self;
        Ok(LogView { folder, superblock, checkpoints, segments, end, live_bytes, findings })
    }
}

/// The index as of the checkpoint that `superblock` names.
async fn restore<R: Runtime>(
    runtime: &R,
    folder: &Path,
    superblock: &Superblock,
) -> Result<Result<Index, Finding>, InspectError> {
    let index = match read_checkpoint(runtime, folder, superblock, &RefCell::new(Unread)).await {
        Ok(index) => index,
        Err(error) => return Ok(Err(finding_of(error, Loss::Log)?)),
    };
    if !index.segments().contains_key(&superblock.replay.segment) {
        let what = "the checkpoint does not know the segment in which the log goes on".to_owned();
        let (file, position) = (folder.join(SUPERBLOCK_NAME), superblock.position());
        return Ok(Err(Finding { file, position, what, loss: Loss::Log }));
    }
    Ok(Ok(index))
}

async fn view_checkpoints<R: Runtime>(
    runtime: &R,
    survey: &Survey,
) -> Result<Vec<CheckpointView>, InspectError> {
    let mut views = Vec::new();
    for number in 0..2 {
        let path = checkpoint_path(&survey.folder, number);
        let Some(file) = open_existing(runtime, &path, FileKind::Meta).await? else { continue };
        let block = file.read_at(0, BLOCK_SIZE).await?;
        let header = survey.log().and_then(|log| CheckpointHeader::decode(block.bytes(), log).ok());
        let named = survey.superblock.and_then(|superblock| superblock.newest.checkpoint);
        let in_force = named.is_some_and(|name| name.file == number);
        views.push(CheckpointView { file: number, file_bytes: file.len().await?, header, in_force });
    }
    Ok(views)
}
