//! What a demo found out.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

/// A distribution of latencies. Microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Number of values.
    pub count: u64,
    /// Median.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Largest value.
    pub max_us: u64,
}

impl From<&Histogram<u64>> for Latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
        }
    }
}

/// The result of a demo. Its JSON form is an interface: fields are added, not changed.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was counted.
    pub text: String,
    /// Copies of the text.
    pub copies: u32,
    /// Words counted, all copies.
    pub words: u64,
    /// Different words.
    pub distinct: u64,
    /// The most frequent words with their counts; ties by the word's bytes.
    pub top: Vec<(String, u64)>,
    /// Whether every count equals that of a plain count of the same text.
    pub verified: bool,
    /// Words counted by this run; fewer than `words` if it went on where another one was killed.
    pub words_this_run: u64,
    /// Seconds from the first append of this run until the last count was read back.
    pub seconds: f64,
    /// `words_this_run` by `seconds`.
    pub words_per_s: f64,
    /// From the hand-over of a batch of lines to its durable acknowledgement.
    pub append: Latency,
    /// From the append of a line until the counts of its words could be read from the output topic.
    pub end_to_end: Latency,
    /// Commits of the topology's tasks in this run.
    pub commits: u64,
    /// Shards: threads with a log each.
    pub shards: u16,
    /// Device that holds the data folder.
    pub device: String,
    /// How writes are made durable.
    pub flush_method: String,
    /// Where the data is, or was.
    pub data: String,
}

impl Report {
    /// One JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a report has string keys and finite numbers")
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let copies = if self.copies == 1 { String::new() } else { format!(", {} times", self.copies) };
        let _ = writeln!(out, "Counted {}{copies}:", self.text);
        let _ = writeln!(out, "  {} words, {} different", grouped(self.words), grouped(self.distinct));
        let width = self.top.iter().map(|(word, _)| word.chars().count()).max().unwrap_or(0);
        for (word, count) in &self.top {
            let _ = writeln!(out, "  {word:width$}  {:>14}", grouped(*count));
        }
        let verdict = if self.verified { "equal to" } else { "DIFFERENT FROM" };
        let _ = writeln!(out, "  every count is {verdict} that of a plain count in memory");
        let rate = self.words_per_s / 1e6;
        let _ = writeln!(out, "Speed: {rate:.2} M words/s, durable and exactly once, loading included");
        let _ = writeln!(out, "       {} commits in {:.2} s", grouped(self.commits), self.seconds);
        let _ = writeln!(out, "Latency           p50        p99      p99.9        max");
        latency_row(&mut out, "append    ", &self.append);
        latency_row(&mut out, "end to end", &self.end_to_end);
        let shards = if self.shards == 1 { "1 shard".to_owned() } else { format!("{} shards", self.shards) };
        let _ = writeln!(out, "{shards} on {}; {}", self.device, self.flush_method);
        out
    }
}

fn latency_row(out: &mut String, name: &str, latency: &Latency) {
    let ms = |us: u64| format!("{:.2} ms", us as f64 / 1000.0);
    let _ = writeln!(
        out,
        "  {name} {:>10} {:>10} {:>10} {:>10}",
        ms(latency.p50_us),
        ms(latency.p99_us),
        ms(latency.p999_us),
        ms(latency.max_us)
    );
}

/// `number` with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let cases = [(0, "0"), (12, "12"), (123, "123"), (1234, "1,234"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
