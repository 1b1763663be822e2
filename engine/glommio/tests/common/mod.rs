//! What the runtime's tests share.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use thalweg_engine::log::FlushMethod;
use thalweg_runtime::{EngineOptions, GlommioRuntime, RuntimeOptions, start};

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

/// An engine of small segments, which does not measure the device first.
pub(crate) fn engine_options(shards: u16) -> EngineOptions {
    let mut engine = EngineOptions { shards: Some(shards), runtime: options(), ..EngineOptions::default() };
    engine.flush = Some(FlushMethod::default());
    engine.log.segment_size = 4 << 20;
    engine.log.frame_size_max = 1 << 20;
    engine
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
