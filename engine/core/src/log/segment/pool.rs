//! Making segments ready ahead of use, behind the foreground.

use std::path::Path;
use std::rc::Rc;

use super::{Segment, segment_path};
use crate::io::{Buffer, DiskError, File, FileKind, OpenMode, Priority, Runtime, open_existing};
use crate::limits::{
    BLOCK_SIZE, FILL_PAUSE, NO_SPACE_RETRY_DELAY, SEGMENT_FILL_SIZE, SEGMENTS_FREE_AT_FIRST, SEGMENTS_KEPT,
};
use crate::log::format::SegmentHeader;
use crate::log::shared::Shared;
use crate::log::write::pump;
use crate::log::{FlushMethod, LogOptions};
use crate::model::{Generation, Incarnation, LogId, SegmentId};

/// A segment file that holds nothing any more.
pub(in crate::log) struct FreeSegment<R: Runtime> {
    pub(in crate::log) id: SegmentId,
    /// Its last life, as long as a reader may hold it too.
    pub(in crate::log) holder: Option<Rc<Segment<R>>>,
    /// It has its size, durably: it takes no room to use it again.
    pub(in crate::log) whole: bool,
}

/// Makes segment files ready.
pub(in crate::log) struct SegmentMaker<'a, R: Runtime> {
    runtime: &'a R,
    folder: &'a Path,
    log: LogId,
    incarnation: Incarnation,
    size: u32,
    write_through: bool,
}

