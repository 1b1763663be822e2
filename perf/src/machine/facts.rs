//! The machine as a whole.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::FileSystem;

/// Load up to which a machine is quiet: now and then a process that wants a core.
const QUIET_LOAD_MAX: f64 = 0.5;

/// What ran the benchmark.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    /// Release of the kernel.
    pub kernel: String,
    /// Model of the processor, as it calls itself.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Main memory. Unit: MiB.
    pub memory_mib: u64,
    /// Processes that wanted a core when the run began, averaged over a minute: what disturbs it.
    pub load: f64,
    /// Where the files were.
    pub file_system: FileSystem,
}

impl Machine {
    /// Learns about this machine and the file system of `folder`.
    ///
    /// # Errors
    /// Those of [`FileSystem::of`].
    pub(crate) fn learn(folder: &Path) -> Result<Self> {
        Ok(Self {
            kernel: read("/proc/sys/kernel/osrelease"),
            cpu: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            load: read("/proc/loadavg").split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
            file_system: FileSystem::of(folder)?,
        })
    }

    /// Whether other processes had a part in what was measured.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.load > QUIET_LOAD_MAX
    }

    pub(crate) fn print(&self) {
        let Self { kernel, cpu, cores, memory_mib, load, file_system } = self;
        println!("machine      {cores} cores of {cpu}, {memory_mib} MiB, Linux {kernel}, load {load}");
        println!("file system  {file_system}");
        if self.is_disturbed() {
            println!("note: other processes want the processor (load {load}); read ratios, not figures");
        }
    }
}

/// The text of a file of the kernel; empty if it cannot be read.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// The value of the first line `name: value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "processor\t: 0\nmodel name\t: A CPU: fast\nmodel\t\t: 1\n";
        assert_eq!(field(text, "model").as_deref(), Some("1"));
        assert_eq!(field(text, "model name").as_deref(), Some("A CPU: fast"));
        assert_eq!(field(text, "name"), None);
    }
}
