//! The tail cache: buffers that frames were written from, kept for those who read at the tail.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::io::Runtime;
use crate::log::Slice;
use crate::log::format::FrameHeader;
use crate::model::{Position, SegmentId};

type Key = (SegmentId, Position);

struct Cached<B> {
    buffer: Rc<B>,
    size: u32,
    /// Bytes of memory.
    charge: usize,
}

/// The newest committed frames, up to a number of bytes.
pub(in crate::log) struct TailCache<R: Runtime> {
    frames: BTreeMap<Key, Cached<R::Buffer>>,
    /// Oldest first; some may be gone already.
    order: VecDeque<Key>,
    bytes: usize,
    bytes_max: usize,
}

impl<R: Runtime> TailCache<R> {
    pub(in crate::log) fn new(bytes_max: usize) -> Self {
        Self { frames: BTreeMap::new(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Bytes of memory held.
    pub(in crate::log) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a frame; lets go of the oldest for it.
    pub(in crate::log) fn insert(&mut self, header: &FrameHeader, buffer: Rc<R::Buffer>, charge: usize) {
        let key = (header.segment, header.position);
        self.remove(key);
        self.bytes += charge;
        self.frames.insert(key, Cached { buffer, size: header.length, charge });
        self.order.push_back(key);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.remove(oldest);
        }
    }

    /// The bytes of a segment at `position`, if their frame is here.
    pub(in crate::log) fn slice(
        &self,
        segment: SegmentId,
        position: Position,
        size: u32,
    ) -> Option<Slice<R>> {
        let (key, cached) = self.frames.range((segment, Position(0))..=(segment, position)).next_back()?;
        let start = position.0 - key.1.0;
        (start + size <= cached.size)
            .then(|| Slice::new(Rc::clone(&cached.buffer), start as usize..(start + size) as usize))
    }

    /// Lets go of all frames of a segment.
    pub(in crate::log) fn forget(&mut self, segment: SegmentId) {
        let of_segment = (segment, Position(0))..=(segment, Position(u32::MAX));
        let keys: Vec<Key> = self.frames.range(of_segment).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(key);
        }
        self.order.retain(|key| key.0 != segment);
    }

    fn remove(&mut self, key: Key) {
        if let Some(cached) = self.frames.remove(&key) {
            self.bytes -= cached.charge;
        }
    }
}
