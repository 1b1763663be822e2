//! One segment: its file, its header, its footer, its frames.

use std::path::PathBuf;

use thalweg_archive::Validated;

use super::survey::Survey;
use super::walk::{Depth, Gap, Link, Walked, walk};
use super::{Checked, Finding, FooterView, InspectError, Loss, SegmentUse, SegmentView};
use crate::io::{Buffer, File, FileKind, Runtime, open_existing};
use crate::limits::{BLOCK_SIZE, PAYLOAD_ALIGN};
use crate::log::ReadError;
use crate::log::format::{FooterTrailer, FooterV1, FrameError, SegmentHeader, payload_checksum};
use crate::log::index::{Index, Row, SegmentClass, SegmentState, end_of, stream_of};
use crate::log::recover::{Expected, KnownStart, SegmentReader};
use crate::log::segment::{read_footer_of, segment_path};
use crate::model::{Incarnation, LogId, Offset, Position, SegmentId, Sequence, StreamId};

/// What segment files are opened as.
const KIND: FileKind = FileKind::Log { write_through: false };

/// What is in every segment file, and in those that are missing.
pub(super) async fn view_segments<R: Runtime>(
    runtime: &R,
    survey: &Survey,
) -> Result<Vec<SegmentView>, InspectError> {
    let in_use = survey.index.iter().flat_map(|index| index.segments().keys().copied());
    let mut ids: Vec<SegmentId> = survey.files.iter().copied().chain(in_use).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut views = Vec::with_capacity(ids.len());
    for id in ids {
        views.push(view_segment(runtime, survey, id).await?);
    }
    Ok(views)
}

async fn view_segment<R: Runtime>(
    runtime: &R,
    survey: &Survey,
    id: SegmentId,
) -> Result<SegmentView, InspectError> {
    let file = open_existing(runtime, &segment_path(&survey.folder, id), KIND).await?;
    let file_bytes = match &file {
        Some(file) => Some(file.len().await?),
        None => None,
    };
    let mut view = SegmentView {
        segment: id,
        generation: None,
        state: SegmentUse::Free,
        first: Sequence(0),
        last: Sequence(0),
        frames: 0,
        batches: Some(0),
        bytes: 0,
        live_bytes: 0,
        file_bytes,
        footer: FooterView::None,
    };
    let state = survey.index.as_ref().and_then(|index| Some((index, index.segments().get(&id)?)));
    let (Some((index, state)), Some(superblock)) = (state, survey.superblock) else {
        if let (Some(file), Some(log)) = (file, survey.log()) {
            let block = file.read_at(0, BLOCK_SIZE).await?;
            view.generation = SegmentHeader::decode(block.bytes(), log).ok().map(|header| header.generation);
        }
        return Ok(view);
    };
    view.generation = Some(state.generation);
    view.state = match (state.class, state.sealed) {
        (SegmentClass::Store, _) => SegmentUse::Store,
        (SegmentClass::Journal, true) => SegmentUse::Sealed,
        (SegmentClass::Journal, false) => SegmentUse::Open,
    };
    (view.first, view.last) = (state.first, state.last);
    if state.first > Sequence(0) {
        view.frames = state.last.0 + 1 - state.first.0;
    }
    view.bytes = u64::from(state.end.0.saturating_sub(BLOCK_SIZE as u32));
    view.live_bytes = state.live;
    if state.footer {
        let footer = match &file {
            Some(file) => {
                let size = superblock.newest.segment_size;
                read_footer_of::<R>(file, superblock.newest.log, (id, state.generation), size).await
            }
            None => Err(missing(id)),
        };
        (view.batches, view.footer) = match footer {
            Ok((_, footer)) => {
                let batches = footer.value().rows.len() as u64;
                (Some(batches), FooterView::Sound { batches })
            }
            Err(error) => (None, FooterView::Unsound { what: error.to_string() }),
        };
    } else {
        view.batches = Some(index.footer_rows(id).len() as u64);
    }
    Ok(view)
}

fn missing(segment: SegmentId) -> ReadError {
    ReadError::Damaged { segment, position: Position(0), what: "a segment in use is missing" }
}

/// Segments that hold frames of the log's sequence, in the order of those; then others where it goes on; then store
/// segments.
pub(super) fn in_order(index: &Index) -> Vec<(SegmentId, SegmentState)> {
    let mut segments: Vec<_> = index.segments().iter().map(|(id, state)| (*id, state.clone())).collect();
    segments.sort_by_key(|(_, state)| (state.class, state.first.0.wrapping_sub(1)));
    segments
}

/// What the first frame of a segment is looked for by.
pub(super) fn expected_in(log: LogId, segment_size: u32, id: SegmentId, state: &SegmentState) -> Expected {
    let (at, incarnation, class) = (Default::default(), Incarnation(0), state.class);
    // How far the frames reach is known: whatever is asked of the start has been.
    let start = KnownStart::default();
    let mut expected = Expected { log, at, incarnation, start, segment_size, class };
    (expected.at.segment, expected.at.generation) = (id, state.generation);
    expected
}

