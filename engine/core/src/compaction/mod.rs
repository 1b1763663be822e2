//! Compaction: of the records of a partition that have a key, the latest of each key stays.
//!
//! A pass reads the records that came since the pass before, as far as their segments have ended, and remembers for each key
//! where it came last (`keys`). Then it goes over the partition from its start and replaces, part by part, the batches in which
//! something is superseded by what is left of them (`left`), in frames of their own. Offsets stay what they are. A pass that
//! got through leaves a mark (`marks`): up to there no key comes twice, so that a tombstone there, once it has been there for
//! long enough, goes in a later pass.
//!
//! Invariants: the latest record of a key never goes, unless it is a tombstone that a mark has outlived; nor does the last
//! record of a partition. A batch that does not read, or that nobody can look into, stays as it is, and no mark is left then. No time
//! but that of the log's own clock decides anything.

mod codec;
mod keys;
mod left;
mod marks;
mod pass;

pub use codec::{BatchCodec, ForeignBatches, ForeignRecord, Rewritten};
pub(crate) use marks::{CompactionMark, CompactionState};
pub use pass::{Outcome, Plan, compact};
