//! Every bound of the engine, by name: thing, unit, bound.

use std::time::Duration;

/// Unit of every direct write and read, and of segment layout. Bytes.
pub const BLOCK_SIZE: usize = 4096;

/// Alignment of a payload inside its frame. Bytes.
pub const PAYLOAD_ALIGN: usize = 16;

/// Largest frame. Bytes.
pub const FRAME_SIZE_MAX: usize = 32 << 20;

/// Size at which an open frame is closed while earlier writes are in flight. Bytes. Virtual disks take 254 pieces
/// in one request, and memory comes in pieces of 4 KiB unless it is in huge pages.
pub const FRAME_SIZE_TARGET: usize = 254 * BLOCK_SIZE;

/// Largest batch, in its encoded form. Bytes.
pub const BATCH_SIZE_MAX: usize = 16 << 20;

/// Largest record: key, value and headers together. Bytes.
pub const RECORD_SIZE_MAX: usize = 15 << 20;

/// Most records in one batch.
pub const BATCH_RECORDS_MAX: u32 = 1 << 20;

/// Most headers in one record.
pub const RECORD_HEADERS_MAX: usize = 1024;

/// Longest topic name. Bytes.
pub const TOPIC_NAME_SIZE_MAX: usize = 249;

/// Most partitions in one topic.
pub const TOPIC_PARTITIONS_MAX: u32 = 4096;

/// Most shard-logs in one data folder.
pub const SHARDS_MAX: u16 = 256;

/// Frames that may lie beyond durable-up-to: written or in flight, but not yet known durable.
pub const WRITES_IN_FLIGHT_MAX: usize = 8;

/// Writes of frames in flight at once, unless configured otherwise.
pub const WRITES_IN_FLIGHT_DEFAULT: usize = 4;

/// Frames that are closed and wait for their write; beyond it appends are refused as busy.
pub const FRAMES_QUEUED_MAX: usize = 4;

/// Size of a segment file, unless configured otherwise. Bytes.
pub const SEGMENT_SIZE_DEFAULT: u32 = 64 << 20;

/// Smallest size of a segment file. Bytes.
pub const SEGMENT_SIZE_MIN: u32 = 64 << 10;

/// Largest size of a segment file. Bytes.
pub const SEGMENT_SIZE_MAX: u32 = 1 << 30;

/// Segments kept ready ahead of use, unless configured otherwise.
pub const SEGMENT_POOL_DEFAULT: usize = 4;

/// Log written between two checkpoints, unless configured otherwise. Bytes.
pub const CHECKPOINT_INTERVAL_DEFAULT: u64 = 128 << 20;

/// Largest slice of a checkpoint. Bytes.
pub const CHECKPOINT_SLICE_SIZE_MAX: usize = 64 << 20;

/// Rows that the log puts into one slice of a checkpoint.
pub const CHECKPOINT_SLICE_ROWS: usize = 4096;

/// What a checkpoint of a log without entries has at most. Bytes.
pub const CHECKPOINT_SIZE_MIN: u64 = 4096;

/// What an entry adds to a checkpoint at most, beside its payload where that becomes state: a row, a root, a stream; a
/// partition, a mark of it, its producer, a batch of that; the envelope of a slice. Bytes.
pub const CHECKPOINT_ENTRY_GROWTH: u64 = 320;

/// What a segment adds to a checkpoint at most. Bytes.
pub const CHECKPOINT_SEGMENT_GROWTH: u64 = 128;

/// Smallest size of the checkpoint files of a new log: a 32nd of a segment, but no less than this. Bytes.
pub const CHECKPOINT_ROOM_MIN: u64 = 16 << 10;

/// Largest size of the checkpoint files of a new log. Bytes.
pub const CHECKPOINT_ROOM_MAX_AT_FIRST: u64 = 2 << 20;

/// Size of one write of a checkpoint file. Bytes.
pub const CHECKPOINT_WRITE_SIZE: usize = 256 << 10;

/// Size of one write when a segment is filled ahead of use. Bytes.
pub const SEGMENT_FILL_SIZE: usize = 512 << 10;

