//! Taking operations and completing them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Waker;

use thalweg_engine::io::{Buffer, DiskError, OpenMode};
use thalweg_engine::limits::BLOCK_SIZE;

use super::buffer::SimBuffer;
use super::inspect::BitFlip;
use super::names::Names;
use super::node::{Block, Node, block_range, blocks_of};
use super::operation::{Operation, OperationId, Outcome, Reply, Request};
use crate::clock::nanos;
use crate::config::{Chance, FaultConfig};
use crate::prng::Prng;
use crate::shared::Recorder;

/// A file, whatever its name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct NodeId(pub(crate) u64);

/// Blocks of removed files that may turn up in new space.
const LEFTOVERS_MAX: usize = 256;

/// What completing a step of an operation led to.
pub(crate) enum Step {
    /// Another step ends after so many nanoseconds.
    Again(u64),
    /// The operation is answered; who waits for it is to be woken.
    Done(Option<Waker>),
    /// There is no such operation: its process is gone.
    Gone,
}

pub(crate) struct Disk {
    pub(super) prng: Prng,
    pub(super) recorder: Rc<Recorder>,
    pub(crate) faults: FaultConfig,
    pub(crate) capacity: u64,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) names: Names,
    pub(super) durable_names: Names,
    pub(super) in_flight: BTreeMap<OperationId, Operation>,
    /// Numbers what lands, over all files.
    pub(super) order: u64,
    pub(crate) flips: Vec<BitFlip>,
    /// Blocks of removed files, and where in the file they lay.
    pub(super) leftovers: Vec<(u64, Block)>,
    pub(super) zeros: Block,
    /// Newest sync of each folder that has completed.
    synced: BTreeMap<PathBuf, OperationId>,
    operations: u64,
    files_made: u64,
}

impl Disk {
    pub(crate) fn new(prng: Prng, recorder: Rc<Recorder>, faults: FaultConfig, capacity: u64) -> Self {
        Self {
            prng,
            recorder,
            faults,
            capacity,
            nodes: BTreeMap::new(),
            names: Names::default(),
            durable_names: Names::default(),
            in_flight: BTreeMap::new(),
            order: 0,
            flips: Vec::new(),
            leftovers: Vec::new(),
            zeros: Rc::new([0; BLOCK_SIZE]),
            synced: BTreeMap::new(),
            operations: 0,
            files_made: 0,
        }
    }

    /// Number of the latest event: what a flush issued now covers.
    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    /// A sync of `path` issued now.
    pub(crate) fn sync_request(&self, path: &Path) -> Request {
        Request::SyncFolder {
            path: path.to_owned(),
            files: self.names.files_in(path),
            folders: self.names.folders_in(path),
        }
    }

    /// Takes an operation; its first step ends after the returned nanoseconds.
    pub(crate) fn submit(&mut self, request: Request, outcome: Rc<Outcome>) -> (OperationId, u64) {
        self.operations += 1;
        let id = OperationId(self.operations);
        let fails = self.prng.chance(match request {
            Request::Write { .. } => self.faults.write_error,
            Request::Read { .. } => self.faults.read_error,
            Request::Flush { .. } | Request::SyncFolder { .. } => self.faults.flush_error,
            _ => self.faults.metadata_error,
        });
        let (size, split) = match &request {
            Request::Write { data, .. } => (data.bytes().len(), self.faults.short_write),
            Request::Read { size, .. } => (*size, self.faults.short_read),
            _ => (0, Chance::NEVER),
        };
        let step_end = if size > BLOCK_SIZE && self.prng.chance(split) {
            (1 + self.prng.index(size / BLOCK_SIZE - 1)) * BLOCK_SIZE
        } else {
            size
        };
        if step_end < size {
            let write = matches!(request, Request::Write { .. });
            self.recorder.count(if write { "disk.write_short" } else { "disk.read_short" });
        }
        let duration = self.duration_ns(&request, step_end);
        self.in_flight.insert(id, Operation { request, outcome, fails, done: 0, step_end, copied: None });
        (id, duration)
    }

