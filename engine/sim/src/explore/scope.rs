//! What is explored.

use thalweg_engine::limits::{BLOCK_SIZE, SEGMENT_SIZE_MIN};
use thalweg_engine::log::{FlushMethod, LogOptions};

/// What a life appends after a crash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content {
    /// Something else than the life before in its place.
    Other,
    /// One or the other: something else, or byte for byte the same again, as a client does that tries again.
    Either,
}

/// A bounded world: everything that can happen in it is tried.
///
/// Its log was made before the first life, by a process that was killed when everything was durable. Segments lie
/// ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scope {
    /// Name, for people.
    pub name: &'static str,
    /// How frames become durable.
    pub flush: FlushMethod,
    /// Appends in all lives together; each becomes a frame of its own.
    pub appends: usize,
    /// Crashes, of which the last is a loss of power and each other one that or a kill. After the last crash the
    /// log is opened, read, and given one more append.
    pub crashes: usize,
    /// Blocks of one frame: 1 or 2.
    pub frame_blocks: usize,
    /// A block that is not durable may also be torn by a crash: its first sector new and the rest old, or the
    /// other way round.
    pub tears: bool,
    /// What later lives append.
    pub content: Content,
    /// Several operations may end before any task sees one of them.
    pub bursts: bool,
    /// Frames that are there before the first life.
    pub before: usize,
    /// What the log does behind the foreground (making segments ready, footers, checkpoints) is interleaved with
    /// everything else; otherwise each of its operations ends as soon as it begins.
    pub background: bool,
    /// Checkpoints that are asked for, in all lives together.
    pub checkpoints: usize,
    /// Time may pass, so that an idle log records in an empty frame what is durable.
    pub idle: bool,
    /// States are told apart, and what follows one is explored once. Without this every sequence of events is
    /// tried, which tells whether anything is lost by it.
    pub prune: bool,
    /// The device says of every flush that it succeeded, and does nothing: what must be found out.
    pub lies: bool,
}

impl Scope {
    /// All that are explored.
    pub const ALL: [Self; 18] = [
        FLUSHED,
        through(FLUSHED, "flushed-through"),
        TORN,
        through(TORN, "torn-through"),
        HALVES,
        through(HALVES, "halves-through"),
        ROLL,
        through(ROLL, "roll-through"),
        TORN_ROLL,
        through(TORN_ROLL, "torn-roll-through"),
        BACKGROUND,
        through(BACKGROUND, "background-through"),
        CHECKPOINT,
        through(CHECKPOINT, "checkpoint-through"),
        CHECKPOINTS,
        through(CHECKPOINTS, "checkpoints-through"),
        IDLE,
        through(IDLE, "idle-through"),
    ];

    /// The scope of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name == name)
    }

    /// How the log is set up.
    pub(super) fn options(&self) -> LogOptions {
        LogOptions {
            segment_size: SEGMENT_SIZE_MIN,
            pool_target: 1,
            flush: self.flush,
            checkpoint_interval: u64::MAX,
            cache_bytes: 1 << 20,
            read_ahead_bytes: 0,
            // So that no two appends share a frame.
            frame_size_target: self.frame_blocks * BLOCK_SIZE,
            frame_size_max: 4 * BLOCK_SIZE,
            ..LogOptions::default()
        }
    }

    /// Bytes of each of the two payloads of a frame.
    pub(super) fn payload_size(&self) -> usize {
        match self.frame_blocks {
            1 => 1200,
            2 => 3200,
            other => panic!("frames of {other} blocks are not explored"),
        }
    }
}

/// Frames of one block, of which a crash leaves all or nothing.
const FLUSHED: Scope = Scope {
    name: "flushed",
    flush: FlushMethod::Flush,
    // Of which four are in flight at once: the last one stays in the open frame until then.
    appends: 5,
    crashes: 2,
    frame_blocks: 1,
    tears: false,
    content: Content::Either,
    bursts: true,
    before: 0,
    background: false,
    checkpoints: 0,
    idle: false,
    prune: true,
    lies: false,
};

/// Frames of one block, which a crash may tear.
const TORN: Scope = Scope { name: "torn", tears: true, ..FLUSHED };

/// Frames of two blocks, of which a crash may leave either alone.
const HALVES: Scope = Scope { name: "halves", frame_blocks: 2, ..FLUSHED };

/// A frame goes to another segment, behind the one that says so.
const ROLL: Scope = Scope { name: "roll", appends: 4, before: 11, ..FLUSHED };

/// The same, with torn frames.
const TORN_ROLL: Scope = Scope { name: "torn-roll", tears: true, ..ROLL };

/// As the roll, with the segments and footers that this asks for.
const BACKGROUND: Scope = Scope { name: "background", appends: 3, bursts: false, background: true, ..ROLL };

/// A checkpoint is made meanwhile.
const CHECKPOINT: Scope =
    Scope { name: "checkpoint", checkpoints: 1, appends: 3, bursts: false, background: true, ..FLUSHED };

/// Two are made, the second in the place that the first has left.
const CHECKPOINTS: Scope = Scope { name: "checkpoints", checkpoints: 2, appends: 2, ..CHECKPOINT };

/// The log falls idle, and says so.
const IDLE: Scope = Scope { name: "idle", idle: true, ..FLUSHED };

/// The same, with writes that are durable when they complete.
const fn through(scope: Scope, name: &'static str) -> Scope {
    Scope { name, flush: FlushMethod::WriteThrough, ..scope }
}
