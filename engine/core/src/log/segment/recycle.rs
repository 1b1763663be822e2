//! Retiring segments that hold nothing live.
//!
//! A file is used again only once its retirement is committed. Even without that no frame could be lost or adopted: whatever
//! is written into the next life comes behind the frame that retires the last one in the log's sequence (a roll, or the
//! frame that names a store segment), so that a start which does not find that frame finds none of those either, and what it
//! finds dead in the last life it needs no more. What the wait keeps right is the count of files: one that was removed for
//! want of room must not be counted among those that are whole.

use std::rc::Rc;

use crate::io::Runtime;
use crate::log::DraftEntry;
use crate::log::format::{Entry, EntryKind};
use crate::log::shared::Shared;
use crate::log::write::Purpose;

/// Begins the retirement of every segment that is dead: ended, without live bytes, and with all of its frames
/// behind every checkpoint that a start could use.
///
/// Its file is used again only after the frame that says so is committed and its readers have let go.
pub(in crate::log) fn retire_dead<R: Runtime>(shared: &Rc<Shared<R>>) {
    if shared.is_closed() {
        return;
    }
    let covered = shared.covered();
    let mut retired = false;
    let mut index = shared.index.borrow_mut();
    let dead: Vec<_> = (index.segments().iter())
        .filter(|(_, state)| state.is_dead() && !state.retiring && state.is_covered(covered))
        .map(|(segment, state)| (*segment, state.generation))
        .collect();
    for (segment, generation) in dead {
        let entry = Entry {
            kind: EntryKind::SegmentRetired.raw(),
            subject: u64::from(segment.0),
            base: generation.0,
            ..Entry::default()
        };
        let draft = DraftEntry { entry, payload: &[] };
        // Refused, it is tried again when the keeper is woken next.
        if shared.tail.borrow_mut().append(&shared.runtime, &[draft], Purpose::Retirement).is_ok() {
            index.segment_mut(segment).expect("it was just listed").retiring = true;
            retired = true;
        }
    }
    drop(index);
    if retired {
        shared.runtime.mark("segment-retired");
        shared.writer.give();
    }
}