    /// Completes the step of operation `id` that is under way.
    pub(crate) fn step(&mut self, id: OperationId) -> Step {
        let Some(mut operation) = self.in_flight.remove(&id) else { return Step::Gone };
        let answer = if operation.fails { self.fail(&operation) } else { self.complete(id, &mut operation) };
        self.flip_by_chance();
        let Some(answer) = answer else {
            let duration = self.duration_ns(&operation.request, operation.step_end - operation.done);
            self.in_flight.insert(id, operation);
            return Step::Again(duration);
        };
        *operation.outcome.answer.borrow_mut() = Some(answer);
        Step::Done(operation.outcome.waker.take())
    }

    /// Answers `operation`, or `None` if another step of it follows.
    pub(super) fn complete(
        &mut self,
        id: OperationId,
        operation: &mut Operation,
    ) -> Option<Result<Reply, DiskError>> {
        Some(match &operation.request {
            Request::Write { .. } => return self.write_step(id, operation),
            Request::Read { .. } => return self.read_step(operation),
            Request::Flush { node, covered } => {
                self.node_mut(*node).flush(*covered);
                Ok(Reply::Done)
            }
            Request::Allocate { node, size } => self.allocate(*node, *size),
            Request::Size { node } => Ok(Reply::Size(self.nodes[node].size)),
            Request::CreateFolder { path } => {
                for folder in path.ancestors().filter(|folder| folder.parent().is_some()) {
                    self.names.folders.insert(folder.to_owned());
                }
                Ok(Reply::Done)
            }
            Request::ListFolder { path } => {
                let files = self.names.files_in(path);
                let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
                Ok(Reply::Names(files.keys().filter_map(name).collect()))
            }
            Request::SyncFolder { path, files, folders } => self.sync_folder(id, path, files, folders),
            Request::Open { path, mode } => self.open(path, *mode),
            Request::Remove { path } => match self.names.files.remove(path) {
                Some(_) => Ok(Reply::Done),
                None => Err(DiskError::NotFound { path: path.clone() }),
            },
        })
    }

    /// Fails `operation`; of a write, any part may have landed.
    fn fail(&mut self, operation: &Operation) -> Option<Result<Reply, DiskError>> {
        let fault = match &operation.request {
            Request::Write { .. } => "disk.write_failed",
            Request::Read { .. } => "disk.read_failed",
            Request::Flush { .. } | Request::SyncFolder { .. } => "disk.flush_failed",
            _ => "disk.metadata_failed",
        };
        self.recorder.count(fault);
        match &operation.request {
            Request::Write { node, .. } => {
                let (blocks, _) = self.blocks_after_crash(operation);
                self.order += 1;
                let order = self.order;
                self.node_mut(*node).land(order, blocks);
            }
            Request::Flush { node, covered } => {
                let (node, covered) = (*node, *covered);
                let doomed = self.prng.coin();
                for landed in &mut self.node_mut(node).volatile {
                    landed.doomed |= doomed && landed.order <= covered;
                }
            }
            _ => {}
        }
        let path = self.path_of(&operation.request);
        Some(Err(DiskError::Other {
            operation: operation.request.operation(),
            path,
            message: "simulated device error".to_owned(),
        }))
    }

    fn write_step(&mut self, id: OperationId, operation: &mut Operation) -> Option<Result<Reply, DiskError>> {
        let Request::Write { node, position, data, through } = &operation.request else {
            unreachable!("only writes are written")
        };
        let end = position + data.bytes().len() as u64;
        let growth = end.saturating_sub(self.nodes[node].size);
        if let Err(error) = self.reserve(*node, growth) {
            return Some(Err(error));
        }
        if growth == 0 && self.finds_no_room(data) {
            self.recorder.count("disk.fill_no_space");
            return Some(Err(DiskError::NoSpace { path: self.nodes[node].path.clone() }));
        }
        let earlier = self
            .in_flight
            .range(..id)
            .any(|(_, other)| matches!(&other.request, Request::Write { node: same, .. } if same == node));
        if earlier {
            self.recorder.count("disk.write_out_of_order");
        }
        let part = &data.bytes()[operation.done..operation.step_end];
        let blocks = blocks_of(position + operation.done as u64, part, &self.zeros);
        self.order += 1;
        let order = self.order;
        let node = self.node_mut(*node);
        if *through {
            node.land_durably(order, blocks);
        } else {
            node.land(order, blocks);
        }
        operation.done = operation.step_end;
        operation.step_end = data.bytes().len();
        (operation.done == operation.step_end).then_some(Ok(Reply::Done))
    }

