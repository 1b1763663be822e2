//! Which faults happened and which rare paths were taken.

use std::collections::BTreeMap;
use std::fmt;

/// Every fault that the simulator counts by itself. Marks of the engine are counted beside them, under their
/// own names.
pub const FAULTS: &[&str] = &[
    "clock.hour_back",
    "clock.wall_ahead",
    "clock.wall_back",
    "clock.wall_stopped",
    "clock.year_ahead",
    "crash.process",
    "crash.power",
    "disk.bit_flipped",
    "disk.fill_no_space",
    "disk.file_slow",
    "disk.flush_failed",
    "disk.folder_lost",
    "disk.in_flight_landed",
    "disk.in_flight_lost",
    "disk.in_flight_torn",
    "disk.metadata_failed",
    "disk.name_came_back",
    "disk.name_lost",
    "disk.no_space",
    "disk.operation_slow",
    "disk.read_failed",
    "disk.read_overlapped_write",
    "disk.read_short",
    "disk.read_stuck",
    "disk.sector_torn",
    "disk.size_lost",
    "disk.space_stale",
    "disk.sync_overtaken",
    "disk.volatile_kept",
    "disk.volatile_lost",
    "disk.volatile_torn",
    "disk.write_failed",
    "disk.write_out_of_order",
    "disk.write_short",
    "mesh.full",
    "mesh.reordered",
    "mesh.to_closed",
    "process.halted",
    "run.paused",
    "run.reordered",
    "run.spurious_poll",
    "run.yield_asked",
    "run.yield_late",
];

/// Counters by name. Those of many seeds merge into one table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Coverage {
    counts: BTreeMap<String, u64>,
}

impl Coverage {
    /// No counter at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts `name` once more.
    pub fn count(&mut self, name: &str) {
        self.add(name, 1);
    }

    fn add(&mut self, name: &str, count: u64) {
        match self.counts.get_mut(name) {
            Some(counted) => *counted += count,
            None => {
                self.counts.insert(name.to_owned(), count);
            }
        }
    }

    /// How often `name` was counted.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Every counter, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, &count)| (name.as_str(), count))
    }

    /// Adds the counts of `other` to these.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in other.iter() {
            self.add(name, count);
        }
    }

    /// Those of `names` that were never counted.
    #[must_use]
    pub fn missing<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|name| self.of(name) == 0).collect()
    }

    /// Checks that each of `names` was counted at least once.
    ///
    /// # Panics
    /// With the whole table, if one was not.
    pub fn assert_covered(&self, names: &[&str]) {
        let missing = self.missing(names);
        assert!(missing.is_empty(), "never happened: {missing:?}\n{self}");
    }
}

impl fmt::Display for Coverage {
    /// A table of one line per name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.counts.keys().map(|name| name.len()).max().unwrap_or(0);
        for (name, count) in self.iter() {
            writeln!(f, "{name:width$}  {count:>10}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_merge_and_missing_names_are_told() {
        let mut one = Coverage::new();
        one.count("a");
        let mut two = Coverage::new();
        two.count("a");
        two.count("b");
        one.merge(&two);
        assert_eq!((one.of("a"), one.of("b")), (2, 1));
        assert_eq!(one.missing(&["a", "b", "c"]), ["c"]);
        one.assert_covered(&["a", "b"]);
        assert_eq!(one.to_string().lines().count(), 2);
    }

    #[test]
    #[should_panic(expected = "never happened: [\"c\"]")]
    fn an_uncovered_name_fails() {
        Coverage::new().assert_covered(&["c"]);
    }
}
