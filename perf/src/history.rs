//! One JSON line per run.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::machine::Machine;

/// A run, as it is written down.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    /// When it began, in UTC.
    pub date: String,
    /// Which tree, with `+` if it was changed.
    pub revision: Option<String>,
    /// The command line, without the program.
    pub command: &'a str,
    /// What it ran on.
    pub machine: &'a Machine,
    /// What came of it, by scenario.
    pub figures: &'a Map<String, Value>,
}

impl Entry<'_> {
    /// Appends it to `file` as one line; makes the file and its folder if need be.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn append_to(&self, file: &Path) -> Result<()> {
        let mut line = serde_json::to_string(self).context("figures are plain data")?;
        line.push('\n');
        file.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(file))
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .with_context(|| format!("{file:?} could not be written"))
    }
}

/// `seconds` since 1970 as a date and time of day in UTC.
pub(crate) fn date(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of the day that lies `days` behind 1970-01-01.
///
/// Years begin in March here, so that the day that is not in every year is the last one.
fn civil(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01, in eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }
}
