//! Interrupts: the first one asks for an orderly end, a second one ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use crate::exit::{ExitCode, Failure};

/// Tells whether the user wants the command to end.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// A [`Failure`], if the operating system refuses.
    pub fn listen() -> Result<Self, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the second signal finds the flag set by the first, and ends the process.
            let registered = signal_hook::flag::register_conditional_shutdown(
                signal,
                i32::from(ExitCode::Interrupted as u8),
                Arc::clone(&flag),
            )
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
            registered.map_err(|error| Failure::failed(format!("signals cannot be caught: {error}")))?;
        }
        Ok(Self(flag))
    }

    /// Whether a signal has come.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lets a write beyond the process's limit of file sizes fail, as any other write may, instead of ending the
/// process without a word.
///
/// # Errors
/// A [`Failure`], if the operating system refuses.
pub fn survive_file_size_limit() -> Result<(), Failure> {
    match signal_hook::flag::register(SIGXFSZ, Arc::default()) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::failed(format!("signals cannot be caught: {error}"))),
    }
}
