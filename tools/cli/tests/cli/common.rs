//! A folder of its own for each test, and the binary run in it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use serde_json::Value;
use thalweg_runtime::Engine;

/// The binary.
pub(crate) const THALWEG: &str = env!("CARGO_BIN_EXE_thalweg");

/// Longest time that one command may take, as `timeout` reads it.
const COMMAND_LIMIT: &str = "120";

/// An empty folder, removed with everything in it.
pub(crate) struct Place(PathBuf);

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// A command that is running.
pub(crate) struct Started {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cli-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A place with a data folder `d` of one shard, which holds one topic.
    pub(crate) fn with_topic(name: &str, partitions: u32) -> Self {
        let place = Self::new();
        place.run(&format!("topic create {name} --partitions {partitions} --data d --shards 1")).succeeds();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs `thalweg` with `arguments`, which are cut at spaces, in this folder.
    pub(crate) fn run(&self, arguments: &str) -> Ended {
        self.pipe(b"", arguments)
    }

    /// Does the same with `input` as standard input.
    pub(crate) fn pipe(&self, input: &[u8], arguments: &str) -> Ended {
        let mut command = Command::new("timeout");
        command.args([COMMAND_LIMIT, THALWEG]).args(arguments.split(' '));
        self.finish(command, input)
    }

    /// Runs a line of shell, in which `$T` is the binary.
    pub(crate) fn shell(&self, line: &str) -> Ended {
        let mut command = Command::new("timeout");
        command.args([COMMAND_LIMIT, "sh", "-c", line]).env("T", THALWEG);
        self.finish(command, b"")
    }

    /// Starts `thalweg` without waiting for its end.
    pub(crate) fn start(&self, arguments: &str) -> Started {
        self.start_with(Stdio::null(), arguments)
    }

    /// Starts `thalweg` with an input that stays open, and that the test writes into.
    pub(crate) fn start_fed(&self, arguments: &str) -> (Started, ChildStdin) {
        let mut started = self.start_with(Stdio::piped(), arguments);
        let input = started.child.stdin.take().unwrap();
        (started, input)
    }

    fn start_with(&self, stdin: Stdio, arguments: &str) -> Started {
        let mut command = Command::new(THALWEG);
        command.args(arguments.split(' ')).current_dir(&self.0).stdin(stdin);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Started { child, said }
    }

    /// Every file below `name` with its bytes, except the lock.
    pub(crate) fn files(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().unwrap() != "LOCK" {
                    let bytes = std::fs::read(&path).unwrap();
                    files.insert(path, bytes);
                }
            }
        }
        files
    }

    /// Waits until the first segment of shard 0 of `d` holds `part`.
    #[expect(clippy::disallowed_methods, reason = "another process writes the file")]
    pub(crate) fn await_in_log(&self, part: &[u8]) {
        let mut start = vec![0; 1 << 20];
        for _ in 0..3000 {
            let mut file = std::fs::File::open(self.path("d/shard-000/segment-00000000")).unwrap();
            std::io::Read::read_exact(&mut file, &mut start).unwrap();
            if start.windows(part.len()).any(|window| window == part) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("the log never held {:?}", String::from_utf8_lossy(part));
    }

    /// Changes a file in place.
    pub(crate) fn patch(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path(name);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    }

    fn finish(&self, mut command: Command, input: &[u8]) -> Ended {
        command.current_dir(&self.0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // A command that refuses its input early closes it.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().unwrap()
        });
        Ended::from(output)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{}: {stderr}", output.status));
        Self { code, stdout: output.stdout, stderr }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The command ended with `code`, printed nothing, and said every one of `parts`.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, b"", "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {:?}", self.stderr);
        }
        self
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_slice(&self.stdout).unwrap()
    }

    /// One JSON value a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self:?}");
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Started {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said a line with `part` on standard error.
    pub(crate) fn await_saying(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "it ended before it said {part:?}");
        }
    }

    /// Sends it the interrupt of a terminal, and waits for its end.
    pub(crate) fn interrupt(self) -> Ended {
        self.signal("-INT")
    }

    /// Sends it a signal, and waits for its end.
    pub(crate) fn signal(mut self, signal: &str) -> Ended {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut self.said, &mut stderr).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ended::from(Output { stderr: stderr.into_bytes(), ..output })
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Reads the first line that it prints, then closes its standard output and waits for its end.
    pub(crate) fn first_line(mut self) -> (String, Ended) {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut self.said, &mut stderr).unwrap();
        let output = self.child.wait_with_output().unwrap();
        (line, Ended::from(Output { stderr: stderr.into_bytes(), ..output }))
    }
}

/// Makes a checkpoint of the only shard of `engine`.
pub(crate) fn make_checkpoint(engine: &Engine) {
    let (sender, made) = mpsc::channel();
    engine
        .on_each_shard(move |shard| {
            let sender = sender.clone();
            async move { sender.send(shard.checkpoint().await.is_ok()).unwrap() }
        })
        .unwrap();
    assert!(made.recv().unwrap());
}