    fn read_step(&mut self, operation: &mut Operation) -> Option<Result<Reply, DiskError>> {
        let &Request::Read { node, position, size } = &operation.request else {
            unreachable!("only reads are read")
        };
        let mut copied = operation.copied.take().unwrap_or_else(|| SimBuffer::zeroed(size));
        let part = &mut copied.bytes_mut()[operation.done..operation.step_end];
        self.nodes[&node].read(position + operation.done as u64, part);
        self.overlay_in_flight(node, position + operation.done as u64, part);
        operation.done = operation.step_end;
        operation.step_end = size;
        if operation.done < size {
            operation.copied = Some(copied);
            return None;
        }
        let available = self.nodes[&node].size.saturating_sub(position);
        copied.truncate(size.min(usize::try_from(available).unwrap_or(usize::MAX)));
        Some(Ok(Reply::Bytes(copied)))
    }

    /// A read sees any blocks of a write that is under way.
    fn overlay_in_flight(&mut self, node: NodeId, position: u64, bytes: &mut [u8]) {
        let end = position + bytes.len() as u64;
        let mut overlapped = false;
        for operation in self.in_flight.values() {
            let Request::Write { node: written, position: begins, data, .. } = &operation.request else {
                continue;
            };
            let until = begins + data.bytes().len() as u64;
            if *written != node || *begins >= end || until <= position {
                continue;
            }
            overlapped = true;
            for at in block_range(position.max(*begins), end.min(until)) {
                if self.prng.coin() {
                    continue;
                }
                let block = at * BLOCK_SIZE as u64;
                let (from, to) = ((block - begins) as usize, (block - position) as usize);
                bytes[to..to + BLOCK_SIZE].copy_from_slice(&data.bytes()[from..from + BLOCK_SIZE]);
            }
        }
        if overlapped {
            self.recorder.count("disk.read_overlapped_write");
        }
    }

    fn allocate(&mut self, node: NodeId, size: u64) -> Result<Reply, DiskError> {
        let old = self.nodes[&node].size;
        self.reserve(node, size.saturating_sub(old))?;
        self.order += 1;
        let order = self.order;
        self.node_mut(node).set_size(order, size);
        for at in block_range(old.next_multiple_of(BLOCK_SIZE as u64), size) {
            if !self.prng.chance(self.faults.stale_space) {
                continue;
            }
            let block = self.stale_block(at);
            let node = self.node_mut(node);
            node.durable.insert(at, Rc::clone(&block));
            node.current.insert(at, block);
            self.recorder.count("disk.space_stale");
        }
        Ok(Reply::Done)
    }

    /// What new space at block `at` may hold. A file system that hands out freed space in order puts the
    /// blocks of a removed file where they lay before.
    fn stale_block(&mut self, at: u64) -> Block {
        if !self.leftovers.is_empty() && self.prng.coin() {
            let same_place = self.leftovers.iter().find(|(old, _)| *old == at);
            let leftover = same_place.filter(|_| self.prng.coin());
            return Rc::clone(&leftover.unwrap_or_else(|| self.prng.pick(&self.leftovers)).1);
        }
        let mut block = [0; BLOCK_SIZE];
        self.prng.fill(&mut block);
        Rc::new(block)
    }

    fn sync_folder(
        &mut self,
        id: OperationId,
        path: &Path,
        files: &BTreeMap<PathBuf, NodeId>,
        folders: &[PathBuf],
    ) -> Result<Reply, DiskError> {
        if !self.names.is_folder(path) {
            return Err(DiskError::NotFound { path: path.to_owned() });
        }
        // A sync that overtook this one has made newer names durable; they stay.
        let newest = self.synced.entry(path.to_owned()).or_insert(id);
        if *newest > id {
            self.recorder.count("disk.sync_overtaken");
            return Ok(Reply::Done);
        }
        *newest = id;
        self.durable_names.files.retain(|file, _| file.parent() != Some(path));
        self.durable_names.files.extend(files.iter().map(|(file, &node)| (file.clone(), node)));
        self.durable_names.folders.extend(folders.iter().cloned());
        Ok(Reply::Done)
    }