/// Reads everything in the segments that are in use.
pub(super) async fn check_segments<R: Runtime>(
    runtime: &R,
    survey: &mut Survey,
) -> Result<Checked, InspectError> {
    let mut checked = Checked::default();
    let (Some(superblock), Some(index)) = (survey.superblock, &survey.index) else { return Ok(checked) };
    let mut before = None;
    for (id, state) in in_order(index) {
        let path = segment_path(&survey.folder, id);
        let (log, size) = (superblock.newest.log, superblock.newest.segment_size);
        let findings = Vec::new();
        let mut check = SegmentCheck { runtime, index, path, log, size, id, state: &state, findings };
        // The frames of a store segment follow nothing.
        let precedes = before.take().filter(|_| state.class == SegmentClass::Journal);
        before = check.run(precedes, &mut checked).await?;
        for finding in check.findings {
            survey.findings.push(finding);
        }
        checked.segments += 1;
    }
    Ok(checked)
}

struct SegmentCheck<'a, R: Runtime> {
    runtime: &'a R,
    index: &'a Index,
    path: PathBuf,
    log: LogId,
    size: u32,
    id: SegmentId,
    state: &'a SegmentState,
    findings: Vec<Finding>,
}

/// The footer of a segment, as it should be.
enum Footer {
    /// There need not be one: the rows are in the checkpoint, or in the log behind it.
    Elsewhere,
    Sound(FooterTrailer, Validated<FooterV1>),
    Unsound {
        position: u32,
        what: &'static str,
    },
}

