//! Identifiers. Each is its own type, so that one cannot be passed for another.

use std::fmt;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

identifier!(
    /// Random name of a data folder.
    FolderId(u64)
);

impl FolderId {
    /// No folder has this name.
    pub const NONE: Self = Self(0);
}

identifier!(
    /// A shard-log of a data folder: 0 to the number fixed when the folder was made.
    ShardId(u16)
);
identifier!(
    /// Random name of one shard's log; salts every checksum of a header in it.
    LogId(u64)
);
identifier!(
    /// A segment file of one shard-log. Reused when the file is recycled; see [`Generation`].
    SegmentId(u32)
);
identifier!(
    /// One life of a segment file. Never given twice in one log: the upper half is the [`Incarnation`]
    /// that prepared the file.
    Generation(u64)
);
identifier!(
    /// One start of a shard-log; raised and made durable before the first append of that start.
    Incarnation(u32)
);
identifier!(
    /// Position of a frame in its log's order. Unit: frames; the first frame is 1, dense, and 0 is "none".
    Sequence(u64)
);
identifier!(
    /// A topic. Given by the catalog, never reused.
    TopicId(u64)
);
identifier!(
    /// A partition of a topic, unique in the data folder. Given by the catalog, never reused.
    PartitionId(u64)
);
identifier!(
    /// A producer. Given from blocks that shard 0 hands out durably, never reused.
    ProducerId(u64)
);
identifier!(
    /// One life of a producer id; a higher epoch fences the lower.
    ProducerEpoch(u16)
);
identifier!(
    /// Number of a record among those that one producer appends to one partition. Unit: records, modulo 2³¹.
    RecordSequence(u32)
);
identifier!(
    /// A key-value state store of one stream task, unique in its shard-log.
    StoreId(u64)
);

identifier!(
    /// A group of consumers, unique in its shard-log. Given when the group is first heard of, never reused for another name.
    GroupId(u64)
);
identifier!(
    /// A coordinator slot: 0 to [`COORDINATOR_SLOTS`](crate::limits::COORDINATOR_SLOTS), exclusive. Groups fall to slots by
    /// their names, slots are placed on shards by the catalog.
    SlotId(u16)
);

identifier!(
    /// One sequence of batches in one shard-log: the records of a partition, or an outbox to another shard.
    StreamId(u64)
);

impl StreamId {
    const OUTBOX: u64 = 1 << 63;

    /// The stream of a partition's records.
    ///
    /// # Panics
    /// If the id reaches the half that outboxes use: the catalog never gives such an id.
    #[must_use]
    pub fn partition(partition: PartitionId) -> Self {
        assert!(partition.0 < Self::OUTBOX, "partition ids stay below 2^63");
        Self(partition.0)
    }

    /// The stream of batches on their way to `target`.
    #[must_use]
    pub fn outbox(target: ShardId) -> Self {
        Self(Self::OUTBOX | u64::from(target.0))
    }

    /// The shard that the batches are for, if it is an outbox.
    #[must_use]
    pub fn outbox_target(self) -> Option<ShardId> {
        (self.0 & Self::OUTBOX != 0).then_some(ShardId(self.0 as u16))
    }
}

impl Sequence {
    /// The sequence number that follows.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Generation {
    /// The `count`th generation that `incarnation` gives.
    #[must_use]
    pub fn of(incarnation: Incarnation, count: u32) -> Self {
        Self(u64::from(incarnation.0) << 32 | u64::from(count))
    }
}

impl RecordSequence {
    /// Sequence numbers wrap to zero here.
    pub const MODULUS: u32 = 1 << 31;

    /// The sequence number `count` records later.
    #[must_use]
    pub fn advance(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count) % Self::MODULUS)
    }
}
