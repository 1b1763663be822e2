//! Topics and stores in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use thalweg_engine::model::{BatchView, Offset, Record, RecordCount};

use crate::state::StateView;

/// A topic: for each partition, its batches with their first offsets.
#[derive(Debug)]
pub(super) struct MemoryTopic {
    partitions: Vec<MemoryPartition>,
}

#[derive(Debug, Default)]
struct MemoryPartition {
    batches: Vec<(Offset, Rc<[u8]>)>,
    end: Offset,
    /// Up to where [`MemoryTopic::read`] has returned records.
    read_to: Offset,
}

impl MemoryTopic {
    pub(super) fn new(partitions: u32) -> Self {
        Self { partitions: (0..partitions).map(|_| MemoryPartition::default()).collect() }
    }

    pub(super) fn partitions(&self) -> u32 {
        self.partitions.len() as u32
    }

    /// # Panics
    /// If `batch` is no native batch: only the driver and tasks write here.
    pub(super) fn append(&mut self, partition: u32, batch: Vec<u8>) {
        let partition = &mut self.partitions[partition as usize];
        let count = BatchView::parse(&batch).expect("tasks write native batches").count();
        partition.batches.push((partition.end, batch.into()));
        partition.end += RecordCount(u64::from(count));
    }

    /// The batch that holds `offset`, with its first offset.
    pub(super) fn batch(&self, partition: u32, offset: Offset) -> Option<(Offset, Rc<[u8]>)> {
        let partition = &self.partitions[partition as usize];
        if offset >= partition.end {
            return None;
        }
        let behind = partition.batches.partition_point(|(base, _)| *base <= offset);
        partition.batches.get(behind.checked_sub(1)?).cloned()
    }

    /// All records that were not read yet, partition by partition.
    pub(super) fn read(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        for partition in &mut self.partitions {
            for (base, batch) in &partition.batches {
                if *base >= partition.read_to {
                    let view = BatchView::parse(batch).expect("tasks write native batches");
                    records.extend(view.iter().map(Record::from));
                }
            }
            partition.read_to = partition.end;
        }
        records
    }
}

/// The committed stores of one task.
#[derive(Debug)]
pub(super) struct MemoryState {
    stores: RefCell<Vec<MemoryStore>>,
}

type MemoryStore = hashbrown::HashMap<Vec<u8>, Vec<u8>, foldhash::fast::FixedState>;

impl MemoryState {
    pub(super) fn new(stores: usize) -> Self {
        Self { stores: RefCell::new(vec![MemoryStore::default(); stores]) }
    }

    pub(super) fn apply(&self, store: usize, delta: &[u8]) {
        let store = &mut self.stores.borrow_mut()[store];
        for record in BatchView::parse(delta).expect("tasks write native batches") {
            let key = record.key.expect("a change has a key").to_vec();
            match record.value {
                Some(value) => store.insert(key, value.to_vec()),
                None => store.remove(&key),
            };
        }
    }

    pub(super) fn store(&self, store: usize) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.stores.borrow()[store].clone().into_iter().collect()
    }
}

impl StateView for MemoryState {
    fn lend(&self, store: usize, key: &[u8], then: &mut dyn FnMut(Option<&[u8]>)) {
        then(self.stores.borrow()[store].get(key).map(Vec::as_slice));
    }
}
