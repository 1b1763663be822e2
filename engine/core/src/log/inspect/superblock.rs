//! The superblock, both of its blocks.

use std::path::Path;

use super::error::finding_of;
use super::{Finding, Findings, InspectError, Loss, SuperblockView};
use crate::io::{Buffer, File, FileKind, Runtime, open_existing};
use crate::limits::BLOCK_SIZE;
use crate::log::LogHome;
use crate::log::checkpoint::SUPERBLOCK_NAME;
use crate::log::format::{Superblock, SuperblockChoice, choose_superblock};
use crate::log::recover::{check_nothing_lost, check_owner, is_segment_size, lost as gone};
use crate::model::SegmentId;

/// Reads the superblock in `folder`, whose segment files are `segments`, of the log that `home` tells; `None` if no log
/// was made there, or if there is no telling: then there is a finding.
pub(super) async fn read_superblock<R: Runtime>(
    runtime: &R,
    folder: &Path,
    segments: &[SegmentId],
    home: Option<LogHome>,
    findings: &mut Findings,
) -> Result<Option<SuperblockView>, InspectError> {
    let file = folder.join(SUPERBLOCK_NAME);
    let blocks = match open_existing(runtime, &file, FileKind::Meta).await? {
        Some(opened) => Some(opened.read_at(0, 2 * BLOCK_SIZE).await?),
        None => None,
    };
    let bytes = blocks.as_ref().map_or(&[][..], Buffer::bytes);
    let (first, second) = bytes.split_at(bytes.len().min(BLOCK_SIZE));
    let mut lost = |position, what: &str| {
        findings.push(Finding { file: file.clone(), position, what: what.to_owned(), loss: Loss::Log });
    };
    match choose_superblock(first, second) {
        SuperblockChoice::Newer { found, known } => Err(InspectError::NewerVersion { file, found, known }),
        SuperblockChoice::Contradiction => {
            lost(0, "its blocks belong to different logs");
            Ok(None)
        }
        SuperblockChoice::Nothing => {
            let made = check_nothing_lost(runtime, folder, segments).await;
            let gone = if home.is_some_and(|home| home.complete) { Err(gone(folder)) } else { Ok(()) };
            if let Err(error) = made.and(gone) {
                findings.push(finding_of(error, Loss::Log)?);
            }
            Ok(None)
        }
        SuperblockChoice::Found { newest, older, .. } => {
            if !is_segment_size(newest.segment_size) {
                lost(
                    newest.position(),
                    &format!("segments of {} bytes are out of range", newest.segment_size),
                );
                return Ok(None);
            }
            if let Err(error) = check_owner(&file, &newest, home.map(|home| home.owner)) {
                findings.push(finding_of(error, Loss::Log)?);
            }
            check_blocks(&file, [first, second], &newest, older.as_ref(), findings);
            Ok(Some(SuperblockView { newest, older }))
        }
    }
}

/// Checks that both blocks are what the log wrote last. Either is enough to open it.
///
/// A header lies in one sector, which no loss of power tears.
fn check_blocks(
    file: &Path,
    blocks: [&[u8]; 2],
    newest: &Superblock,
    older: Option<&Superblock>,
    findings: &mut Findings,
) {
    let mut push = |position, what: String| {
        findings.push(Finding { file: file.to_owned(), position, what, loss: Loss::Nothing });
    };
    for (index, block) in blocks.iter().enumerate() {
        let position = (index * BLOCK_SIZE) as u64;
        match Superblock::decode(block) {
            Ok(superblock) if superblock.position() != position => {
                push(position, format!("this block belongs at byte {}", superblock.position()));
            }
            Ok(_) => {}
            // The first write of a log leaves the other block empty.
            Err(_) if newest.counter < 2 && block.iter().all(|byte| *byte == 0) => {}
            Err(error) => {
                push(
                    position,
                    format!("a block of the superblock does not read, the other one counts: {error}"),
                );
            }
        }
    }
    if let Some(older) = older
        && newest.counter != older.counter + 1
    {
        let what = format!("write {} of the superblock lies beside write {}", older.counter, newest.counter);
        push(BLOCK_SIZE as u64 - newest.position(), what);
    }
}
