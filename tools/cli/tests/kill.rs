//! `thalweg demo`, killed again and again: every count is exact all the same.
//!
//! `THALWEG_KILL_TEXT`, `_COPIES` and `_KILLS` make it longer; `scripts/kill-demo` does.
#![expect(clippy::disallowed_methods, reason = "it kills real processes at real moments")]
#![expect(clippy::disallowed_types, reason = "what is counted here is counted apart from the product")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time that one run may take before the test gives up.
const RUN_LIMIT: Duration = Duration::from_secs(300);

struct Plan {
    text: PathBuf,
    copies: u64,
    kills: u64,
    shards: u64,
    data: PathBuf,
}

/// What one line of progress says.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    source: u64,
    total: u64,
    committed: u64,
}

#[test]
fn counts_are_exact_after_kills_on_one_shard() {
    run(&plan(1));
}

#[test]
fn counts_are_exact_after_kills_on_two_shards() {
    run(&plan(2));
}

fn plan(shards: u64) -> Plan {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kill-{shards}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let text = std::env::var_os("THALWEG_KILL_TEXT").map_or_else(|| write_text(&folder), PathBuf::from);
    Plan {
        text,
        copies: number("THALWEG_KILL_COPIES", 20),
        kills: number("THALWEG_KILL_KILLS", 4),
        shards,
        data: folder.join("data"),
    }
}

/// A text of some megabytes whose words are as unevenly frequent as those of a language.
fn write_text(folder: &Path) -> PathBuf {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut text = String::new();
    for _ in 0..30_000 {
        for _ in 0..next() % 20 {
            let rank = (1.0 / (1.0 - (next() >> 11) as f64 / (1u64 << 53) as f64)) as u64;
            text.push_str(&format!("Word{} ", rank.min(20_000)));
        }
        text.push('\n');
    }
    let path = folder.join("text");
    std::fs::write(&path, text).unwrap();
    path
}

fn run(plan: &Plan) {
    let mut killed_at = Progress::default();
    let mut kills = 0;
    for attempt in 0.. {
        assert!(attempt < 4 * plan.kills + 4, "only {kills} kills hit an unfinished run in {attempt} runs");
        if kills == plan.kills {
            break;
        }
        // Evenly over the whole, in turn by what has been loaded and by what has been counted.
        let share = (kills + 1) as f64 / (plan.kills + 1) as f64;
        let mut child = start(plan);
        match kill_when(&mut child, kills % 2 == 0, share) {
            Some(progress) => {
                kills += 1;
                println!(
                    "{} shards, kill {kills}: source position {} of {}, committed position {}",
                    plan.shards, progress.source, progress.total, progress.committed
                );
                assert!(progress.committed >= killed_at.committed, "went back behind a committed position");
                killed_at = progress;
            }
            None => panic!("the run ended before kill {}: give it more copies", kills + 1),
        }
    }
    check(plan, &finish(plan));
    std::fs::remove_dir_all(&plan.data).unwrap();
}

fn start(plan: &Plan) -> Child {
    Command::new(env!("CARGO_BIN_EXE_thalweg"))
        .arg("demo")
        .arg(&plan.text)
        .args(["--json", "--top", "100000000", "--progress-interval-ms", "2", "--commit-interval-ms", "10"])
        .args(["--copies", &plan.copies.to_string(), "--shards", &plan.shards.to_string()])
        .arg("--data")
        .arg(&plan.data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills `child` once it has come as far as `share` of everything. `None` if it ended before.
fn kill_when(child: &mut Child, by_source: bool, share: f64) -> Option<Progress> {
    let mut last = Progress::default();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(Ok(line)) = lines.next() {
        let Some(progress) = parse(&line) else {
            said.push_str(&line);
            said.push('\n');
            continue;
        };
        last = progress;
        let reached = if by_source { progress.source } else { progress.committed };
        if progress.committed < progress.total && reached as f64 >= share * progress.total as f64 {
            child.kill().unwrap();
            child.wait().unwrap();
            return Some(progress);
        }
    }
    let status = child.wait().unwrap();
    assert!(status.success(), "{status} at {last:?}:\n{said}");
    None
}

fn parse(line: &str) -> Option<Progress> {
    let rest = line.split("source position ").nth(1)?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let mut number = || numbers.next()?.parse().ok();
    Some(Progress { source: number()?, total: number()?, committed: number()? })
}

/// Lets a run come to its end and returns its standard output.
fn finish(plan: &Plan) -> String {
    let mut child = start(plan);
    let mut stderr = child.stderr.take().unwrap();
    let drain = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut stdout = child.stdout.take().unwrap();
    let output = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > RUN_LIMIT {
            child.kill().unwrap();
            panic!("the last run did not end:\n{}", drain.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = drain.join().unwrap();
    assert!(status.success(), "{status}:\n{said}");
    output.join().unwrap()
}

fn check(plan: &Plan, json: &str) {
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    let text = std::fs::read(&plan.text).unwrap().to_ascii_lowercase();
    let mut expected: HashMap<String, u64> = HashMap::new();
    for word in text.split(|b| !b.is_ascii_alphanumeric() && *b != b'_').filter(|word| !word.is_empty()) {
        *expected.entry(String::from_utf8(word.to_vec()).unwrap()).or_default() += plan.copies;
    }
    let counts: HashMap<String, u64> = report["top"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_u64().unwrap()))
        .collect();
    let words: u64 = expected.values().sum();
    println!("{} shards: {words} words, {} different, all exact", plan.shards, expected.len());
    assert_eq!(report["words"].as_u64(), Some(words));
    assert_eq!(report["distinct"].as_u64(), Some(expected.len() as u64));
    assert_eq!(report["verified"].as_bool(), Some(true));
    assert_eq!(counts, expected);
}
