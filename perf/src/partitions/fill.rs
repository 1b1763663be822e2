//! The first fill: a log that was just made, so that every segment is written for the first time.

use std::rc::Rc;

use anyhow::{Context, Result};
use thalweg_engine::catalog::TopicSettings;
use thalweg_engine::log::LogOptions;
use thalweg_engine::model::TopicName;

use crate::append::append_turn;
use crate::bed::{batch_of_size, method_of, on_shard, open};
use crate::floor::{Method, Target, Turn};
use crate::measure::{Ratio, Series, Unit};
use crate::session::Session;

/// Size of an append, and of the floor's write. Bytes.
const APPEND_SIZE: usize = 256 << 10;
const FLOOR_WRITE_SIZE: usize = 1 << 20;

/// Appends under way.
const TASKS: usize = 8;

/// Size of the floor's file. Bytes.
const FLOOR_FILE_SIZE: u64 = 256 << 20;

/// A first fill ends by its bytes.
const DURATION_MAX: std::time::Duration = std::time::Duration::from_secs(600);

/// The first fill of a log, and the floor, in turns.
pub(super) struct FirstFill {
    pub(super) throughput: Series,
    pub(super) floor: Series,
    /// Segments that were not ready when the log went on in them.
    pub(super) dry_rolls: Series,
}

impl FirstFill {
    /// Fills a new log with `bytes` in each round.
    pub(super) fn measure(session: &Session, bytes: u64) -> Result<Self> {
        let series = || Series::new(Unit::MegabytesPerSecond);
        let mut fill = Self { throughput: series(), floor: series(), dry_rolls: Series::new(Unit::Count) };
        for round in 0..session.effort.rounds {
            fill.take_round(session, bytes).with_context(|| format!("round {}", round + 1))?;
        }
        Ok(fill)
    }

    pub(super) fn share(&self) -> Ratio {
        Ratio::of(&self.throughput, &self.floor)
    }

    fn take_round(&mut self, session: &Session, bytes: u64) -> Result<()> {
        let folder = session.scratch.join("first-fill");
        let engine = open(&folder, session.engine, LogOptions::default())?;
        let name = TopicName::new("first-fill").expect("a valid name");
        let id = engine.client().create_topic(&name, 1, TopicSettings::default())?.partitions[0].id;
        let filled = on_shard(&engine, move |client| async move {
            let batch = Rc::new(batch_of_size(APPEND_SIZE, 1 << 10));
            append_turn(&client, id, batch, TASKS, DURATION_MAX, bytes).await
        })??;
        let (path, duration) = (session.scratch.join("first-fill-floor"), session.effort.turn);
        let method: Method = method_of(&engine);
        let floor = on_shard(&engine, move |client| {
            let path = path.clone();
            async move {
                Target::fill(client.runtime(), &path, FLOOR_FILE_SIZE).await?;
                let target = Target::open(client.runtime(), &path, method).await?;
                target.run(FLOOR_WRITE_SIZE, duration).await
            }
        })?;
        let floor: Turn = floor.context("the device failed")?;
        let dry = on_shard(&engine, |client| async move { client.log_status().rolls_dry })?;
        engine.close().context("the engine could not be closed")?;
        self.throughput.push(filled.megabytes_per_second());
        self.floor.push(floor.megabytes_per_second());
        self.dry_rolls.push(dry as f64);
        std::fs::remove_dir_all(&folder).context("the folder could not be removed")
    }
}
