//! Payloads that hold frames: copies of this log's own, forged ones that would follow wherever they land but for
//! the log's name, which a client does not know, and noise that only begins like frames.

use std::path::Path;

use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::format::{FRAME_MAGIC, FrameHeader};
use thalweg_engine::model::{LogId, Position, Sequence};

use crate::prng::Prng;
use crate::world::World;

/// Frames that are remembered.
const COPIES_MAX: usize = 32;

/// Largest frame that is remembered. Bytes.
const COPY_SIZE_MAX: usize = 16 << 10;

/// Where the payload begins in a frame that holds one payload, as the log lays it out. If it no longer does,
/// frames in payloads end up beside blocks and attack less.
const PAYLOAD_STARTS: [usize; 4] = [512, 2 << 10, 8 << 10, 16 << 10];

/// What a client that reads its own log's bytes can put into payloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Forger {
    copies: Vec<Vec<u8>>,
}

impl Forger {
    /// Remembers some of the frames on the disk.
    pub(super) fn look_at(&mut self, world: &World, folder: &Path, prng: &mut Prng) {
        let files = world.files();
        let segments: Vec<_> = (files.iter())
            .filter(|path| path.parent() == Some(folder) && path.to_string_lossy().contains("segment-"))
            .collect();
        if segments.is_empty() {
            return;
        }
        let content = world.content(segments[prng.index(segments.len())]).unwrap_or_default();
        for (index, block) in content.chunks(BLOCK_SIZE).enumerate() {
            if block.starts_with(&FRAME_MAGIC) && prng.below(4) == 0 {
                let at = index * BLOCK_SIZE;
                let size = u32::from_le_bytes(block[36..40].try_into().expect("four bytes")) as usize;
                let copy = content[at..(at + size.min(COPY_SIZE_MAX)).min(content.len())].to_vec();
                if self.copies.len() < COPIES_MAX {
                    self.copies.push(copy);
                } else {
                    let old = prng.index(COPIES_MAX);
                    self.copies[old] = copy;
                }
            }
        }
    }

    /// A payload that holds copies of frames, their beginnings on blocks if the frame that the payload gets
    /// into holds nothing else.
    pub(super) fn copies(&self, prng: &mut Prng) -> Option<Vec<u8>> {
        if self.copies.is_empty() {
            return None;
        }
        let mut payload = padding(*prng.pick(&PAYLOAD_STARTS));
        for _ in 0..prng.range(1..5) {
            payload.extend_from_slice(&self.copies[prng.index(self.copies.len())]);
            payload.resize(payload.len().next_multiple_of(16), 0);
        }
        Some(payload)
    }
}

/// A payload of forged frames for the frame that comes behind `newest` if nothing comes between. Each says of
/// itself that it lies where it will lie and that it knows everything durable, wherever the payload begins.
pub(super) fn forged(newest: &FrameHeader, prng: &mut Prng) -> Vec<u8> {
    let stranger = LogId(newest.log.0 ^ (1 + prng.below(u64::MAX - 1)));
    let blocks = prng.range(3..7) as usize;
    let mut payload = vec![0; (blocks + 1) * BLOCK_SIZE];
    for block in 0..blocks {
        for start in PAYLOAD_STARTS {
            let at = padding(start).len() + block * BLOCK_SIZE;
            let position = Position(newest.end().0 + (start + at) as u32);
            // Two beginnings leave the same gap to a block: either may be the one.
            if payload[at] == 0 || prng.coin() {
                forge(newest, stranger, position, block as u64).encode(&mut payload[at..]);
            }
        }
    }
    payload
}

/// Lets each block of `noise` begin like a frame, of whatever format and log, if the frame that it gets into
/// holds nothing else.
pub(super) fn begin_like_frames(noise: &mut [u8], prng: &mut Prng) {
    let start = padding(*prng.pick(&PAYLOAD_STARTS)).len().min(noise.len());
    for block in noise[start..].chunks_mut(BLOCK_SIZE) {
        let size = block.len().min(FRAME_MAGIC.len());
        block[..size].copy_from_slice(&FRAME_MAGIC[..size]);
    }
}

fn forge(newest: &FrameHeader, stranger: LogId, position: Position, number: u64) -> FrameHeader {
    FrameHeader {
        log: stranger,
        position,
        length: BLOCK_SIZE as u32,
        sequence: Sequence(newest.sequence.0 + 2 + number),
        durable_up_to: Sequence(newest.sequence.0 + 1 + number),
        previous_checksum: newest.checksum,
        entry_count: 0,
        directory_size: 0,
        payload_start: 512,
        payload_end: 512,
        ..*newest
    }
}

fn padding(payload_start: usize) -> Vec<u8> {
    vec![0; (BLOCK_SIZE - payload_start % BLOCK_SIZE) % BLOCK_SIZE]
}