/// Size of one read when frames are read again at a start. Bytes; larger for a larger frame.
pub const RECOVERY_READ_SIZE: usize = 2 << 20;

/// Footers of sealed segments kept in memory.
pub const FOOTERS_CACHED_MAX: usize = 64;

/// Segment files kept open for reading.
pub const SEGMENT_FILES_OPEN_MAX: usize = 256;

/// Segment files that appends of records leave behind them, for frames that give room back: while one of them
/// is written, the other becomes free again.
pub const SEGMENTS_RESERVED: usize = 2;

/// Segment files that a log leaves behind it when it goes on in another one with records: the reserve, and one into which
/// what is live in others can be moved, so that those become free.
pub const SEGMENTS_KEPT: usize = SEGMENTS_RESERVED + 1;

/// Files that a new log has beside its first segment: those kept, and one to go on in.
pub const SEGMENTS_FREE_AT_FIRST: usize = SEGMENTS_KEPT + 1;

/// Room that trims and deletes leave where no segment is behind, for a frame that retires one. Bytes.
pub const RETIREMENT_ROOM: usize = BLOCK_SIZE;

/// Time without appends after which a log records in an empty frame that everything is durable.
pub const IDLE_FRAME_DELAY: Duration = Duration::from_millis(200);

/// Batches of one stream that lie one behind the other are read well from this many bytes on; where they are fewer on
/// the average, they are moved together.
pub const RUN_SIZE_MIN_DEFAULT: usize = 64 << 10;

/// Age from which batches that lie scattered are moved together, unless configured otherwise.
pub const REGROUP_AGE_DEFAULT: Duration = Duration::from_secs(600);

/// Share of the time in which regrouping uses the device while there is other work, unless configured otherwise.
/// Percent.
pub const REGROUP_SHARE_DEFAULT: u32 = 25;

/// Most segments that one regrouping takes batches from.
pub const REGROUP_SOURCES_MAX: usize = 16;

/// Of the bytes in ended segments, those that may be dead before regrouping begins. Percent of what is live.
pub const REGROUP_DEAD_MAX: u64 = 40;

/// Time between two attempts to append the frame that ends a regrouping.
pub const REGROUP_RETRY_DELAY: Duration = Duration::from_millis(10);

/// What a store segment that takes the place of one other has to hold more than that one. Percent.
pub const REGROUP_DENSER_MIN: u64 = 20;

/// Time between a trim and the look at what is worth moving together.
pub const REGROUP_LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time that regrouping waits for other work at a time.
pub const REGROUP_PAUSE_MAX: Duration = Duration::from_millis(200);

/// Time between two attempts to make a segment on a full disk.
pub const NO_SPACE_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Time that the filling of segments waits for the foreground.
pub const FILL_PAUSE: Duration = Duration::from_millis(1);

/// Damages that one check of a log names; more are counted.
pub const FINDINGS_MAX: usize = 1000;

/// Parts of streams that one damage names as lost; more are counted.
pub const LOST_PARTS_MAX: usize = 16;

/// Most frames that one look at a log lists.
pub const FRAMES_LISTED_MAX: usize = 100_000;

/// Memory that the tail cache may hold, unless configured otherwise. Bytes.
pub const TAIL_CACHE_SIZE_DEFAULT: usize = 64 << 20;

/// Largest read from a segment that serves several batches at once. Bytes.
pub const READ_SIZE_MAX: usize = 1 << 20;

/// Memory for what is read ahead, unless configured otherwise. Bytes.
pub const READ_AHEAD_BYTES_DEFAULT: usize = 16 << 20;

/// Bytes that are read ahead for one reader at a time, at most; and below which it is not worth it.
pub const READ_AHEAD_SIZE: usize = 1 << 20;
/// See [`READ_AHEAD_SIZE`].
pub const READ_AHEAD_SIZE_MIN: usize = 64 << 10;

/// Readings ahead that have begun for one reader and are not used up: one is read while the one before it is served.
pub const READ_AHEAD_WINDOWS: usize = 2;