    fn open(&mut self, path: &Path, mode: OpenMode) -> Result<Reply, DiskError> {
        if let Some(&node) = self.names.files.get(path) {
            return Ok(Reply::Node(node));
        }
        if mode == OpenMode::Existing || !self.names.has_parent(path) {
            return Err(DiskError::NotFound { path: path.to_owned() });
        }
        self.files_made += 1;
        let node = NodeId(self.files_made);
        let mut made = Node::new(path.to_owned());
        let FaultConfig { slow_file, slow_file_max, .. } = self.faults;
        if slow_file > Chance::NEVER && self.prng.chance(slow_file) {
            made.lag_ns = self.prng.below(nanos(slow_file_max).max(1));
        }
        self.nodes.insert(node, made);
        self.names.files.insert(path.to_owned(), node);
        Ok(Reply::Node(node))
    }

    fn reserve(&self, node: NodeId, growth: u64) -> Result<(), DiskError> {
        let used: u64 = self.names.files.values().map(|node| self.nodes[node].size).sum();
        if growth > 0 && used.saturating_add(growth) > self.capacity {
            self.recorder.count("disk.no_space");
            return Err(DiskError::NoSpace { path: self.nodes[&node].path.clone() });
        }
        Ok(())
    }

    /// Whether there is no room for what is set aside and to be filled with `data`.
    fn finds_no_room(&mut self, data: &SimBuffer) -> bool {
        let chance = self.faults.fill_no_space;
        chance > Chance::NEVER && data.bytes().iter().all(|byte| *byte == 0) && self.prng.chance(chance)
    }

    /// Forgets files that no name leads to, and keeps some of their blocks as leftovers.
    pub(super) fn forget_unnamed(&mut self) {
        let named = |node: &NodeId| {
            self.names.files.values().chain(self.durable_names.files.values()).any(|named| named == node)
        };
        let unnamed: Vec<NodeId> = self.nodes.keys().copied().filter(|node| !named(node)).collect();
        for id in unnamed {
            let Some(node) = self.nodes.remove(&id) else { continue };
            for block in node.current.into_iter().filter(|(_, block)| !Rc::ptr_eq(block, &self.zeros)) {
                if self.leftovers.len() < LEFTOVERS_MAX {
                    self.leftovers.push(block);
                } else {
                    let at = self.prng.index(LEFTOVERS_MAX);
                    self.leftovers[at] = block;
                }
            }
        }
    }

    pub(super) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(&node).expect("a file with an open handle is kept")
    }

    fn path_of(&self, request: &Request) -> PathBuf {
        match request {
            Request::CreateFolder { path }
            | Request::ListFolder { path }
            | Request::SyncFolder { path, .. }
            | Request::Open { path, .. }
            | Request::Remove { path } => path.clone(),
            _ => request.node().map(|node| self.nodes[&node].path.clone()).unwrap_or_default(),
        }
    }

    fn duration_ns(&mut self, request: &Request, size: usize) -> u64 {
        let base_us = match request {
            Request::Write { .. } => self.prng.range(15..150),
            Request::Read { .. } => self.prng.range(20..120),
            Request::Flush { .. } | Request::SyncFolder { .. } => self.prng.range(50..500),
            _ => self.prng.range(1..30),
        };
        // 2 GiB/s.
        let lag_ns = match request {
            Request::Write { node, .. } | Request::Flush { node, .. } => self.nodes[node].lag_ns,
            _ => 0,
        };
        if lag_ns > 0 {
            self.recorder.count("disk.file_slow");
        }
        let usual = base_us * 1000 + size as u64 / 2 + lag_ns;
        let stuck =
            if matches!(request, Request::Read { .. }) { self.faults.stuck_read } else { Chance::NEVER };
        if stuck > Chance::NEVER && self.prng.chance(stuck) {
            self.recorder.count("disk.read_stuck");
            return usual + self.prng.below(nanos(self.faults.stuck_read_max).max(1));
        }
        if !self.prng.chance(self.faults.slow_operation) {
            return usual;
        }
        self.recorder.count("disk.operation_slow");
        usual * self.prng.range(2..self.faults.slow_factor_max.max(2) + 1)
    }
}
