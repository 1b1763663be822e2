//! The same by fio.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Method;
use super::fio_report::FioTurn;

/// fio, as it is installed here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fio {
    engine: &'static str,
}

impl Fio {
    /// Looks for fio; `None` if there is none, or none with a suitable engine.
    pub(crate) fn find() -> Option<Self> {
        let output = Command::new("fio").arg("--enghelp").output().ok()?;
        let engines = String::from_utf8_lossy(&output.stdout).into_owned();
        ["io_uring", "libaio"]
            .into_iter()
            .find(|engine| engines.lines().any(|line| line.trim() == *engine))
            .map(|engine| Self { engine })
    }

    /// The engine of fio that is used.
    pub(crate) fn engine(self) -> &'static str {
        self.engine
    }

    /// Writes `write_size` bytes durably, one write at a time, into the file `path` of `file_size` written bytes.
    ///
    /// # Errors
    /// If fio fails or its report is not understood.
    pub(crate) fn run(
        self,
        path: &Path,
        file_size: u64,
        method: Method,
        write_size: usize,
        duration: Duration,
    ) -> Result<FioTurn> {
        let mut filename = std::ffi::OsString::from("--filename=");
        filename.push(path);
        let output = Command::new("fio")
            .args(["--name=floor", "--rw=write", "--direct=1", "--iodepth=1", "--time_based"])
            .args([
                "--allow_file_create=0",
                "--fallocate=none",
                "--lat_percentiles=1",
                "--output-format=json",
            ])
            .arg(format!("--ioengine={}", self.engine))
            .arg(format!("--size={file_size}"))
            .arg(format!("--bs={write_size}"))
            .arg(format!("--runtime={}ms", duration.as_millis().max(1)))
            .arg(method.fio_option())
            .arg(filename)
            .output()
            .context("fio could not be run")?;
        let report = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "fio failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        FioTurn::parse(&report)
    }
}
