//! From what was seen while the topology ran to how long its results took.

use std::time::Duration;

use crate::measure::Latencies;

/// Places in the source whose latencies are taken.
const PLACES: u64 = 1000;

/// How far everything was at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sample {
    /// Since the topology was started.
    pub(super) at: Duration,
    /// Source records that the first task has processed.
    pub(super) processed: u64,
    /// Source records whose effects are durable.
    pub(super) committed: u64,
    /// Records handed to the second task; zero if there is none.
    pub(super) handed: u64,
    /// Of those, records whose effects are durable.
    pub(super) counted: u64,
}

/// Latencies from a source record's being processed to its effects being durable in the output topic, for places
/// spread evenly over `records` source records.
///
/// A place counts as processed at the moment that lies as far between two looks at the first task as the place
/// lies between what it had processed by then. It is durable when the second task has committed everything that
/// had been handed over when the first one's commit was seen: no later than that, and so never too short.
pub(super) fn latencies(samples: &[Sample], records: u64) -> Latencies {
    let mut latencies = Latencies::default();
    for place in (1..=PLACES).map(|place| (records * place).div_ceil(PLACES)) {
        if let Some(latency) = latency(samples, place) {
            latencies.record(latency);
        }
    }
    latencies
}

fn latency(samples: &[Sample], place: u64) -> Option<Duration> {
    let committed = samples.iter().position(|sample| sample.committed >= place)?;
    let handed = samples[committed].handed;
    let counted = samples[committed..].iter().find(|sample| sample.counted >= handed)?;
    Some(counted.at.saturating_sub(processed_at(samples, place)?))
}

/// When the first task had processed `place` records.
fn processed_at(samples: &[Sample], place: u64) -> Option<Duration> {
    let after = samples.iter().position(|sample| sample.processed >= place)?;
    let after = samples[after];
    // The look at which what was processed changed last before.
    let before =
        samples.iter().rev().filter(|sample| sample.processed < place).max_by_key(|sample| sample.processed);
    let before_processed = before.map_or(0, |sample| sample.processed);
    let before_at = samples
        .iter()
        .find(|sample| sample.processed == before_processed)
        .map_or(Duration::ZERO, |sample| sample.at);
    let share = (place - before_processed) as f64 / (after.processed - before_processed) as f64;
    Some(before_at + (after.at - before_at).mul_f64(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: u64, processed: u64, committed: u64, handed: u64, counted: u64) -> Sample {
        Sample { at: Duration::from_millis(at), processed, committed, handed, counted }
    }

    fn latency_ms(samples: &[Sample], place: u64) -> Option<u64> {
        latency(samples, place).map(|latency| latency.as_millis() as u64)
    }

    #[test]
    fn a_place_is_durable_when_the_second_task_has_committed_what_it_was_handed() {
        let samples = [
            sample(0, 0, 0, 0, 0),
            sample(100, 1000, 0, 0, 0),
            sample(150, 1000, 1000, 30, 0),
            sample(180, 1000, 1000, 30, 29),
            sample(190, 1000, 1000, 40, 30),
        ];
        assert_eq!(latency_ms(&samples, 1000), Some(90));
        assert_eq!(latency_ms(&samples, 500), Some(140));
    }

    #[test]
    fn with_one_task_its_commit_is_the_end() {
        let samples = [sample(0, 0, 0, 0, 0), sample(100, 1000, 0, 0, 0), sample(120, 1500, 1000, 0, 0)];
        assert_eq!(latency_ms(&samples, 1000), Some(20));
        assert_eq!(latency_ms(&samples, 1001), None);
    }

    #[test]
    fn what_was_processed_grows_evenly_between_two_changes() {
        let samples = [
            sample(0, 0, 0, 0, 0),
            sample(10, 100, 0, 0, 0),
            sample(20, 100, 0, 0, 0),
            sample(30, 200, 0, 0, 0),
        ];
        assert_eq!(processed_at(&samples, 100), Some(Duration::from_millis(10)));
        assert_eq!(processed_at(&samples, 150), Some(Duration::from_millis(20)));
        assert_eq!(processed_at(&samples, 201), None);
    }

    #[test]
    fn every_place_of_a_finished_run_has_a_latency() {
        let samples = [sample(0, 0, 0, 0, 0), sample(5, 7, 0, 0, 0), sample(9, 7, 7, 3, 3)];
        assert_eq!(latencies(&samples, 7).count(), PLACES);
    }
}
