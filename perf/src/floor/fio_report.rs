//! fio's report, as far as it is read.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What fio measured in one turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FioTurn {
    /// Millions of bytes per second, made durable.
    pub(crate) megabytes_per_second: f64,
    /// Middle time of one durable write: that of a write and that of a flush, if there was one. Microseconds.
    pub(crate) p50_us: f64,
    /// Sum of both 99th percentiles: at least that of the sum. Microseconds.
    pub(crate) p99_us: f64,
}

impl FioTurn {
    /// Reads what fio prints with `--output-format=json --lat_percentiles=1` for one job that writes.
    ///
    /// # Errors
    /// What is missing, or the job's own error.
    pub(crate) fn parse(report: &str) -> Result<Self> {
        // Warnings may come before the report.
        let begin = report.find('{').context("fio printed no report")?;
        let report: Value = serde_json::from_str(&report[begin..]).context("fio's report is not JSON")?;
        let job = &report["jobs"][0];
        let error = job["error"].as_u64().context("fio's report has no job")?;
        ensure!(error == 0, "fio's job failed with error {error}");
        let bytes = job["write"]["io_bytes"].as_f64().context("fio does not say what it wrote")?;
        let runtime_ms = job["write"]["runtime"].as_f64().context("fio does not say how long it wrote")?;
        ensure!(bytes > 0.0 && runtime_ms > 0.0, "fio wrote nothing");
        let (write_p50, write_p99) = percentiles(&job["write"]).context("fio's report lacks percentiles")?;
        let (sync_p50, sync_p99) = percentiles(&job["sync"]).unwrap_or((0.0, 0.0));
        Ok(Self {
            megabytes_per_second: bytes / 1e3 / runtime_ms,
            p50_us: (write_p50 + sync_p50) / 1e3,
            p99_us: (write_p99 + sync_p99) / 1e3,
        })
    }
}

/// The middle and the 99th percentile of the latencies of `operation`, in nanoseconds.
fn percentiles(operation: &Value) -> Option<(f64, f64)> {
    let percentiles = &operation["lat_ns"]["percentile"];
    Some((percentiles["50.000000"].as_f64()?, percentiles["99.000000"].as_f64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shortened from what fio 3.33 printed.
    const FLUSHED: &str = r#"fio: a warning
{
  "fio version" : "fio-3.33",
  "jobs" : [ { "jobname" : "floor", "error" : 0,
    "read" : { "io_bytes" : 0, "runtime" : 0, "lat_ns" : { "min" : 0 } },
    "write" : { "io_bytes" : 2609152, "bw" : 5055, "runtime" : 504,
      "lat_ns" : { "min" : 41237, "percentile" : { "50.000000" : 34560, "99.000000" : 2637824 } } },
    "sync" : { "total_ios" : 0,
      "lat_ns" : { "min" : 70924, "percentile" : { "50.000000" : 104960, "99.000000" : 5013504 } } }
  } ]
}"#;

    #[test]
    fn a_durable_write_takes_the_time_of_its_write_and_of_its_flush() {
        let turn = FioTurn::parse(FLUSHED).unwrap();
        assert_eq!(turn.p50_us, 139.52);
        assert_eq!(turn.p99_us, 7651.328);
        assert!((turn.megabytes_per_second - 5.177).abs() < 0.001, "{turn:?}");
    }

    #[test]
    fn without_flushes_the_write_is_all() {
        let report = FLUSHED.replace("\"sync\"", "\"unused\"");
        assert_eq!(FioTurn::parse(&report).unwrap().p50_us, 34.56);
    }

    #[test]
    fn a_report_that_tells_nothing_is_refused() {
        assert!(FioTurn::parse("fio: pid=0, err=22").is_err());
        assert!(FioTurn::parse("{}").is_err());
        let failed = FLUSHED.replace("\"error\" : 0", "\"error\" : 28");
        assert!(FioTurn::parse(&failed).unwrap_err().to_string().contains("error 28"));
        assert!(FioTurn::parse(&FLUSHED.replace("2609152", "0")).is_err());
        assert!(FioTurn::parse(&FLUSHED.replace("50.000000", "51.0")).is_err());
    }
}