/// Readings ahead under way at once.
pub const READ_AHEADS_MAX: usize = 4;

/// Reads of batches that are with the device, or being checked, at once: more would keep an append's write waiting.
pub const DISK_READS_MAX: usize = 2;

/// Bytes of batches that are checked before others have their turn: some ten microseconds.
pub const READ_CHECK_SLICE: usize = 64 << 10;

/// Readers that are remembered, to notice that one goes on where it ended.
pub const READERS_FOLLOWED_MAX: usize = 64;

/// Bytes between two batches that are read along rather than with a read of their own.
pub const READ_GAP_MAX: u32 = 64 << 10;

/// Batches of one producer that are remembered per partition, to answer a duplicate with its first offset.
pub const PRODUCER_BATCHES_KEPT: usize = 5;

/// Requests that one shard may have outstanding at another (credits).
pub const MESH_CREDITS: usize = 64;

/// Messages that one channel of the mesh holds: every outstanding request and every reply, so that neither
/// ever waits.
pub const MESH_CAPACITY: usize = 2 * MESH_CREDITS;

/// Most partitions in one data folder.
pub const CATALOG_PARTITIONS_MAX: u64 = 1 << 16;

/// Coordinator slots that the names of groups fall to; fixed, so that neither the number of cores nor of logs matters to a
/// group.
pub const COORDINATOR_SLOTS: usize = 64;

/// Longest name of a group. Bytes.
pub const GROUP_NAME_SIZE_MAX: usize = 1024;

/// Longest text that is kept with a committed offset. Bytes.
pub const OFFSET_METADATA_SIZE_MAX: usize = 4096;

/// Largest record that a coordinator keeps of a group. Bytes.
pub const GROUP_RECORD_SIZE_MAX: usize = 1 << 20;

/// Most groups of one shard.
pub const SHARD_GROUPS_MAX: usize = 1 << 16;

/// Most committed offsets of one group: one for every partition that a data folder may have.
pub const GROUP_OFFSETS_MAX: usize = CATALOG_PARTITIONS_MAX as usize;

/// Memory that the groups of one shard may take, as estimated. Bytes.
pub const SHARD_GROUPS_MEMORY_MAX: usize = 256 << 20;

/// What a group takes beside its name, its record and its offsets, as estimated. Bytes of memory.
pub const GROUP_MEMORY: usize = 256;

/// What a committed offset takes beside its text, as estimated. Bytes of memory.
pub const OFFSET_MEMORY: usize = 128;

/// How long committed offsets of a group without members are kept, unless configured otherwise.
pub const OFFSETS_RETENTION_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Committed offsets that one look for expired ones goes through, about.
pub const EXPIRY_LOOK_OFFSETS: usize = 10_000;

/// Producer ids that one shard sets aside at a time.
pub const PRODUCER_ID_BLOCK: u32 = 1000;

/// Producers that one partition remembers; beyond, those silent for longest are forgotten.
pub const PARTITION_PRODUCERS_MAX: usize = 1024;

/// How long a partition remembers a producer that is silent, unless configured otherwise.
pub const PRODUCER_EXPIRY_DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// Keys at which a leaf of a store's table is split: as many as a hash table of 2,048 buckets takes.
pub const STORE_LEAF_ENTRIES_MAX: usize = 2048 / 8 * 7;

/// Most times that a leaf of a store's table is split; 2 to this many leaves, then leaves just grow.
pub const STORE_SPLITS_MAX: u32 = 26;

/// Size at which a slice of a shard's checkpoint is closed. Bytes.
pub const SLICE_SIZE_TARGET: usize = 192 << 10;

/// Of [`MESH_CREDITS`], those for requests that are answered as soon as possible.
pub const MESH_CREDITS_DATA: usize = 40;

/// Of [`MESH_CREDITS`], those for requests that wait for records to come.
pub const MESH_CREDITS_WAIT: usize = 16;

/// Of [`MESH_CREDITS`], those for the catalog and the outboxes.
pub const MESH_CREDITS_CONTROL: usize = 8;

