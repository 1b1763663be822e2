//! How much a run may take.

use anyhow::{Result, ensure};

use crate::machine::FileSystem;

/// Most that a run holds at once. Unit: bytes.
const HELD_BYTES_MAX: u64 = 25_000_000_000;

/// Left free beside what a run holds, for everybody else. Unit: bytes.
const SPARE_BYTES: u64 = 1_000_000_000;

/// Refuses `scenario` if it could hold `bytes` only by filling the device, or would hold too much anyway.
///
/// # Errors
/// The refusal, with what is needed and what is there.
pub(crate) fn require(scenario: &str, bytes: u64, file_system: &FileSystem) -> Result<()> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    ensure!(
        bytes <= HELD_BYTES_MAX,
        "{scenario} would hold {:.1} GB; no benchmark holds more than {:.0} GB",
        gigabytes(bytes),
        gigabytes(HELD_BYTES_MAX)
    );
    ensure!(
        bytes + SPARE_BYTES <= file_system.free_bytes,
        "{scenario} needs {:.1} GB free on {} ({} GB of it stay free), there are {:.1} GB: free some, choose another \
         device with --data, or take less with the scenario's own options",
        gigabytes(bytes + SPARE_BYTES),
        file_system.device,
        gigabytes(SPARE_BYTES),
        gigabytes(file_system.free_bytes)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_system(free_bytes: u64) -> FileSystem {
        FileSystem {
            kind: "ext4".to_owned(),
            device: "/dev/a".to_owned(),
            model: String::new(),
            write_cache: String::new(),
            free_bytes,
        }
    }

    #[test]
    fn a_scenario_that_would_fill_the_device_is_refused_by_name() {
        assert!(require("restart", 10_000_000_000, &file_system(11_000_000_000)).is_ok());
        let error = require("restart", 10_000_000_000, &file_system(10_999_999_999)).unwrap_err().to_string();
        assert!(error.contains("restart needs 11.0 GB free on /dev/a"), "{error}");
    }

    #[test]
    fn no_scenario_holds_more_than_the_limit_however_large_the_device() {
        let error = require("restart", HELD_BYTES_MAX + 1, &file_system(u64::MAX)).unwrap_err().to_string();
        assert!(error.contains("no benchmark holds more than 25 GB"), "{error}");
        assert!(require("restart", HELD_BYTES_MAX, &file_system(u64::MAX)).is_ok());
    }
}
