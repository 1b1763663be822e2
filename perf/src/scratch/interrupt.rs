//! Ends that run no destructors: panics of a release build, and signals.

use std::thread::Builder;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Exit code of a process that a signal ended is this and the signal's number.
const EXIT_SIGNAL: i32 = 128;

/// Calls `clean` before the process ends by a panic or by one of the signals that ask for its end.
pub(super) fn on_abnormal_end(clean: impl Fn() + Clone + Send + Sync + 'static) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be caught")?;
    let clean_on_signal = clean.clone();
    Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                clean_on_signal();
                std::process::exit(EXIT_SIGNAL + signal);
            }
        })
        .context("no thread for signals")?;
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        earlier(panic);
        clean();
    }));
    Ok(())
}