/// Makes the first segment of a new log, written, and files for those that follow; all durable with their names.
pub(in crate::log) async fn make_segments<R: Runtime>(
    runtime: &R,
    folder: &Path,
    log: LogId,
    id: SegmentId,
    generation: Generation,
    options: &LogOptions,
) -> Result<(), DiskError> {
    let maker = SegmentMaker {
        runtime,
        folder,
        log,
        incarnation: Incarnation(0),
        size: options.segment_size,
        write_through: false,
    };
    let file = maker.allocate(id).await?;
    let zeros = Rc::new(runtime.allocate(SEGMENT_FILL_SIZE.min(maker.size as usize)));
    let mut filled = 0;
    while filled < maker.size {
        filled += maker.fill(&file, &zeros, filled).await?;
    }
    for number in 1..=SEGMENTS_FREE_AT_FIRST {
        match maker.allocate(SegmentId(id.0 + number as u32)).await {
            Ok(_) => {}
            // The log takes no records then until there is room.
            Err(DiskError::NoSpace { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    maker.finish(id, file, generation, true).await?;
    Ok(())
}

/// Whether the free file `id` has the size of a segment, which is durable on return.
pub(in crate::log) async fn make_sure<R: Runtime>(
    runtime: &R,
    folder: &Path,
    id: SegmentId,
    size: u32,
) -> Result<bool, DiskError> {
    let kind = FileKind::Log { write_through: false };
    // One that is not there was removed for want of room.
    let Some(file) = open_existing(runtime, &segment_path(folder, id), kind).await? else { return Ok(false) };
    if file.len().await? != u64::from(size) {
        return Ok(false);
    }
    // Its name was made durable when the log was opened.
    file.flush().await?;
    Ok(true)
}

impl<R: Runtime> SegmentMaker<'_, R> {
    /// Makes a file of full size; size and name are durable on return. On an error there is no file.
    async fn allocate(&self, id: SegmentId) -> Result<R::File, DiskError> {
        let file = self.open(id, false, OpenMode::Create).await?;
        if let Err(error) = self.give_size(&file).await {
            drop(file);
            // A part of it would only take room from others; and what a failed flush left is not flushed again.
            self.runtime.remove(&segment_path(self.folder, id)).await?;
            return Err(error);
        }
        Ok(file)
    }

    async fn give_size(&self, file: &R::File) -> Result<(), DiskError> {
        file.allocate(u64::from(self.size)).await?;
        file.flush().await?;
        self.runtime.sync_folder(self.folder).await?;
        Ok(())
    }

    async fn open(&self, id: SegmentId, write_through: bool, mode: OpenMode) -> Result<R::File, DiskError> {
        self.runtime.open(&segment_path(self.folder, id), FileKind::Log { write_through }, mode).await
    }

    /// Writes zeros at `position`; returns how many.
    async fn fill(&self, file: &R::File, zeros: &Rc<R::Buffer>, position: u32) -> Result<u32, DiskError> {
        let size = zeros.bytes().len().min((self.size - position) as usize);
        let buffer =
            if size == zeros.bytes().len() { Rc::clone(zeros) } else { Rc::new(self.runtime.allocate(size)) };
        file.write_at(buffer, u64::from(position)).await?;
        Ok(size as u32)
    }

    /// Begins a life of the file: its header is durable before anything is written behind it.
    async fn finish(
        &self,
        id: SegmentId,
        mut file: R::File,
        generation: Generation,
        written: bool,
    ) -> Result<Rc<Segment<R>>, DiskError> {
        let mut block = self.runtime.allocate(BLOCK_SIZE);
        let (log, incarnation, size) = (self.log, self.incarnation, self.size);
        SegmentHeader { log, segment: id, generation, incarnation, size, written }.encode(block.bytes_mut());
        file.write_at(Rc::new(block), 0).await?;
        file.flush().await?;
        if self.write_through {
            file = self.open(id, true, OpenMode::Existing).await?;
        }
        Ok(Segment::open(id, generation, file))
    }

    /// Whether all of a free file was written in an earlier life; `None` if it is no file of this size.
    async fn is_written(&self, file: &R::File) -> Result<Option<bool>, DiskError> {
        if file.len().await? != u64::from(self.size) {
            return Ok(None);
        }
        let block = file.read_at(0, BLOCK_SIZE).await?;
        let header = SegmentHeader::decode(block.bytes(), self.log);
        Ok(Some(header.is_ok_and(|header| header.written)))
    }
}

/// Keeps segments ready and a reserve of files behind them, until the log stops.
pub(in crate::log) async fn run_filler<R: Runtime>(shared: Rc<Shared<R>>) {
    while !shared.is_stopped() {
        let (segment, file) = {
            let (tail, target) = (shared.tail.borrow(), shared.options.pool_target);
            // A file takes moments, and filling a segment does not: records never wait for the second where the
            // first is all they lack.
            let target = target + usize::from(tail.store_wanted);
            let segment = tail.wants_segment() || (tail.pool.len() < target && !tail.lacks_file());
            (segment, tail.spare() < target + SEGMENTS_KEPT)
        };
        if shared.is_closed() || !(segment || file) {
            shared.filler.wait().await;
            continue;
        }
        let made = if segment { make_ready(&shared).await } else { make_file(&shared).await };
        match made {
            Ok(()) => {
                shared.wake_regrouper_for_segment();
                pump(&shared);
            }
            Err(DiskError::NoSpace { .. }) => no_space(&shared).await,
            Err(error) => shared.fail(&format!("a segment could not be made ready: {error}")),
        }
    }
}

/// There is no room for another segment: says so, and waits until that may have changed.
async fn no_space<R: Runtime>(shared: &Rc<Shared<R>>) {
    shared.runtime.mark("no-space");
    let is_new = !std::mem::replace(&mut shared.tail.borrow_mut().no_space, true);
    shared.learn_whether_reclaiming();
    shared.keeper.give();
    if is_new {
        // Any gain is worth it from now on.
        shared.regrouper.give();
    }
    shared.ready.wake_all();
    let weak = Rc::downgrade(shared);
    let runtime = shared.runtime.clone();
    shared.runtime.spawn(Priority::Background, async move {
        runtime.sleep(NO_SPACE_RETRY_DELAY).await;
        if let Some(shared) = weak.upgrade() {
            shared.filler.give();
        }
    });
    shared.filler.wait().await;
}

fn maker_of<R: Runtime>(shared: &Shared<R>) -> SegmentMaker<'_, R> {
    SegmentMaker {
        runtime: &shared.runtime,
        folder: &shared.folder,
        log: shared.log,
        incarnation: shared.incarnation,
        size: shared.segment_size,
        write_through: shared.options.flush == FlushMethod::WriteThrough,
    }
}

/// Adds one file to those that are free and whole: one that is there if it has its size, else a new one.
async fn make_file<R: Runtime>(shared: &Rc<Shared<R>>) -> Result<(), DiskError> {
    let unsure = {
        let mut free = shared.free.borrow_mut();
        let index = free.iter().position(|free| !free.whole);
        index.and_then(|index| free.remove(index))
    };
    let new = unsure.is_none();
    let mut file = match unsure {
        Some(unsure) => unsure,
        None => new_file(shared).await?,
    };
    let made = if new { Ok(()) } else { make_whole(shared, &file).await };
    file.whole = made.is_ok();
    shared.free.borrow_mut().push_back(file);
    made?;
    shared.tail.borrow_mut().file_made();
    Ok(())
}

/// Makes sure that a free file has its size, durably.
async fn make_whole<R: Runtime>(shared: &Shared<R>, file: &FreeSegment<R>) -> Result<(), DiskError> {
    if !make_sure(&shared.runtime, &shared.folder, file.id, shared.segment_size).await? {
        maker_of(shared).allocate(file.id).await?;
    }
    Ok(())
}

/// Makes a file of full size, which is not yet counted.
async fn new_file<R: Runtime>(shared: &Shared<R>) -> Result<FreeSegment<R>, DiskError> {
    let id = shared.next_segment();
    maker_of(shared).allocate(id).await?;
    shared.take_next_segment();
    Ok(FreeSegment { id, holder: None, whole: false })
}

/// Makes one segment ready, a free one if there is one, unless the log closes meanwhile.
async fn make_ready<R: Runtime>(shared: &Rc<Shared<R>>) -> Result<(), DiskError> {
    let mut free = match take_free(shared) {
        Some(free) => {
            if free.whole {
                // Whoever waits for this segment waits for its filling, and not for room.
                shared.tail.borrow_mut().no_space = false;
            }
            free
        }
        None => new_file(shared).await?,
    };
    let made = begin_life(shared, &mut free).await;
    let Ok(Some(segment)) = made else {
        // It is as free as it was. Behind the others: where one finds no room, another may.
        shared.free.borrow_mut().push_back(free);
        return made.map(drop);
    };
    // Others were free when the log was opened.
    if free.holder.is_some() {
        shared.runtime.mark("segment-recycled");
        shared.count(|status| status.segments_recycled += 1);
    }
    shared.tail.borrow_mut().add_segment(segment, free.whole);
    Ok(())
}

/// Makes a segment of a free file; `None` if the log closes meanwhile.
async fn begin_life<R: Runtime>(
    shared: &Rc<Shared<R>>,
    free: &mut FreeSegment<R>,
) -> Result<Option<Rc<Segment<R>>>, DiskError> {
    let maker = maker_of(shared);
    let mut file = maker.open(free.id, false, OpenMode::Create).await?;
    let mut written = match maker.is_written(&file).await? {
        Some(written) => written,
        None => {
            if std::mem::take(&mut free.whole) {
                shared.tail.borrow_mut().remove_file();
            }
            file = maker.allocate(free.id).await?;
            false
        }
    };
    if !written {
        match fill_all(shared, &maker, &file).await? {
            Filled::Whole => written = true,
            Filled::Wanted => {
                shared.runtime.mark("dry-roll");
                shared.count(|status| status.rolls_dry += 1);
            }
            Filled::Closing => return Ok(None),
        }
    }
    maker.finish(free.id, file, shared.next_generation(), written).await.map(Some)
}

/// Removes a segment that is not needed for the reserve, so that there is room for something else; `false` if there is
/// none, or its readers have not let go.
pub(in crate::log) async fn give_up_segment<R: Runtime>(shared: &Shared<R>) -> Result<bool, DiskError> {
    if shared.tail.borrow().spare() <= SEGMENTS_KEPT {
        return Ok(false);
    }
    let free = take_free(shared);
    if free.as_ref().is_some_and(|free| free.whole) {
        shared.tail.borrow_mut().remove_file();
    }
    let ready = if free.is_none() { shared.tail.borrow_mut().remove_segment() } else { None };
    let Some(id) = free.map(|free| free.id).or(ready) else { return Ok(false) };
    match shared.runtime.remove(&segment_path(&shared.folder, id)).await {
        Ok(()) | Err(DiskError::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    shared.runtime.sync_folder(&shared.folder).await?;
    Ok(true)
}

/// Takes a free segment that nobody reads any more.
fn take_free<R: Runtime>(shared: &Shared<R>) -> Option<FreeSegment<R>> {
    let mut free = shared.free.borrow_mut();
    let released =
        |free: &FreeSegment<R>| free.holder.as_ref().is_none_or(|holder| Rc::strong_count(holder) == 1);
    if !free.iter().all(released) {
        shared.runtime.mark("segment-held");
    }
    let index = free.iter().position(released)?;
    free.remove(index)
}

enum Filled {
    Whole,
    /// The log waits for a segment: better one that is not written than none.
    Wanted,
    Closing,
}

/// Writes all of a file once, behind the foreground.
async fn fill_all<R: Runtime>(
    shared: &Rc<Shared<R>>,
    maker: &SegmentMaker<'_, R>,
    file: &R::File,
) -> Result<Filled, DiskError> {
    let zeros = Rc::new(shared.runtime.allocate(SEGMENT_FILL_SIZE.min(maker.size as usize)));
    let begun_at = shared.status_bytes();
    let mut filled = 0;
    while filled < maker.size {
        let (wanted, idle, empty) = {
            let tail = shared.tail.borrow();
            (tail.wants_segment() || tail.wants_file(), tail.is_idle(), tail.pool.is_empty())
        };
        if wanted {
            return Ok(Filled::Wanted);
        }
        if shared.is_closed() {
            return Ok(Filled::Closing);
        }
        // A busy log gets a segment filled for every half a segment that it writes: the pool does not run dry,
        // and the foreground keeps most of the device.
        let earned = 2 * (shared.status_bytes() - begun_at);
        if idle || empty || u64::from(filled) <= earned {
            filled += maker.fill(file, &zeros, filled).await?;
            shared.runtime.yield_now().await;
        } else {
            shared.runtime.sleep(FILL_PAUSE).await;
        }
    }
    Ok(Filled::Whole)
}
