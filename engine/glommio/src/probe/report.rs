//! What a probe found, and its text form.

use std::fmt::Write;
use std::time::Duration;

use thalweg_engine::log::FlushMethod;

use super::Place;

/// First line of the text form: its name and version.
const HEADER: &str = "thalweg-probe=1";

/// Median times of one way of making a write durable.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Medians {
    /// One durable write of 4 KiB, alone.
    pub small: Duration,
    /// One durable write of 256 KiB, alone.
    pub large: Duration,
    /// One durable write of 4 KiB, while the same goes on in [`ProbeReport::files_at_once`] files.
    pub small_at_once: Duration,
    /// As [`Medians::small_at_once`], of 256 KiB.
    pub large_at_once: Duration,
}

impl Medians {
    fn times(&self) -> [(&'static str, Duration); 4] {
        [
            ("small", self.small),
            ("large", self.large),
            ("small_at_once", self.small_at_once),
            ("large_at_once", self.large_at_once),
        ]
    }

    /// How much longer than `other` these take, as a product over one small and one large write alone; below
    /// one: less long. Small writes are what an idle shard waits for, large ones what a busy one does.
    fn ratio(&self, other: &Self) -> f64 {
        let ratio = |own: Duration, other: Duration| own.as_secs_f64() / other.as_secs_f64().max(1e-9);
        ratio(self.small, other.small) * ratio(self.large, other.large)
    }
}

/// What a probe of a folder found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeReport {
    /// Where it was measured.
    pub place: Place,
    /// The faster way.
    pub method: FlushMethod,
    /// Files that were written at once for the figures of that name.
    pub files_at_once: u32,
    /// Rounds measured; both ways take turns within each.
    pub rounds: u32,
    /// A write with direct I/O, then `fdatasync`.
    pub flush: Medians,
    /// A write with direct I/O to a file opened with `O_DSYNC`.
    pub write_through: Medians,
}

/// Why a text is not a report.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProbeDecodeError {
    /// The first line is not that of a report of a known version.
    #[error("not a probe report of a known version: measure again")]
    Version,
    /// A line is missing or its value is not one.
    #[error("the probe report has no valid {key}: measure again")]
    Field {
        /// Its name.
        key: String,
    },
}

impl ProbeReport {
    /// A report whose method follows from its medians. With less than a twentieth between them, write-through:
    /// it is one operation instead of two.
    pub(super) fn new(
        place: Place,
        files_at_once: u32,
        rounds: u32,
        flush: Medians,
        write_through: Medians,
    ) -> Self {
        let method =
            if write_through.ratio(&flush) <= 1.05 { FlushMethod::WriteThrough } else { FlushMethod::Flush };
        Self { place, method, files_at_once, rounds, flush, write_through }
    }

    /// Medians of the faster way.
    #[must_use]
    pub fn best(&self) -> &Medians {
        match self.method {
            FlushMethod::Flush => &self.flush,
            FlushMethod::WriteThrough => &self.write_through,
        }
    }

    /// How many logs this device carries at the speed of one, as far as was measured: small durable writes
    /// per second of all files at once over those of one alone. Between zero and [`Self::files_at_once`].
    #[must_use]
    pub fn parallel_logs(&self) -> f64 {
        let best = self.best();
        let gain = best.small.as_secs_f64() / best.small_at_once.as_secs_f64().max(1e-9);
        (gain * f64::from(self.files_at_once)).min(f64::from(self.files_at_once))
    }

    /// The report as lines of `key=value`; times in nanoseconds.
    #[must_use]
    pub fn encode(&self) -> String {
        let method = match self.method {
            FlushMethod::Flush => "flush",
            FlushMethod::WriteThrough => "write_through",
        };
        let mut text = format!("{HEADER}\n");
        let mut line = |key: &str, value: &str| {
            writeln!(text, "{key}={}", value.replace('\\', "\\\\").replace('\n', "\\n"))
                .expect("a string takes all");
        };
        line("device", &self.place.device);
        line("file_system", &self.place.file_system);
        line("mount_point", &self.place.mount_point);
        line("method", method);
        line("files_at_once", &self.files_at_once.to_string());
        line("rounds", &self.rounds.to_string());
        for (way, medians) in [("flush", &self.flush), ("write_through", &self.write_through)] {
            for (name, time) in medians.times() {
                line(&format!("{way}_{name}_ns"), &time.as_nanos().to_string());
            }
        }
        text
    }

