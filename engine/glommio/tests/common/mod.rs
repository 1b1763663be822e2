//! What the runtime's tests share.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use thalweg_runtime::{GlommioRuntime, RuntimeOptions, start};

/// A folder of its own for each test, removed with it.
pub(crate) struct TestFolder(PathBuf);

impl TestFolder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn options() -> RuntimeOptions {
    RuntimeOptions { pin: false, registered_memory_bytes: Some(1 << 20), ..RuntimeOptions::default() }
}

/// Runs `test` on one executor.
pub(crate) fn on_executor<F, O, T>(options: &RuntimeOptions, test: F) -> T
where
    F: Fn(GlommioRuntime) -> O + Clone + Send + 'static,
    O: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let executors = start(1, options, move |runtime, _| test(runtime)).expect("an executor");
    executors.join().pop().expect("one output")
}
