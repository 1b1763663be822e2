//! The measurement: both ways take turns, small writes and large, one file and several at once.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use thalweg_engine::io::{DiskError, File, FileKind, Monotonic, OpenMode, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;
use thalweg_engine::log::FlushMethod;

use super::{Medians, Place, ProbeReport};
use crate::buffer::AlignedBuffer;
use crate::executors::{StartError, start};
use crate::file::DiskFile;
use crate::options::RuntimeOptions;
use crate::runtime::GlommioRuntime;

const FILES: usize = 4;

/// Space of one file. A multiple of both sizes.
const FILE_SIZE: usize = 2 << 20;
const SMALL: usize = BLOCK_SIZE;
const LARGE: usize = 256 << 10;

/// Writes of one way and size in one round.
const WRITES: usize = 4;

/// No round starts after this; a device on which even [`ROUNDS_MIN`] take longer is slow either way.
const TIME_LIMIT: Duration = Duration::from_millis(1_300);
const ROUNDS_MIN: u32 = 3;
const ROUNDS_MAX: u32 = 25;

const WAYS: [FlushMethod; 2] = [FlushMethod::Flush, FlushMethod::WriteThrough];

/// Why a folder could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The folder could not be looked at.
    #[error("{path:?} could not be examined: {source}")]
    Place {
        /// The folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// No executor.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A write or flush failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Measures the device under `folder`, which must exist: writes 8 MiB in four files of its own and removes
/// them. Takes about 1.5 s on an executor of its own and blocks this thread; not for executors. Uses the page
/// cache if `options` say so.
///
/// # Errors
/// [`ProbeError`].
pub fn probe(folder: &Path, options: &RuntimeOptions) -> Result<ProbeReport, ProbeError> {
    let place =
        Place::of(folder).map_err(|source| ProbeError::Place { path: folder.to_path_buf(), source })?;
    let options = RuntimeOptions { pin: false, registered_memory_bytes: Some(4 << 20), ..options.clone() };
    let folder = folder.to_path_buf();
    let executors = start(1, &options, move |runtime, _| run(runtime, folder.clone()))?;
    let times = executors.join().pop().expect("one executor has one output")?;
    Ok(ProbeReport::new(place, FILES as u32, times.rounds, times.medians(0), times.medians(1)))
}

async fn run(runtime: GlommioRuntime, folder: PathBuf) -> Result<Times, DiskError> {
    // The same names each time: what a killed probe left behind is used and removed by the next.
    let paths: Vec<PathBuf> = (0..FILES).map(|index| folder.join(format!(".probe-{index}"))).collect();
    let outcome = measure(&runtime, &paths).await;
    for path in &paths {
        match runtime.remove(path).await {
            Ok(()) | Err(DiskError::NotFound { .. }) => {}
            // The measurement's own error, if there is one, came first.
            Err(error) => return outcome.and(Err(error)),
        }
    }
    outcome
}

/// One file, open in both ways.
struct Pair([DiskFile; 2]);

async fn measure(runtime: &GlommioRuntime, paths: &[PathBuf]) -> Result<Times, DiskError> {
    let begin = runtime.now();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        files.push(prepare(runtime, path).await?);
    }
    let small = Rc::new(runtime.allocate(SMALL));
    let large = Rc::new(runtime.allocate(LARGE));
    let mut times = Times::default();
    while times.rounds < ROUNDS_MIN || (times.rounds < ROUNDS_MAX && runtime.now().since(begin) < TIME_LIMIT)
    {
        for turn in 0..WAYS.len() {
            // Who goes first changes from round to round.
            let way = (turn + times.rounds as usize) % WAYS.len();
            for (size, buffer) in [&small, &large].into_iter().enumerate() {
                for (at_once, files) in [&files[..1], &files[..]].into_iter().enumerate() {
                    let written = write_all(runtime, files, way, buffer, times.rounds).await?;
                    times.samples[way][size][at_once].extend(written);
                }
            }
        }
        times.rounds += 1;
    }
    Ok(times)
}

/// Makes a file of written space: reserved space costs a metadata write the first time.
async fn prepare(runtime: &GlommioRuntime, path: &Path) -> Result<Pair, DiskError> {
    let flush = runtime.open(path, FileKind::Log { write_through: false }, OpenMode::Create).await?;
    let through = runtime.open(path, FileKind::Log { write_through: true }, OpenMode::Create).await?;
    flush.allocate(FILE_SIZE as u64).await?;
    flush.write_at(Rc::new(runtime.allocate(FILE_SIZE)), 0).await?;
    flush.flush().await?;
    Ok(Pair([flush, through]))
}

/// [`WRITES`] durable writes one after the other in each of `files`, all files at once; their times.
async fn write_all(
    runtime: &GlommioRuntime,
    files: &[Pair],
    way: usize,
    buffer: &Rc<AlignedBuffer>,
    round: u32,
) -> Result<Vec<Duration>, DiskError> {
    let mut running: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::with_capacity(files.len());
    for file in files {
        running.push(Box::pin(write_one(
            runtime.clone(),
            file.0[way].clone(),
            WAYS[way],
            Rc::clone(buffer),
            round,
        )));
    }
    let mut outcomes = Vec::with_capacity(files.len());
    std::future::poll_fn(|context| {
        running.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                outcomes.push(outcome);
                false
            }
            Poll::Pending => true,
        });
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let times: Result<Vec<Vec<Duration>>, DiskError> = outcomes.into_iter().collect();
    Ok(times?.concat())
}

async fn write_one(
    runtime: GlommioRuntime,
    file: DiskFile,
    way: FlushMethod,
    buffer: Rc<AlignedBuffer>,
    round: u32,
) -> Result<Vec<Duration>, DiskError> {
    use thalweg_engine::io::Buffer;
    let size = buffer.bytes().len();
    let mut times = Vec::with_capacity(WRITES);
    for write in 0..WRITES {
        let slot = (round as usize * WRITES + write) % (FILE_SIZE / size);
        let begin: Monotonic = runtime.now();
        file.write_at(Rc::clone(&buffer), (slot * size) as u64).await?;
        if way == FlushMethod::Flush {
            file.flush().await?;
        }
        times.push(runtime.now().since(begin));
    }
    Ok(times)
}

#[derive(Default)]
struct Times {
    rounds: u32,
    /// By way, size (small, large), and one file or all at once.
    samples: [[[Vec<Duration>; 2]; 2]; 2],
}

impl Times {
    fn medians(&self, way: usize) -> Medians {
        let median = |size: usize, at_once: usize| {
            let mut times = self.samples[way][size][at_once].clone();
            times.sort_unstable();
            times[times.len() / 2]
        };
        Medians {
            small: median(0, 0),
            large: median(1, 0),
            small_at_once: median(0, 1),
            large_at_once: median(1, 1),
        }
    }
}