impl<R: Runtime> SegmentCheck<'_, R> {
    /// Checks the segment. `before`: the frame before its first, if it was read; returns its last one.
    async fn run(
        &mut self,
        before: Option<Link>,
        checked: &mut Checked,
    ) -> Result<Option<Link>, InspectError> {
        let Some(file) = open_existing(self.runtime, &self.path, KIND).await? else {
            self.push(0, "a segment in use is missing".to_owned(), self.everything());
            return Ok(None);
        };
        if !self.check_file(&file).await? {
            return Ok(None);
        }
        let footer = self.read_footer(&file).await?;
        let mut reader = SegmentReader::<R>::new(file, self.size);
        let expected = expected_in(self.log, self.size, self.id, self.state);
        let depth = Depth::Payloads;
        let walked = walk(self.runtime, &mut reader, expected, self.state, before, depth, |_| true).await;
        let walked = walked.map_err(|newer| newer.in_file(&self.path))?;
        checked.frames += walked.frames;
        checked.entries += walked.entries;
        checked.payload_bytes += walked.payload_bytes;
        for bad in &walked.payloads {
            let loss = self.loss_of([bad.row].iter());
            self.push(u64::from(bad.row.position), bad.what.clone(), loss);
        }
        for gap in &walked.gaps {
            let loss = self.loss_of_gap(&mut reader, gap, &footer).await;
            self.push(u64::from(gap.position), gap.what.clone(), loss);
        }
        self.check_footer(&footer, &walked, checked);
        Ok(walked.last)
    }

    fn push(&mut self, position: u64, what: String, loss: Loss) {
        self.findings.push(Finding { file: self.path.clone(), position, what, loss });
    }

    /// All that can be read in the segment.
    fn everything(&self) -> Loss {
        Loss::of(self.index.parts_in(self.id))
    }

    /// Checks size and header of the file; `false` if it is another segment.
    async fn check_file(&mut self, file: &R::File) -> Result<bool, InspectError> {
        let len = file.len().await?;
        if len != u64::from(self.size) {
            // It has had its size, durably, since before its first frame.
            let what = format!("the file has {len} bytes of {}", self.size);
            // What was in the rest is told by itself.
            self.push(len.min(u64::from(self.size)), what, Loss::Nothing);
        }
        let block = file.read_at(0, BLOCK_SIZE).await?;
        match SegmentHeader::decode(block.bytes(), self.log) {
            Ok(header) if header.segment == self.id && header.generation == self.state.generation => {
                if header.size != self.size {
                    let what = format!("the header tells of {} bytes of {}", header.size, self.size);
                    self.push(0, what, Loss::Nothing);
                }
                Ok(true)
            }
            Ok(header) => {
                let what = format!(
                    "this is segment {} in generation {}, not segment {} in generation {}",
                    header.segment, header.generation, self.id, self.state.generation
                );
                self.push(0, what, self.everything());
                Ok(false)
            }
            Err(FrameError::NewerVersion { found, known }) => {
                Err(InspectError::NewerVersion { file: self.path.clone(), found, known })
            }
            Err(error) => {
                // The frames may be whole, but no read of the segment is answered.
                let what = format!("the header of a segment in use does not read: {error}");
                self.push(0, what, self.everything());
                Ok(true)
            }
        }
    }

    async fn read_footer(&self, file: &R::File) -> Result<Footer, InspectError> {
        if !self.state.footer {
            return Ok(Footer::Elsewhere);
        }
        let life = (self.id, self.state.generation);
        match read_footer_of::<R>(file, self.log, life, self.size).await {
            Ok((trailer, footer)) => Ok(Footer::Sound(trailer, footer)),
            Err(ReadError::Damaged { position, what, .. }) => {
                Ok(Footer::Unsound { position: position.0, what })
            }
            Err(ReadError::Disk { source }) => Err(source.into()),
            Err(error) => unreachable!("a footer is read from a file: {error}"),
        }
    }

    /// What is lost with the batches of `rows`: those that could be read.
    fn loss_of<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Loss {
        let live = rows.filter(|row| self.index.is_live(self.id, row));
        let part = |row: &Row| {
            let stream: Option<StreamId> = stream_of(row);
            Some((stream?, Offset(row.base), Offset(end_of(row))))
        };
        let mut parts: Vec<_> = live.filter_map(part).collect();
        parts.sort_unstable();
        Loss::of(parts)
    }

    /// What is lost with frames that do not read. Their batches can be found by the index all the same; and whatever else
    /// they did, the checkpoint knows.
    async fn loss_of_gap(&self, reader: &mut SegmentReader<R>, gap: &Gap, footer: &Footer) -> Loss {
        let rows = match footer {
            // It would have to be built of these frames.
            Footer::Unsound { .. } => return self.everything(),
            Footer::Sound(_, footer) => footer.value().rows.iter().map(Row::from).collect(),
            Footer::Elsewhere => self.index.footer_rows(self.id),
        };
        let mut lost = Vec::new();
        for row in rows.iter().filter(|row| gap.bytes.contains(&row.position)) {
            if !has_checksum(reader, row).await {
                lost.push(*row);
            }
        }
        self.loss_of(lost.iter())
    }

    /// Checks that the footer says what the frames say.
    fn check_footer(&mut self, footer: &Footer, walked: &Walked, checked: &mut Checked) {
        let (trailer, footer) = match footer {
            Footer::Elsewhere => return,
            Footer::Unsound { position, what } => {
                let loss = if walked.gaps.is_empty() { Loss::Nothing } else { self.everything() };
                self.push(u64::from(*position), (*what).to_owned(), loss);
                return;
            }
            Footer::Sound(trailer, footer) => (trailer, footer),
        };
        let state = self.state;
        if (trailer.first, trailer.last, trailer.frames_end) != (state.first, state.last, state.end) {
            let what = "the footer tells of other frames".to_owned();
            self.push(u64::from(self.size) - BLOCK_SIZE as u64, what, Loss::Nothing);
            return;
        }
        let rows: Vec<Row> = footer.value().rows.iter().map(Row::from).collect();
        if walked.gaps.is_empty()
            && let Some(what) = self.contradiction(&rows, &walked.rows)
        {
            self.push(u64::from(trailer.archive_position.0), what, self.everything());
            return;
        }
        checked.footers += 1;
    }

    /// What is wrong with `footer`, if the frames hold the batches of `rows`.
    fn contradiction(&self, footer: &[Row], rows: &[Row]) -> Option<String> {
        let key = |row: &Row| (stream_of(row), row.base);
        if !footer.is_sorted_by_key(key) {
            return Some("the footer is not sorted".to_owned());
        }
        for row in footer {
            let at = rows.binary_search_by_key(&row.position, |row| row.position);
            if at.is_err() || at.is_ok_and(|at| rows[at] != *row) {
                return Some(format!("the footer names a batch at byte {} that is not there", row.position));
            }
        }
        let left_out = |row: &&Row| {
            self.index.is_live(self.id, row) && footer.binary_search_by_key(&key(row), key).is_err()
        };
        let row = rows.iter().find(left_out)?;
        Some(format!("the footer leaves out the batch at byte {}", row.position))
    }
}

/// Whether the batch of `row` can be read and has its checksum.
async fn has_checksum<R: Runtime>(reader: &mut SegmentReader<R>, row: &Row) -> bool {
    debug_assert!((row.position as usize).is_multiple_of(PAYLOAD_ALIGN));
    let inside = row.position as usize % BLOCK_SIZE;
    let size = (inside + row.length as usize).next_multiple_of(BLOCK_SIZE);
    let Ok(bytes) = reader.bytes(row.position - inside as u32, size).await else { return false };
    let payload = bytes.get(inside..).and_then(|bytes| bytes.get(..row.length as usize));
    payload.and_then(|payload| payload_checksum(row.checksum_kind, row.checksum_from, payload))
        == Some(row.checksum)
}
