//! The superblock: two blocks, written in turn, of which the newer one says where the log begins.

use super::FrameError;
use super::bytes::{put, seeded_checksum, u16_at, u32_at, u64_at};
use super::segment::check;
use crate::limits::BLOCK_SIZE;
use crate::model::{FolderId, Generation, Incarnation, LogId, Position, SegmentId, Sequence, ShardId};

/// Bytes of a superblock, at the beginning of its block.
pub const SUPERBLOCK_SIZE: usize = 128;

/// First bytes of a superblock.
pub const SUPERBLOCK_MAGIC: [u8; 8] = *b"THALWEGB";

const CHECKSUM_AT: usize = SUPERBLOCK_SIZE - 4;
const NO_CHECKPOINT: u32 = u32::MAX;

/// A checkpoint file, as the superblock names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CheckpointName {
    /// File `checkpoint-0` or `checkpoint-1`.
    pub file: u32,
    /// Bytes of it that count.
    pub size: u64,
    /// CRC-32 over them.
    pub checksum: u32,
}

/// Where frames are read from at a start: behind `sequence`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ReplayStart {
    /// Last frame that the checkpoint covers; 0 without one.
    pub sequence: Sequence,
    /// Header checksum of that frame; 0 without one.
    pub previous_checksum: u32,
    /// Segment of the next frame.
    pub segment: SegmentId,
    /// Its generation.
    pub generation: Generation,
    /// Where the next frame begins.
    pub position: Position,
}

/// What one block of the superblock says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Superblock {
    /// The log.
    pub log: LogId,
    /// Rises with every write; the block at `counter % 2` holds it.
    pub counter: u64,
    /// The newest start.
    pub incarnation: Incarnation,
    /// Highest frame known durable when the block was written.
    pub durable_up_to: Sequence,
    /// Bytes of every segment file.
    pub segment_size: u32,
    /// The newest checkpoint, if there is one.
    pub checkpoint: Option<CheckpointName>,
    /// Where the log goes on behind it.
    pub replay: ReplayStart,
    /// Whose log it is; `None` for one by itself.
    pub owner: Option<LogOwner>,
}

/// Whose log it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LogOwner {
    /// The data folder.
    pub folder: FolderId,
    /// The shard of it.
    pub shard: ShardId,
}

impl Superblock {
    /// Where in the file this block belongs. Bytes.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.counter % 2 * BLOCK_SIZE as u64
    }

    /// Writes the superblock to the first [`SUPERBLOCK_SIZE`] bytes of `out`.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn encode(&self, out: &mut [u8]) {
        let out = &mut out[..SUPERBLOCK_SIZE];
        out.fill(0);
        put(out, 0, &SUPERBLOCK_MAGIC);
        put(out, 8, &1u16.to_le_bytes());
        put(out, 10, &(SUPERBLOCK_SIZE as u16).to_le_bytes());
        put(out, 12, &self.incarnation.0.to_le_bytes());
        put(out, 16, &self.log.0.to_le_bytes());
        put(out, 24, &self.counter.to_le_bytes());
        put(out, 32, &self.durable_up_to.0.to_le_bytes());
        put(out, 40, &self.segment_size.to_le_bytes());
        put(out, 44, &self.checkpoint.map_or(NO_CHECKPOINT, |name| name.file).to_le_bytes());
        put(out, 48, &self.checkpoint.map_or(0, |name| name.size).to_le_bytes());
        put(out, 56, &self.checkpoint.map_or(0, |name| name.checksum).to_le_bytes());
        put(out, 60, &self.replay.previous_checksum.to_le_bytes());
        put(out, 64, &self.replay.sequence.0.to_le_bytes());
        put(out, 72, &self.replay.generation.0.to_le_bytes());
        put(out, 80, &self.replay.segment.0.to_le_bytes());
        put(out, 84, &self.replay.position.0.to_le_bytes());
        if let Some(owner) = self.owner {
            put(out, 88, &owner.folder.0.to_le_bytes());
            put(out, 96, &owner.shard.0.to_le_bytes());
        }
        let checksum = seeded_checksum(self.log, &out[..CHECKSUM_AT]);
        put(out, CHECKSUM_AT, &checksum.to_le_bytes());
    }

    /// Reads a superblock of any log at the start of `bytes`.
    ///
    /// # Errors
    /// [`FrameError`], except for the variants of directory and payload.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let bytes = bytes.first_chunk::<SUPERBLOCK_SIZE>().ok_or(FrameError::NotAFrame)?;
        let log = LogId(u64_at(bytes, 16));
        check(bytes, log, &SUPERBLOCK_MAGIC, CHECKSUM_AT)?;
        let file = u32_at(bytes, 44);
        if file > 1 && file != NO_CHECKPOINT {
            return Err(FrameError::Corrupt { what: "the superblock names an impossible checkpoint" });
        }
        let name = CheckpointName { file, size: u64_at(bytes, 48), checksum: u32_at(bytes, 56) };
        let owner = LogOwner { folder: FolderId(u64_at(bytes, 88)), shard: ShardId(u16_at(bytes, 96)) };
        // Readers go to this position without a look at it.
        let (position, segment_size) = (u32_at(bytes, 84), u32_at(bytes, 40));
        if !(position as usize).is_multiple_of(BLOCK_SIZE) || (segment_size > 0 && position >= segment_size) {
            return Err(FrameError::Corrupt { what: "the superblock names an impossible position" });
        }
        Ok(Self {
            log,
            counter: u64_at(bytes, 24),
            incarnation: Incarnation(u32_at(bytes, 12)),
            durable_up_to: Sequence(u64_at(bytes, 32)),
            segment_size,
            checkpoint: (file != NO_CHECKPOINT).then_some(name),
            replay: ReplayStart {
                sequence: Sequence(u64_at(bytes, 64)),
                previous_checksum: u32_at(bytes, 60),
                segment: SegmentId(u32_at(bytes, 80)),
                generation: Generation(u64_at(bytes, 72)),
                position: Position(position),
            },
            owner: (owner.folder != FolderId::NONE).then_some(owner),
        })
    }
}

