//! What is known of the device that holds a data folder, measured once per device and kept in the folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use thalweg_engine::log::FlushMethod;

use super::OpenEngineError;
use crate::RuntimeOptions;
use crate::probe::{Place, ProbeReport, probe};

/// Name of the file in a data folder that keeps what was measured.
const PROBE_NAME: &str = "DEVICE";

/// Largest such file. Bytes.
const PROBE_SIZE_MAX: u64 = 64 << 10;

/// The device that holds a data folder.
#[derive(Clone, Debug)]
pub struct Device {
    /// The device and its file system, for people.
    pub name: String,
    /// The faster way to make writes durable, as measured; the default where nothing was.
    pub flush: FlushMethod,
    /// What was measured, if it was.
    pub probe: Option<ProbeReport>,
    /// What an operator should know about it, a sentence each.
    pub notes: Vec<String>,
}

impl Device {
    /// What was last measured of the device under the data folder `folder`, if it still lies where it did then.
    #[must_use]
    pub fn last_probe(folder: &Path) -> Option<ProbeReport> {
        let place = Place::of(folder).ok()?;
        read(folder).filter(|report| report.place == place)
    }

    /// Keeps what was measured of the device under a data folder: its next start goes by it.
    ///
    /// # Errors
    /// The operating system's; what was kept before stays.
    pub fn keep_probe(folder: &Path, report: &ProbeReport) -> io::Result<()> {
        write(folder, report)
    }
}

/// Learns about the device of `folder`: from the last measurement if the folder is still where it was then,
/// else by measuring, if `measure`. Blocks this thread for about two seconds when it measures.
pub(super) fn learn(
    folder: &Path,
    options: &RuntimeOptions,
    measure: bool,
) -> Result<Device, OpenEngineError> {
    let unusable = |source| OpenEngineError::Io { path: folder.to_owned(), source };
    let place = Place::of(folder).map_err(unusable)?;
    let warning = Place::warning(folder).map_err(unusable)?;
    let mut notes: Vec<String> = warning.iter().map(ToString::to_string).collect();
    let mut known = read(folder).filter(|report| report.place == place);
    if known.is_none() && measure && !options.buffered {
        match probe(folder, options) {
            Ok(report) => {
                // Measured again at the next start if it cannot be kept.
                if let Err(error) = write(folder, &report) {
                    notes.push(format!("what was measured of the device could not be kept: {error}"));
                }
                known = Some(report);
            }
            Err(error) => notes.push(format!("the device could not be measured: {error}")),
        }
    }
    if options.buffered {
        notes.push("buffered: writes go through the page cache, and are slower than direct ones".to_owned());
    }
    let flush = known.as_ref().map_or(FlushMethod::default(), |report| report.method);
    let name = format!("{} ({})", place.device, place.file_system);
    Ok(Device { name, flush, probe: known, notes })
}

fn read(folder: &Path) -> Option<ProbeReport> {
    let path = folder.join(PROBE_NAME);
    if fs::metadata(&path).ok()?.len() > PROBE_SIZE_MAX {
        return None;
    }
    // A file that does not read is measured anew.
    ProbeReport::decode(&fs::read_to_string(path).ok()?).ok()
}

fn write(folder: &Path, report: &ProbeReport) -> io::Result<()> {
    let temporary = folder.join(format!("{PROBE_NAME}.new"));
    let mut file = File::create(&temporary)?;
    file.write_all(report.encode().as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(PROBE_NAME))?;
    File::open(folder)?.sync_all()
}
