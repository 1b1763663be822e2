//! Windows of idempotent producers against an oracle that forgets nothing.

use std::collections::BTreeMap;

use thalweg_engine::limits::{PARTITION_PRODUCERS_MAX, PRODUCER_BATCHES_KEPT};
use thalweg_engine::model::{Offset, ProducerEpoch, ProducerId, ProducerStamp, RecordSequence};
use thalweg_engine::producer::{ProducerTable, Refusal, Verdict, Window};
use thalweg_sim::Prng;

fn stamp(id: u64, epoch: u16, sequence: u32) -> ProducerStamp {
    ProducerStamp { id: ProducerId(id), epoch: ProducerEpoch(epoch), sequence: RecordSequence(sequence) }
}

fn judge(table: &ProducerTable, stamp: &ProducerStamp, count: u32) -> Result<Verdict, Refusal> {
    Window::judge(table.window(stamp.id), stamp, count)
}

/// Everything that one producer ever appended: epoch, then (sequence, count, offset).
type History = (u16, Vec<(u32, u32, u64)>);

fn oracle(history: Option<&History>, stamp: &ProducerStamp, count: u32) -> Result<Verdict, Refusal> {
    let Some((epoch, batches)) = history else {
        return if stamp.sequence.0 == 0 { Ok(Verdict::Append) } else { Err(Refusal::Unknown) };
    };
    let next = batches.last().map_or(0, |(first, count, _)| (first + count) % (1 << 31));
    match stamp.epoch.0.cmp(epoch) {
        std::cmp::Ordering::Less => return Err(Refusal::Fenced(ProducerEpoch(*epoch))),
        std::cmp::Ordering::Greater if stamp.sequence.0 == 0 => return Ok(Verdict::Append),
        std::cmp::Ordering::Greater => return Err(Refusal::OutOfOrder(RecordSequence(0))),
        std::cmp::Ordering::Equal => {}
    }
    if stamp.sequence.0 == next {
        return Ok(Verdict::Append);
    }
    let recent = batches.iter().rev().take(PRODUCER_BATCHES_KEPT);
    match recent.rev().find(|batch| (batch.0, batch.1) == (stamp.sequence.0, count)) {
        Some(batch) => Ok(Verdict::Duplicate(Offset(batch.2))),
        None => Err(Refusal::OutOfOrder(RecordSequence(next))),
    }
}

#[test]
fn verdicts_follow_the_oracle_also_through_checkpoints() {
    for seed in 0..300 {
        let mut prng = Prng::new(seed);
        let mut table = ProducerTable::default();
        let mut histories: BTreeMap<u64, History> = BTreeMap::new();
        let mut end = 0;
        for _ in 0..200 {
            let id = prng.below(4);
            let history = histories.get(&id);
            let epoch = history.map_or(0, |(epoch, _)| *epoch);
            let (mut sequence, mut count) = (0, 1 + prng.below(5) as u32);
            match prng.below(10) {
                0 => sequence = prng.below(30) as u32,
                1..=3 => {
                    // A repetition of something recent, or of something not so recent.
                    let batches = history.map_or(&[][..], |(_, batches)| batches);
                    let back = prng.below(8) as usize;
                    if let Some((first, size, _)) = batches.iter().rev().nth(back) {
                        (sequence, count) = (*first, *size);
                    }
                }
                _ => {
                    let last = history.and_then(|(_, batches)| batches.last());
                    sequence = last.map_or(0, |(first, count, _)| (first + count) % (1 << 31));
                }
            }
            let epoch = match prng.below(20) {
                0 => epoch + 1,
                1 => epoch.saturating_sub(1),
                _ => epoch,
            };
            let stamp = stamp(id, epoch, sequence);
            let verdict = judge(&table, &stamp, count);
            assert_eq!(verdict, oracle(history, &stamp, count), "seed {seed}: {stamp:?} {count}");
            if verdict == Ok(Verdict::Append) {
                table.appended(&stamp, count, Offset(end), 0);
                let history = histories.entry(id).or_default();
                if history.0 != epoch {
                    *history = (epoch, Vec::new());
                }
                history.1.push((sequence, count, end));
                end += u64::from(count);
            }
            if prng.below(20) == 0 {
                table = ProducerTable::from_rows(table.rows()).unwrap();
            }
        }
        assert_eq!(table.len(), histories.len());
    }
}

#[test]
fn sequences_wrap_to_zero_behind_the_highest() {
    let mut table = ProducerTable::default();
    let high = RecordSequence::MODULUS - 3;
    table.appended(&stamp(1, 0, high), 3, Offset(0), 0);
    assert_eq!(table.window(ProducerId(1)).unwrap().next(), RecordSequence(0));
    assert_eq!(judge(&table, &stamp(1, 0, 0), 1), Ok(Verdict::Append));
    assert_eq!(judge(&table, &stamp(1, 0, high), 3), Ok(Verdict::Duplicate(Offset(0))));
    table.appended(&stamp(1, 0, 0), 2, Offset(3), 0);
    assert_eq!(judge(&table, &stamp(1, 0, high), 3), Ok(Verdict::Duplicate(Offset(0))));
    assert_eq!(judge(&table, &stamp(1, 0, 1), 1), Err(Refusal::OutOfOrder(RecordSequence(2))));
}

#[test]
fn the_producer_silent_for_longest_is_forgotten_first() {
    let mut table = ProducerTable::default();
    let last = PARTITION_PRODUCERS_MAX as u64;
    for id in 0..last {
        table.appended(&stamp(id, 0, 0), 1, Offset(id), 0);
    }
    table.appended(&stamp(0, 0, 1), 1, Offset(last), 0);
    table.appended(&stamp(last, 0, 0), 1, Offset(last + 1), 0);
    assert_eq!(table.len(), PARTITION_PRODUCERS_MAX);
    assert!(table.window(ProducerId(1)).is_none());
    assert!(table.window(ProducerId(0)).is_some());
    assert!(table.window(ProducerId(last)).is_some());
    assert_eq!(judge(&table, &stamp(1, 0, 1), 1), Err(Refusal::Unknown));
}

#[test]
fn who_has_been_silent_for_long_is_forgotten_and_nobody_else() {
    let mut table = ProducerTable::default();
    for (base, id) in [5, 3, 9, 4].into_iter().enumerate() {
        table.appended(&stamp(id, 0, 0), 1, Offset(base as u64), 100 * base as u64);
    }
    table.appended(&stamp(5, 0, 1), 1, Offset(4), 400);
    assert_eq!(table.oldest_ms(), Some(100));
    table.forget_silent(99);
    assert_eq!(table.len(), 4);
    let mut copy = ProducerTable::from_rows(table.rows()).unwrap();
    for table in [&mut table, &mut copy] {
        table.forget_silent(200);
        assert_eq!(judge(table, &stamp(3, 0, 1), 1), Err(Refusal::Unknown));
        assert_eq!(judge(table, &stamp(9, 0, 1), 1), Err(Refusal::Unknown));
        assert_eq!(judge(table, &stamp(4, 0, 1), 1), Ok(Verdict::Append));
        assert_eq!(judge(table, &stamp(5, 0, 0), 1), Ok(Verdict::Duplicate(Offset(0))));
        assert_eq!(table.oldest_ms(), Some(300));
    }
    assert!(table.rows().eq(copy.rows()));
    table.forget_silent(400);
    assert!(table.is_empty());
    assert_eq!(table.oldest_ms(), None);
}
