//! Latencies of one round.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart: anything longer counts as this. Nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// Latencies, to three digits, from a nanosecond to a minute.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("the bounds are valid"))
    }
}

impl Latencies {
    /// Adds one.
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds.max(1));
    }

    /// Number of latencies.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that `fraction` of all do not exceed. Unit: microseconds.
    #[must_use]
    pub fn quantile_us(&self, fraction: f64) -> f64 {
        self.0.value_at_quantile(fraction) as f64 / 1000.0
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all histograms have the same bounds");
    }

    /// The quantiles that matter.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        LatencySummary {
            count: self.count(),
            p50_us: self.quantile_us(0.5),
            p90_us: self.quantile_us(0.9),
            p99_us: self.quantile_us(0.99),
            p999_us: self.quantile_us(0.999),
            max_us: self.0.max() as f64 / 1000.0,
        }
    }
}

/// Quantiles. Unit: microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LatencySummary {
    /// Number of latencies.
    pub count: u64,
    /// The middle.
    pub p50_us: f64,
    /// Of ten, the second longest.
    pub p90_us: f64,
    /// Of a hundred, the second longest.
    pub p99_us: f64,
    /// Of a thousand, the second longest.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl LatencySummary {
    /// Prints it on one line.
    pub fn print(&self, label: &str) {
        println!(
            "  {label:<44} p50 {:.1}  p90 {:.1}  p99 {:.1}  p99.9 {:.1}  max {:.1} µs over {}",
            self.p50_us, self.p90_us, self.p99_us, self.p999_us, self.max_us, self.count
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_latencies_to_three_digits() {
        let mut latencies = Latencies::default();
        for microseconds in 1..=1000 {
            latencies.record(Duration::from_micros(microseconds));
        }
        let summary = latencies.summary();
        assert_eq!(summary.count, 1000);
        for (found, expected) in [
            (summary.p50_us, 500.0),
            (summary.p99_us, 990.0),
            (summary.p999_us, 999.0),
            (summary.max_us, 1000.0),
        ] {
            assert!((found / expected - 1.0).abs() < 0.001, "{found} is not {expected}");
        }
    }

    #[test]
    fn a_latency_beyond_the_bounds_still_counts() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::ZERO);
        latencies.record(Duration::from_secs(3600));
        assert_eq!(latencies.count(), 2);
        assert!(latencies.summary().max_us >= 59_000_000.0);
    }
}
