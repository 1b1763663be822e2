//! One figure of each round.

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// What a figure counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Millions of bytes per second.
    MegabytesPerSecond,
    /// Millionths of a second.
    Microseconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millions of words per second.
    MillionWordsPerSecond,
    /// Millions of bytes.
    Megabytes,
    /// Millions of words per second of processor time.
    MillionWordsPerCpuSecond,
    /// Seconds of processor time per thousand million bytes.
    CpuSecondsPerGigabyte,
    /// Things without a unit.
    Count,
    /// A quotient.
    Ratio,
}

impl Unit {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MegabytesPerSecond => "MB/s",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::MillionWordsPerSecond => "M words/s",
            Self::Megabytes => "MB",
            Self::MillionWordsPerCpuSecond => "M/CPU s",
            Self::CpuSecondsPerGigabyte => "CPU s/GB",
            Self::Count => "",
            Self::Ratio => "×",
        }
    }

    /// Digits behind the point that mean something for `value`.
    fn digits(self, value: f64) -> usize {
        match self {
            Self::Count => 0,
            Self::Ratio | Self::CpuSecondsPerGigabyte => 2,
            _ if value < 10.0 => 2,
            _ if value < 1000.0 => 1,
            _ => 0,
        }
    }

    /// `value` as it is printed, without the unit's name.
    #[must_use]
    pub fn format(self, value: f64) -> String {
        format!("{value:.*}", self.digits(value))
    }
}

/// One figure of each round, in the order of the rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    unit: Unit,
    rounds: Vec<f64>,
}

impl Series {
    /// A series without rounds yet.
    #[must_use]
    pub fn new(unit: Unit) -> Self {
        Self { unit, rounds: Vec::new() }
    }

    /// Adds the next round's figure.
    ///
    /// # Panics
    /// If it is not a finite number: nothing was measured then.
    pub fn push(&mut self, figure: f64) {
        assert!(figure.is_finite(), "a figure is a number");
        self.rounds.push(figure);
    }

    /// What the figures count.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The figures.
    #[must_use]
    pub fn rounds(&self) -> &[f64] {
        &self.rounds
    }

    /// The middle figure.
    ///
    /// # Panics
    /// If there was no round.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(&self.rounds)
    }

    /// The smallest figure.
    ///
    /// # Panics
    /// If there was no round.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.rounds.iter().copied().reduce(f64::min).expect("there was a round")
    }

    /// The largest figure.
    ///
    /// # Panics
    /// If there was no round.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.rounds.iter().copied().reduce(f64::max).expect("there was a round")
    }

    /// Prints all rounds, their median and their range on one line.
    pub fn print(&self, label: &str) {
        let rounds: Vec<String> = self.rounds.iter().map(|&round| self.unit.format(round)).collect();
        println!(
            "  {label:<44} {:>9} {:<9} [{}]",
            self.unit.format(self.median()),
            self.unit.name(),
            rounds.join("  ")
        );
    }
}

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Series", 5)?;
        fields.serialize_field("unit", self.unit.name())?;
        fields.serialize_field("median", &rounded(self.median()))?;
        fields.serialize_field("min", &rounded(self.min()))?;
        fields.serialize_field("max", &rounded(self.max()))?;
        fields.serialize_field(
            "rounds",
            &self.rounds.iter().map(|&round| rounded(round)).collect::<Vec<_>>(),
        )?;
        fields.end()
    }
}

/// No figure of a benchmark means anything behind its thousandth.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The middle of `values`; of an even number the mean of the two in the middle.
///
/// # Panics
/// If there is no value, or one is not a number.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "nothing has no median");
    assert!(values.iter().all(|value| !value.is_nan()), "values are numbers");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted[middle]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 100.0]), 3.5);
        assert_eq!(median(&[1.0, 1.0, 1.0, 1.0, 1000.0]), 1.0);
    }

    #[test]
    #[should_panic(expected = "nothing has no median")]
    fn nothing_has_no_median() {
        let _ = median(&[]);
    }

    #[test]
    fn a_series_is_written_with_its_summary_and_every_round() {
        let mut series = Series::new(Unit::Microseconds);
        for figure in [2.0, 1.0, 3.000_44] {
            series.push(figure);
        }
        let expected = r#"{"unit":"µs","median":2.0,"min":1.0,"max":3.0,"rounds":[2.0,1.0,3.0]}"#;
        assert_eq!(serde_json::to_string(&series).unwrap(), expected);
    }

    #[test]
    fn figures_are_printed_with_the_digits_that_mean_something() {
        assert_eq!(Unit::Microseconds.format(9.876), "9.88");
        assert_eq!(Unit::Microseconds.format(187.64), "187.6");
        assert_eq!(Unit::MegabytesPerSecond.format(1441.4), "1441");
        assert_eq!(Unit::Ratio.format(0.956), "0.96");
        assert_eq!(Unit::Count.format(3.0), "3");
    }
}
