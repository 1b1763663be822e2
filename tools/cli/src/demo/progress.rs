//! The progress on standard error: a bar for people, lines for files.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::clock;

/// Width of the bar. Characters.
const BAR_WIDTH: usize = 32;

/// How far a demo is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Position {
    /// Lines in the source topic, acknowledged.
    pub source: u64,
    /// Lines whose effects are committed.
    pub committed: u64,
    /// Lines of all copies.
    pub total: u64,
    /// Words counted, as read back from the output topic.
    pub words: u64,
}

/// Shows [`Position`]s.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    interval: Duration,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Begins now. `line_interval`: shortest time between two lines, where there is no terminal.
    #[must_use]
    pub fn start(line_interval: Duration) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let interval = if terminal { Duration::from_millis(100) } else { line_interval };
        Self { terminal, interval, started: clock::now(), shown: None }
    }

    /// Shows `position`, unless the last one was shown just before.
    pub fn show(&mut self, position: Position) {
        let now = clock::now();
        if self.shown.is_some_and(|shown| now.duration_since(shown) < self.interval) {
            return;
        }
        self.shown = Some(now);
        let seconds = now.duration_since(self.started).as_secs_f64();
        if self.terminal {
            self.write(format_args!("\r{}\x1b[K", bar(position, seconds)));
        } else {
            self.write(format_args!("{}\n", line(position, seconds)));
        }
    }

    /// Shows the last position and ends the bar's line.
    pub fn finish(&mut self, position: Position) {
        self.shown = None;
        self.show(position);
        if self.terminal {
            self.write(format_args!("\n"));
        }
    }

    #[expect(clippy::unused_self, reason = "what is shown goes through the progress alone")]
    fn write(&self, text: std::fmt::Arguments<'_>) {
        let mut out = std::io::stderr().lock();
        // A closed standard error must not end the demo.
        drop(out.write_fmt(text).and_then(|()| out.flush()));
    }
}

fn bar(position: Position, seconds: f64) -> String {
    let share = position.committed as f64 / position.total.max(1) as f64;
    let full = ((share * BAR_WIDTH as f64) as usize).min(BAR_WIDTH);
    let rate = position.words as f64 / seconds.max(1e-3) / 1e6;
    format!(
        "[{}{}] {:5.1} %  {:.1} M words  {rate:.2} M/s",
        "#".repeat(full),
        "-".repeat(BAR_WIDTH - full),
        share * 100.0,
        position.words as f64 / 1e6,
    )
}

fn line(position: Position, seconds: f64) -> String {
    format!(
        "{seconds:7.2} s  source position {} of {}, committed position {}, words {}",
        position.source, position.total, position.committed, position.words
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_both_positions() {
        let position = Position { source: 7, committed: 5, total: 9, words: 40 };
        let line = line(position, 1.5);
        assert!(line.ends_with("source position 7 of 9, committed position 5, words 40"), "{line}");
    }

    #[test]
    fn the_bar_is_full_at_the_end_and_never_longer() {
        for committed in 0..=12 {
            let bar = bar(Position { source: 9, committed, total: 9, words: 1 }, 0.0);
            let inside = &bar[1..bar.find(']').unwrap()];
            assert_eq!(inside.len(), BAR_WIDTH);
            assert_eq!(inside.contains('-'), committed < 9, "{bar}");
        }
    }
}
