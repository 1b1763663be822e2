//! Readers beside the one who appends: their reads are under way while what they read is trimmed, deleted, moved,
//! retired and used again.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::io::{Priority, Runtime};

use super::life::Failed;
use super::read::Reads;
use crate::prng::Prng;
use crate::runtime::SimRuntime;

/// Readers that read until this is dropped.
pub(super) struct Readers {
    over: Rc<Cell<bool>>,
}

impl Readers {
    pub(super) fn begin(runtime: &SimRuntime, reads: &Reads, prng: &Prng, count: u64) -> Self {
        let over = Rc::new(Cell::new(false));
        for number in 0..count {
            let reader = Reader {
                runtime: runtime.clone(),
                reads: reads.clone(),
                prng: prng.fork_numbered("reader", number),
                over: Rc::clone(&over),
            };
            runtime.spawn(Priority::Foreground, async move {
                let _failed = reader.run().await;
            });
        }
        Self { over }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.over.set(true);
    }
}

struct Reader {
    runtime: SimRuntime,
    reads: Reads,
    prng: Prng,
    over: Rc<Cell<bool>>,
}

impl Reader {
    async fn run(mut self) -> Result<(), Failed> {
        while !self.over.get() {
            self.runtime.sleep(Duration::from_micros(1 + self.prng.below(5_000))).await;
            self.read().await?;
        }
        Ok(())
    }

    /// Reads anywhere, mostly where it is oldest: that is what goes first, and what no memory holds.
    async fn read(&mut self) -> Result<(), Failed> {
        let streams = self.reads.streams();
        if streams.is_empty() {
            return Ok(());
        }
        let stream = *self.prng.pick(&streams);
        let Some(bounds) = self.reads.log.bounds(stream) else { return Ok(()) };
        let span = bounds.end.0 - bounds.start.0;
        let part = if self.prng.below(4) == 0 { span } else { span / 8 };
        let from = bounds.start.0 + self.prng.below(part + 1);
        let bytes_max = [1, 20_000, 200_000][self.prng.index(3)];
        self.reads.read_from(stream, from, bytes_max).await.map(drop)
    }
}
