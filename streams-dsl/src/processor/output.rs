//! Topics that a task writes.

use std::cell::RefCell;
use std::rc::Rc;

use thalweg_engine::model::{BatchBuilder, BatchError, Header, RECORD_FIXED_SIZE, partition_for_key};

use super::context::Counters;
use super::{BuildContext, Factory, Link, Meta, Processor, node};
use crate::serdes::Serde;
use crate::task::TaskError;

/// Records for one topic that wait for the next commit.
#[derive(Debug)]
pub(crate) struct OutputTopic {
    name: String,
    /// Where records without a key go: they keep the order of their input.
    default_partition: u32,
    builders: Vec<BatchBuilder>,
    full: Vec<(u32, Vec<u8>)>,
    /// Records handed to commits or waiting for one.
    records: u64,
}

impl OutputTopic {
    /// `partitions`: how many the topic has, at least one. `input_partition`: the task's.
    pub(crate) fn new(name: &str, partitions: u32, input_partition: u32) -> Self {
        assert!(partitions > 0, "a topic has a partition");
        Self {
            name: name.to_owned(),
            default_partition: input_partition % partitions,
            builders: (0..partitions).map(|_| BatchBuilder::new()).collect(),
            full: Vec::new(),
            records: 0,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// All batches since the last call, with their partitions; batches of one partition in their order.
    pub(crate) fn take(&mut self) -> Vec<(u32, Vec<u8>)> {
        let mut batches = std::mem::take(&mut self.full);
        for (partition, builder) in (0..).zip(&mut self.builders) {
            if !builder.is_empty() {
                batches.push((partition, std::mem::take(builder).into_bytes()));
            }
        }
        batches
    }

    pub(crate) fn push(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        meta: &Meta<'_>,
    ) -> Result<(), BatchError> {
        let partition = match key {
            _ if self.builders.len() == 1 => 0,
            Some(key) => partition_for_key(key, self.builders.len() as u32),
            None => self.default_partition,
        };
        let headers: Vec<Header> = if meta.headers.is_empty() {
            Vec::new()
        } else {
            meta.headers.iter().map(|header| header.to_owned()).collect()
        };
        let builder = &mut self.builders[partition as usize];
        self.records += 1;
        match builder.push(meta.timestamp, key, value, &headers) {
            Err(BatchError::BatchTooLarge { .. } | BatchError::TooManyRecords { .. })
                if !builder.is_empty() =>
            {
                self.full.push((partition, std::mem::take(builder).into_bytes()));
                self.builders[partition as usize].push(meta.timestamp, key, value, &headers)
            }
            result => result,
        }
    }
}

/// Writes records to a topic.
pub(crate) struct Sink {
    output: Rc<RefCell<OutputTopic>>,
    counters: Rc<Counters>,
}

impl<K: Serde, V: Serde> Processor<K, V> for Sink {
    fn process(&mut self, key: Option<&K::Ref>, value: Option<&V::Ref>, meta: &Meta<'_>) {
        with_bytes::<K, _>(key, |key| with_bytes::<V, _>(value, |value| self.write(key, value, meta)));
    }
}

impl Sink {
    fn write(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, meta: &Meta<'_>) {
        let size = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        self.counters.add_pending(size + RECORD_FIXED_SIZE + 4);
        let result = self.output.borrow_mut().push(key, value, meta);
        if let Err(source) = result {
            let topic = self.output.borrow().name().to_owned();
            self.counters.fail(TaskError::Output { topic, source });
        }
    }
}

fn with_bytes<S: Serde, R>(value: Option<&S::Ref>, then: impl FnOnce(Option<&[u8]>) -> R) -> R {
    match value {
        Some(value) => S::encode(value, |bytes| then(Some(bytes))),
        None => then(None),
    }
}

/// A node that writes to `topic`.
pub(crate) fn sink<K: Serde, V: Serde>(topic: String) -> Box<dyn Factory> {
    node::<K, V, K, V>(move |context: &mut BuildContext, _: Link<K, V>| {
        Box::new(Sink { output: context.output(&topic), counters: Rc::clone(&context.counters) })
    })
}
