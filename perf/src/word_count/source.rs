//! Loading the source topic.

use std::collections::VecDeque;

use anyhow::Result;
use thalweg_engine::catalog::{Topic, TopicSettings};
use thalweg_engine::model::TopicName;
use thalweg_runtime::Engine;

use super::text::Text;

/// Appends under way.
const UNDER_WAY: usize = 8;

/// Makes the topic `name` with one partition, and appends `copies` copies of `text`.
///
/// # Errors
/// The engine's.
pub(super) fn load(engine: &Engine, name: &str, text: &Text, copies: usize) -> Result<Topic> {
    let client = engine.client();
    let topic = client.create_topic(&TopicName::new(name)?, 1, TopicSettings::default())?;
    let mut pending = VecDeque::with_capacity(UNDER_WAY);
    for batch in std::iter::repeat_n(&text.batches, copies).flatten() {
        if pending.len() == UNDER_WAY {
            let oldest: thalweg_runtime::Pending<_> = pending.pop_front().expect("some are under way");
            oldest.wait()??;
        }
        pending.push_back(client.append(&topic.partitions[0], batch.clone()));
    }
    for append in pending {
        append.wait()??;
    }
    Ok(topic)
}