/// What the two blocks of a superblock file say together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a start")]
pub enum SuperblockChoice {
    /// Neither block was ever whole.
    Nothing,
    /// This log was written by a newer version.
    Newer {
        /// Version found.
        found: u16,
        /// Newest version known.
        known: u16,
    },
    /// The blocks belong to different logs.
    Contradiction,
    /// The newer whole block, the older if it is whole too, and whether a block was torn or damaged.
    Found {
        /// The block in force.
        newest: Superblock,
        /// The one before it.
        older: Option<Superblock>,
        /// A block is neither whole nor empty.
        torn: bool,
    },
}

/// Chooses between the two blocks of a superblock file; either may be cut off, torn or empty.
#[must_use]
pub fn choose_superblock(first: &[u8], second: &[u8]) -> SuperblockChoice {
    let blocks = [first, second].map(Superblock::decode);
    for block in &blocks {
        if let Err(FrameError::NewerVersion { found, known }) = block {
            return SuperblockChoice::Newer { found: *found, known: *known };
        }
    }
    let torn =
        [first, second].iter().zip(&blocks).any(|(b, r)| r.is_err() && b.iter().any(|byte| *byte != 0));
    match blocks {
        [Ok(a), Ok(b)] if a.log != b.log => SuperblockChoice::Contradiction,
        [Ok(a), Ok(b)] => {
            let (newest, older) = if a.counter > b.counter { (a, b) } else { (b, a) };
            SuperblockChoice::Found { newest, older: Some(older), torn }
        }
        [Ok(one), Err(_)] | [Err(_), Ok(one)] => SuperblockChoice::Found { newest: one, older: None, torn },
        [Err(_), Err(_)] => SuperblockChoice::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock(counter: u64) -> Superblock {
        Superblock { log: LogId(3), counter, segment_size: 1 << 20, ..Superblock::default() }
    }

    fn block(superblock: &Superblock) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK_SIZE];
        superblock.encode(&mut bytes);
        bytes
    }

    #[test]
    fn the_newer_whole_block_is_in_force_wherever_a_write_was_torn() {
        let (old, new) = (superblock(6), superblock(7));
        for cut in 0..SUPERBLOCK_SIZE {
            // The write of 7 reached `cut` bytes of the block that held 5.
            let mut torn = block(&superblock(5));
            torn[..cut].copy_from_slice(&block(&new)[..cut]);
            let SuperblockChoice::Found { newest, .. } = choose_superblock(&block(&old), &torn) else {
                panic!("cut at {cut}: no block in force");
            };
            let whole = torn == block(&new);
            assert_eq!(newest, if whole { new } else { old }, "cut at {cut}");
        }
        let found = choose_superblock(&block(&old), &block(&new));
        assert_eq!(found, SuperblockChoice::Found { newest: new, older: Some(old), torn: false });
    }

    #[test]
    fn a_position_off_a_block_or_behind_the_segment_is_no_superblock() {
        let at = |position| {
            let replay = ReplayStart { position: Position(position), ..ReplayStart::default() };
            Superblock { replay, ..superblock(2) }
        };
        for position in [0, 4096, (1 << 20) - 4096] {
            assert_eq!(Superblock::decode(&block(&at(position))), Ok(at(position)));
        }
        for position in [1, 4095, 1 << 20, 0x8000_0000, u32::MAX] {
            let refused = Superblock::decode(&block(&at(position)));
            assert!(matches!(refused, Err(FrameError::Corrupt { .. })), "{position}: {refused:?}");
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_told_apart() {
        let empty = vec![0; BLOCK_SIZE];
        assert_eq!(choose_superblock(&empty, &[]), SuperblockChoice::Nothing);
        assert_eq!(choose_superblock(&[7; 100], &empty), SuperblockChoice::Nothing);
        let other = Superblock { log: LogId(4), ..superblock(2) };
        assert_eq!(
            choose_superblock(&block(&superblock(1)), &block(&other)),
            SuperblockChoice::Contradiction
        );
        let found = choose_superblock(&block(&superblock(2)), &empty);
        assert_eq!(found, SuperblockChoice::Found { newest: superblock(2), older: None, torn: false });
        let mut damaged = block(&superblock(3));
        damaged[40] ^= 1;
        let found = choose_superblock(&block(&superblock(2)), &damaged);
        assert_eq!(found, SuperblockChoice::Found { newest: superblock(2), older: None, torn: true });
    }
}