/// Longest that one request waits at another shard for records to come; the asking shard then asks again.
pub const REMOTE_WAIT_MAX: Duration = Duration::from_secs(1);

/// Bytes of batches after which a client's read returns, whatever more was asked for.
pub const CLIENT_READ_SIZE_MAX: usize = 16 << 20;

/// Bytes of batches after which a pull of an outbox is answered.
pub const OUTBOX_PULL_SIZE: usize = 1 << 20;

/// Batches that one pull of an outbox takes at most.
pub const OUTBOX_PULL_BATCHES: usize = 1024;

/// How long a committed outbox position waits for others before the source is told to trim, by default.
pub const OUTBOX_TRIM_DELAY_DEFAULT: Duration = Duration::from_millis(200);

/// How long a task that cannot go on without space waits before it tries again.
pub const NO_SPACE_RETRY: Duration = Duration::from_millis(200);

/// Room that every batch leaves in a frame for what travels with it: directory entries of its companions.
pub const FRAME_COMPANIONS_SIZE: usize = 1024;

/// Deleted partitions that one frame names.
pub const FRAME_DELETIONS_MAX: usize = 256;

/// Time after which a frame with records tells the log's clock again: no more passes between what it tells and the append.
pub const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

/// Time without a step after which the wall clock is believed what it says of the time between two starts.
pub const CLOCK_BELIEF_DELAY: Duration = Duration::from_secs(600);

/// Smallest difference between wall clock and monotonic clock, from one look to the next, that is a step.
pub const CLOCK_STEP_MIN: Duration = Duration::from_millis(500);

/// Batches' ends by which a partition remembers when its records were appended.
pub const TIMELINE_MARKS_MAX: usize = 32;

/// Time between two looks for records to let go.
pub const RETENTION_INTERVAL: Duration = Duration::from_secs(2);

/// Part of a limit in bytes that a partition exceeds before it is looked at at once.
pub const RETENTION_EXCESS: u64 = 8;

/// Log starts that one frame raises to let go of records.
pub const FRAME_LOG_STARTS_MAX: usize = 256;

/// Memory for keys that a compaction remembers at a time, on one shard. Bytes.
pub const COMPACTION_MEMORY_DEFAULT: usize = 64 << 20;

/// What a key takes in memory beside its own bytes, about. Bytes.
pub const COMPACTION_KEY_OVERHEAD: usize = 48;

/// Size at which a batch of what compaction leaves is closed. Bytes.
pub const COMPACTION_BATCH_SIZE: usize = 128 << 10;

/// Batches that compaction leaves in one frame, about.
pub const COMPACTION_FRAME_BATCHES: usize = 1024;

/// Marks of passes that a partition remembers.
pub const COMPACTION_MARKS_MAX: usize = 8;

/// Time between two looks for partitions to compact.
pub const COMPACTION_INTERVAL: Duration = Duration::from_secs(5);

/// Share of a partition that has to be new before it is compacted, unless its topic says otherwise. Percent.
pub const COMPACTION_DIRTY_DEFAULT: u8 = 50;

/// Time for which a tombstone stays, unless its topic says otherwise. Milliseconds.
pub const TOMBSTONE_DELAY_MS_DEFAULT: u64 = 24 * 60 * 60 * 1000;

/// Longest name of a state store or stream task. Bytes.
pub const STORE_NAME_SIZE_MAX: usize = 1024;

/// Most state stores and stream tasks that one shard names.
pub const STORES_MAX: usize = 1 << 20;

const _: () = assert!(BATCH_SIZE_MAX < FRAME_SIZE_MAX, "a batch fits into a frame");
const _: () = assert!(RECORD_SIZE_MAX < BATCH_SIZE_MAX, "a record fits into a batch");
const _: () = assert!(FRAME_SIZE_TARGET.is_multiple_of(BLOCK_SIZE), "frames end on a block");
const _: () = assert!(
    MESH_CREDITS_DATA + MESH_CREDITS_WAIT + MESH_CREDITS_CONTROL == MESH_CREDITS,
    "every credit belongs to one kind of request"
);
