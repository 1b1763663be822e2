//! The file system and the device below it.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::facts::read;

/// A file system, and what the kernel says of its device.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FileSystem {
    /// Its type, such as `ext4`.
    pub kind: String,
    /// What is mounted, most often a device.
    pub device: String,
    /// The device's name for itself; empty if it has none.
    pub model: String,
    /// Whether the device has a cache that flushes have to empty: `write back`, `write through`, or empty if
    /// the kernel does not know.
    pub write_cache: String,
    /// Room for ordinary users. Unit: bytes.
    pub free_bytes: u64,
}

impl FileSystem {
    /// The file system that holds `folder`, which must exist.
    ///
    /// # Errors
    /// If `df` of coreutils cannot be run, or does not know the folder.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let output = Command::new("df")
            .args(["--block-size=1", "--output=avail,fstype,source"])
            .arg(folder)
            .env("LC_ALL", "C")
            .output()
            .context("df (of coreutils) tells the free space, and could not be run")?;
        if !output.status.success() {
            bail!("df of {folder:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let (free_bytes, kind, device) = parse(&String::from_utf8_lossy(&output.stdout))
            .context("df answered in words that are not known")?;
        let name = device.strip_prefix("/dev/").unwrap_or("").to_owned();
        let about = |what: &str| if name.is_empty() { String::new() } else { read(&block_file(&name, what)) };
        Ok(Self {
            kind,
            model: about("device/model"),
            write_cache: about("queue/write_cache"),
            device,
            free_bytes,
        })
    }
}

/// A file about the device; a partition's own folder lies in that of the whole device.
fn block_file(name: &str, what: &str) -> String {
    let own = format!("/sys/class/block/{name}/{what}");
    if Path::new(&own).exists() { own } else { format!("/sys/class/block/{name}/../{what}") }
}

/// Free bytes, type and device from the second line of `df`.
fn parse(output: &str) -> Option<(u64, String, String)> {
    let mut fields = output.lines().nth(1)?.split_ascii_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.to_owned(), fields.next()?.to_owned()))
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.kind, self.device)?;
        for (label, value) in [("", &self.model), ("write cache: ", &self.write_cache)] {
            if !value.is_empty() {
                write!(f, ", {label}{value}")?;
            }
        }
        write!(f, ", {:.1} GB free", self.free_bytes as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_second_line_of_df_is_read() {
        let output = "       Avail Type Filesystem\n 76763529216 ext4 /dev/vda\n";
        assert_eq!(parse(output), Some((76_763_529_216, "ext4".to_owned(), "/dev/vda".to_owned())));
        assert_eq!(parse("Avail Type Filesystem\n- ext4 /dev/vda\n"), None);
        assert_eq!(parse(""), None);
    }
}
