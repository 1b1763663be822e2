//! One segment file, as the log holds it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::io::{Buffer, File, FileKind, OpenMode, Runtime};
use crate::limits::BLOCK_SIZE;
use crate::log::ReadError;
use crate::log::format::SegmentHeader;
use crate::log::shared::Shared;
use crate::model::{Generation, LogId, Position, SegmentId};

/// One life of a segment file. As long as somebody holds it besides the log, the file is not used again.
pub(in crate::log) struct Segment<R: Runtime> {
    pub(in crate::log) id: SegmentId,
    pub(in crate::log) generation: Generation,
    file: RefCell<Option<R::File>>,
}

impl<R: Runtime> Segment<R> {
    /// A segment whose file is open.
    pub(in crate::log) fn open(id: SegmentId, generation: Generation, file: R::File) -> Rc<Self> {
        Rc::new(Self { id, generation, file: RefCell::new(Some(file)) })
    }

    /// A segment that is opened when it is read.
    pub(in crate::log) fn closed(id: SegmentId, generation: Generation) -> Rc<Self> {
        Rc::new(Self { id, generation, file: RefCell::new(None) })
    }

    /// The file of a segment that frames are written to.
    ///
    /// # Panics
    /// If it is not open: those in use for writing always are.
    pub(in crate::log) fn open_file(&self) -> R::File {
        self.file.borrow().clone().expect("a segment in use for writing is open")
    }

    /// Closes the file until it is read again.
    pub(in crate::log) fn close_file(&self) {
        self.file.replace(None);
    }

    /// The file, opened and checked if it was not.
    pub(in crate::log) async fn file(&self, shared: &Shared<R>) -> Result<R::File, ReadError> {
        if let Some(file) = self.file.borrow().clone() {
            return Ok(file);
        }
        let path = segment_path(&shared.folder, self.id);
        let disk = |source| ReadError::Disk { source };
        let kind = FileKind::Log { write_through: false };
        let file = shared.runtime.open(&path, kind, OpenMode::Existing).await.map_err(disk)?;
        let block = file.read_at(0, BLOCK_SIZE).await.map_err(disk)?;
        check_header(block.bytes(), shared.log, self.id, self.generation)?;
        self.file.replace(Some(file.clone()));
        shared.opened_for_reading(self.id);
        Ok(file)
    }
}

/// Checks that the file that `block` begins is this life of `segment`.
fn check_header(
    block: &[u8],
    log: LogId,
    segment: SegmentId,
    generation: Generation,
) -> Result<(), ReadError> {
    let damaged = |what| ReadError::Damaged { segment, position: Position(0), what };
    let header =
        SegmentHeader::decode(block, log).map_err(|_| damaged("the segment's header does not read"))?;
    if header.segment != segment || header.generation != generation {
        return Err(damaged("the file is not the segment that the index names"));
    }
    Ok(())
}

/// The path of a segment file.
pub(in crate::log) fn segment_path(folder: &Path, segment: SegmentId) -> PathBuf {
    folder.join(format!("segment-{:08x}", segment.0))
}

/// The segment that a file name stands for, if it is one.
pub(in crate::log) fn parse_segment_name(name: &str) -> Option<SegmentId> {
    let digits = name.strip_prefix("segment-")?;
    let lower = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (digits.len() == 8 && lower).then(|| u32::from_str_radix(digits, 16).ok().map(SegmentId))?
}