    /// The report that [`ProbeReport::encode`] made `text` of.
    ///
    /// # Errors
    /// [`ProbeDecodeError`]; a report that cannot be read is measured again.
    pub fn decode(text: &str) -> Result<Self, ProbeDecodeError> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(ProbeDecodeError::Version);
        }
        let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('=')).collect();
        let fields = Fields(&fields);
        Ok(Self {
            place: Place {
                device: fields.text("device")?,
                file_system: fields.text("file_system")?,
                mount_point: fields.text("mount_point")?,
            },
            method: match fields.text("method")?.as_str() {
                "flush" => FlushMethod::Flush,
                "write_through" => FlushMethod::WriteThrough,
                _ => return Err(ProbeDecodeError::Field { key: "method".to_owned() }),
            },
            files_at_once: fields.number("files_at_once")?,
            rounds: fields.number("rounds")?,
            flush: fields.medians("flush")?,
            write_through: fields.medians("write_through")?,
        })
    }
}

struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl Fields<'_> {
    fn text(&self, key: &str) -> Result<String, ProbeDecodeError> {
        let found = self.0.iter().find(|&&(known, _)| known == key);
        let (_, value) = found.ok_or_else(|| ProbeDecodeError::Field { key: key.to_owned() })?;
        let mut text = String::with_capacity(value.len());
        let mut rest = value.chars();
        while let Some(letter) = rest.next() {
            match (letter, letter == '\\') {
                (_, false) => text.push(letter),
                (_, true) => text.push(if rest.next() == Some('n') { '\n' } else { '\\' }),
            }
        }
        Ok(text)
    }

    fn number<N: std::str::FromStr>(&self, key: &str) -> Result<N, ProbeDecodeError> {
        self.text(key)?.parse().map_err(|_| ProbeDecodeError::Field { key: key.to_owned() })
    }

    fn medians(&self, way: &str) -> Result<Medians, ProbeDecodeError> {
        let time = |name: &str| self.number(&format!("{way}_{name}_ns")).map(Duration::from_nanos);
        Ok(Medians {
            small: time("small")?,
            large: time("large")?,
            small_at_once: time("small_at_once")?,
            large_at_once: time("large_at_once")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medians(small_us: u64, large_us: u64) -> Medians {
        Medians {
            small: Duration::from_micros(small_us),
            large: Duration::from_micros(large_us),
            small_at_once: Duration::from_micros(small_us * 2),
            large_at_once: Duration::from_nanos(u64::MAX),
        }
    }

    fn report(flush: Medians, write_through: Medians) -> ProbeReport {
        let place = Place {
            device: "254:0".to_owned(),
            file_system: "ext4".to_owned(),
            mount_point: "/odd = \\ name\nof two lines".to_owned(),
        };
        ProbeReport::new(place, 4, 9, flush, write_through)
    }

    #[test]
    fn the_faster_method_is_chosen_and_one_operation_when_equal() {
        assert_eq!(report(medians(100, 300), medians(20, 400)).method, FlushMethod::WriteThrough);
        assert_eq!(report(medians(100, 300), medians(90, 900)).method, FlushMethod::Flush);
        assert_eq!(report(medians(100, 300), medians(102, 303)).method, FlushMethod::WriteThrough);
        assert_eq!(report(medians(100, 300), medians(120, 300)).method, FlushMethod::Flush);
    }

    #[test]
    fn a_report_survives_its_text_form() {
        for report in [
            report(medians(100, 300), medians(20, 400)),
            report(medians(1, 2), medians(u64::from(u32::MAX), 7)),
        ] {
            assert_eq!(ProbeReport::decode(&report.encode()), Ok(report));
        }
    }

    #[test]
    fn a_text_with_anything_missing_is_refused() {
        let text = report(medians(100, 300), medians(20, 400)).encode();
        let lines: Vec<&str> = text.lines().collect();
        for missing in 0..lines.len() {
            let mut rest = lines.clone();
            let line = rest.remove(missing);
            let error = ProbeReport::decode(&rest.join("\n")).unwrap_err();
            if missing == 0 {
                assert_eq!(error, ProbeDecodeError::Version);
            } else {
                let key = line.split_once('=').unwrap().0.to_owned();
                assert_eq!(error, ProbeDecodeError::Field { key });
            }
        }
        assert_eq!(ProbeReport::decode(""), Err(ProbeDecodeError::Version));
        let later = text.replace(HEADER, "thalweg-probe=2");
        assert_eq!(ProbeReport::decode(&later), Err(ProbeDecodeError::Version));
        let broken = text.replace("rounds=9", "rounds=-9");
        assert_eq!(ProbeReport::decode(&broken), Err(ProbeDecodeError::Field { key: "rounds".to_owned() }));
    }

    #[test]
    fn parallel_logs_are_what_all_files_gain_over_one() {
        // Each write takes twice as long with four files at once: twice the writes per second.
        let report = report(medians(100, 300), medians(100, 300));
        assert!((report.parallel_logs() - 2.0).abs() < 1e-9, "{}", report.parallel_logs());
    }
}
