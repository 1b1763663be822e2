//! Two contestants of the same rounds.

use serde::Serialize;

use super::{Series, Unit};

/// Quotients of two series, round by round, so that what slows a round down slows both sides of its quotient.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Ratio(Series);

impl Ratio {
    /// `numerator` over `denominator`.
    ///
    /// # Panics
    /// If the series have different units or numbers of rounds, or no round, or a denominator is zero.
    #[must_use]
    pub fn of(numerator: &Series, denominator: &Series) -> Self {
        assert_eq!(numerator.unit(), denominator.unit(), "only like is compared with like");
        assert_eq!(numerator.rounds().len(), denominator.rounds().len(), "both took part in every round");
        let mut ratios = Series::new(Unit::Ratio);
        for (above, below) in numerator.rounds().iter().zip(denominator.rounds()) {
            ratios.push(above / below);
        }
        assert!(!ratios.rounds().is_empty(), "there was a round");
        Self(ratios)
    }

    /// The middle of the rounds' quotients.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.0.median()
    }

    /// Prints all rounds, their median and their range on one line.
    pub fn print(&self, label: &str) {
        self.0.print(label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(figures: &[f64]) -> Series {
        let mut series = Series::new(Unit::Microseconds);
        figures.iter().for_each(|&figure| series.push(figure));
        series
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_own_ratios_not_the_ratio_of_medians() {
        let above = series(&[10.0, 200.0, 30.0]);
        let below = series(&[10.0, 100.0, 60.0]);
        let ratio = Ratio::of(&above, &below);
        assert_eq!(ratio.median(), 1.0);
        assert_eq!(above.median() / below.median(), 0.5);
    }

    #[test]
    #[should_panic(expected = "both took part in every round")]
    fn a_missing_round_is_not_papered_over() {
        let _ = Ratio::of(&series(&[1.0, 2.0]), &series(&[1.0]));
    }

    #[test]
    #[should_panic(expected = "a figure is a number")]
    fn nothing_is_divided_by_nothing() {
        let _ = Ratio::of(&series(&[1.0]), &series(&[0.0]));
    }
}
