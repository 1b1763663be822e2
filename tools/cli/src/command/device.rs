//! `thalweg device`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use thalweg_engine::folder::MANIFEST_NAME;
use thalweg_engine::log::FlushMethod;
use thalweg_runtime::preflight::{check_direct_io, check_machine};
use thalweg_runtime::probe::{Medians, Place, ProbeReport, probe};
use thalweg_runtime::{Device, FolderLock, RuntimeOptions};

use crate::args::{DeviceArgs, DeviceCommand, DeviceProbeArgs};
use crate::exit::{ExitCode, Failure};
use crate::output::{print_json, print_line, say};
use crate::session::{lock_code, with_causes};

/// Does what `args` say.
///
/// # Errors
/// A [`Failure`].
pub fn run(args: &DeviceArgs) -> Result<(), Failure> {
    match &args.command {
        DeviceCommand::Probe(args) => measure(args),
    }
}

fn measure(args: &DeviceProbeArgs) -> Result<(), Failure> {
    let folder = existing_folder(&args.data)?;
    let is_data_folder = folder.join(MANIFEST_NAME).exists();
    let _lock = is_data_folder
        .then(|| FolderLock::acquire(&folder))
        .transpose()
        .map_err(|error| Failure::new(lock_code(&error), error.to_string()))?;
    let machine = |error: &dyn std::error::Error| Failure::new(ExitCode::Machine, with_causes(error));
    let warning = Place::warning(&folder).map_err(|error| machine(&error))?;
    if let Some(warning) = &warning {
        say(&format!("warning: {warning}"));
    }
    check_machine(1).and_then(|()| check_direct_io(&folder)).map_err(|error| machine(&error))?;
    let before = Device::last_probe(&folder);
    let report = probe(&folder, &RuntimeOptions::default()).map_err(|error| machine(&error))?;
    if is_data_folder {
        Device::keep_probe(&folder, &report).map_err(|error| {
            let message = format!("what was measured could not be kept in {folder:?}: {error}");
            Failure::new(ExitCode::Machine, message)
        })?;
    }
    if args.json {
        return print_json(&in_json(&report, before.as_ref(), is_data_folder));
    }
    in_text(&report, before.as_ref(), is_data_folder)
}

fn existing_folder(path: &Path) -> Result<PathBuf, Failure> {
    let refused = |code, what: String| Err(Failure::new(code, format!("the folder {path:?} {what}")));
    match path.canonicalize() {
        Ok(folder) if folder.is_dir() => Ok(folder),
        Ok(_) => refused(ExitCode::Usage, "is a file".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            refused(ExitCode::NotFound, "does not exist".to_owned())
        }
        Err(error) => refused(ExitCode::Machine, format!("cannot be looked at: {error}")),
    }
}

fn name_of(method: FlushMethod) -> &'static str {
    match method {
        FlushMethod::Flush => "fdatasync",
        FlushMethod::WriteThrough => "O_DSYNC",
    }
}

fn in_us(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}

fn in_json(report: &ProbeReport, before: Option<&ProbeReport>, kept: bool) -> Value {
    let medians = |medians: &Medians| {
        json!({
            "write_4k_us": in_us(medians.small), "write_256k_us": in_us(medians.large),
            "write_4k_at_once_us": in_us(medians.small_at_once),
            "write_256k_at_once_us": in_us(medians.large_at_once),
        })
    };
    json!({
        "device": report.place.device, "file_system": report.place.file_system,
        "mount_point": report.place.mount_point, "method": name_of(report.method),
        "method_before": before.map(|report| name_of(report.method)),
        "rounds": report.rounds, "files_at_once": report.files_at_once,
        "O_DSYNC": medians(&report.write_through), "fdatasync": medians(&report.flush),
        "parallel_logs": (report.parallel_logs() * 100.0).round() / 100.0, "kept": kept,
    })
}

fn in_text(report: &ProbeReport, before: Option<&ProbeReport>, kept: bool) -> Result<(), Failure> {
    let place = &report.place;
    print_line(&format!(
        "device {} ({}), mounted at {}; {} rounds, medians",
        place.device, place.file_system, place.mount_point, report.rounds
    ))?;
    let files = format!("{} files", report.files_at_once);
    print_line(&format!("{:<22}{:>12}{:>12}", "one durable write", "O_DSYNC", "fdatasync"))?;
    let (through, flush) = (&report.write_through, &report.flush);
    for (size, at_once, times) in [
        ("4 KiB", "one file", [through.small, flush.small]),
        ("256 KiB", "one file", [through.large, flush.large]),
        ("4 KiB", files.as_str(), [through.small_at_once, flush.small_at_once]),
        ("256 KiB", files.as_str(), [through.large_at_once, flush.large_at_once]),
    ] {
        let [through, flush] = times.map(in_us);
        print_line(&format!("  {:<20}{through:>9.1} µs{flush:>9.1} µs", format!("{size}, {at_once}")))?;
    }
    print_line(&format!(
        "this device carries {:.1} logs at the speed of one, of {} measured",
        report.parallel_logs(),
        report.files_at_once
    ))?;
    let was = match before {
        Some(before) if before.method != report.method => format!(" (before: {})", name_of(before.method)),
        _ => String::new(),
    };
    let kept = if kept { "; kept, the next start goes by it" } else { "" };
    print_line(&format!("faster: {}{was}{kept}", name_of(report.method)))
}
