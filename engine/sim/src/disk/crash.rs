//! What a crash leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

use thalweg_engine::io::Buffer;

use super::names::Names;
use super::node::{Block, blocks_of, cut};
use super::operation::{Operation, OperationId, Request};
use super::submit::{Disk, NodeId};

/// Unit in which a device may tear a block. Bytes.
const SECTOR_SIZE: usize = 512;

/// How one power loss treats what was not durable.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Style {
    /// The device's cache is gone: what every missing flush looks like.
    LoseAll,
    /// All that landed stays.
    KeepAll,
    /// Each write for itself.
    Mixed,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    Kept,
    Lost,
    Torn,
}

/// What shows through where a block is torn.
#[derive(Clone, Copy)]
enum Below {
    Current,
    Durable,
}

impl Disk {
    /// The process is gone: operations in flight land wholly, partly or not at all. What had landed stays
    /// where it is, not yet durable.
    pub(crate) fn end_process(&mut self) {
        let mut operations: Vec<_> = std::mem::take(&mut self.in_flight).into_iter().collect();
        self.prng.shuffle(&mut operations);
        for (id, mut operation) in operations {
            self.end_operation(id, &mut operation);
        }
        self.resolve_doomed();
        self.forget_unnamed();
    }

    /// Power is gone: of what was not durable, some stays.
    ///
    /// The process has ended before.
    pub(crate) fn lose_power(&mut self) {
        assert!(self.in_flight.is_empty(), "the process ends before the power");
        let style = *self.prng.pick(&[Style::LoseAll, Style::KeepAll, Style::Mixed, Style::Mixed]);
        self.resolve_names(style);
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        for node in nodes {
            self.resolve_node(node, style);
        }
        self.forget_unnamed();
    }

    /// The blocks of the write `operation` that land although it does not complete.
    pub(super) fn blocks_after_crash(&mut self, operation: &Operation) -> (BTreeMap<u64, Block>, Fate) {
        let Request::Write { node, position, data, .. } = &operation.request else {
            unreachable!("only writes land")
        };
        let rest = &data.bytes()[operation.done..];
        let mut blocks = blocks_of(position + operation.done as u64, rest, &self.zeros);
        let fate = self.fate(Style::Mixed);
        self.apply_fate(fate, &mut blocks, *node, Below::Current);
        (blocks, fate)
    }

    fn end_operation(&mut self, id: OperationId, operation: &mut Operation) {
        match &operation.request {
            Request::Write { node, .. } => {
                let (blocks, fate) = self.blocks_after_crash(operation);
                self.recorder.count(match fate {
                    Fate::Kept => "disk.in_flight_landed",
                    Fate::Lost => "disk.in_flight_lost",
                    Fate::Torn => "disk.in_flight_torn",
                });
                self.order += 1;
                let order = self.order;
                self.node_mut(*node).land(order, blocks);
            }
            Request::Read { .. } => {}
            _ => {
                if self.prng.coin() {
                    let _ = self.complete(id, operation);
                }
            }
        }
    }

    /// After a failed flush the system may hold for clean what never reached the device: with the process
    /// ends what it remembered.
    fn resolve_doomed(&mut self) {
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        for id in nodes {
            let mut volatile = std::mem::take(&mut self.node_mut(id).volatile);
            let doomed = volatile.iter().any(|landed| landed.doomed);
            for landed in volatile.iter_mut().filter(|landed| landed.doomed) {
                landed.doomed = false;
                let fate = self.fate(Style::Mixed);
                self.apply_fate(fate, &mut landed.blocks, id, Below::Durable);
            }
            let node = self.node_mut(id);
            node.volatile = volatile;
            if doomed {
                node.rebuild_current();
            }
        }
    }

    fn resolve_names(&mut self, style: Style) {
        let (now, durable) = (std::mem::take(&mut self.names), std::mem::take(&mut self.durable_names));
        let mut left = Names::default();
        let paths: BTreeSet<&PathBuf> = now.files.keys().chain(durable.files.keys()).collect();
        for path in paths {
            let (new, old) = (now.files.get(path), durable.files.get(path));
            let stays = new == old || self.fate(style) == Fate::Kept;
            if !stays {
                self.recorder.count(if new.is_some() { "disk.name_lost" } else { "disk.name_came_back" });
            }
            if let Some(&node) = if stays { new } else { old } {
                left.files.insert(path.clone(), node);
            }
        }
        for folder in &now.folders {
            if durable.folders.contains(folder) || self.fate(style) == Fate::Kept {
                left.folders.insert(folder.clone());
            } else {
                self.recorder.count("disk.folder_lost");
            }
        }
        left.drop_orphans();
        self.names = left.clone();
        self.durable_names = left;
    }

    fn resolve_node(&mut self, id: NodeId, style: Style) {
        let node = self.node_mut(id);
        if node.volatile.is_empty() && node.volatile_sizes.is_empty() {
            return;
        }
        let volatile = std::mem::take(&mut node.volatile);
        let sizes = std::mem::take(&mut node.volatile_sizes);
        let size_changes = match style {
            Style::LoseAll => 0,
            Style::KeepAll => sizes.len(),
            Style::Mixed => self.prng.index(sizes.len() + 1),
        };
        if size_changes < sizes.len() {
            self.recorder.count("disk.size_lost");
        }
        if let Some(&(_, size)) = sizes[..size_changes].last() {
            self.node_mut(id).durable_size = size;
        }
        for mut landed in volatile {
            let fate = self.fate(style);
            self.recorder.count(match fate {
                Fate::Kept => "disk.volatile_kept",
                Fate::Lost => "disk.volatile_lost",
                Fate::Torn => "disk.volatile_torn",
            });
            self.apply_fate(fate, &mut landed.blocks, id, Below::Durable);
            self.node_mut(id).durable.extend(landed.blocks);
        }
        let node = self.node_mut(id);
        node.size = node.durable_size;
        cut(&mut node.durable, node.size);
        node.rebuild_current();
    }

    fn fate(&mut self, style: Style) -> Fate {
        match style {
            Style::LoseAll => Fate::Lost,
            Style::KeepAll => Fate::Kept,
            Style::Mixed => *self.prng.pick(&[Fate::Kept, Fate::Lost, Fate::Torn]),
        }
    }

    /// Leaves of `blocks`, a write to `node`, what its fate leaves.
    fn apply_fate(&mut self, fate: Fate, blocks: &mut BTreeMap<u64, Block>, node: NodeId, below: Below) {
        match fate {
            Fate::Kept => {}
            Fate::Lost => blocks.clear(),
            Fate::Torn => self.tear(blocks, node, below),
        }
    }

    fn tear(&mut self, blocks: &mut BTreeMap<u64, Block>, node: NodeId, below: Below) {
        let prefix = self.prng.coin().then(|| self.prng.index(blocks.len() + 1));
        let mut index = 0;
        let prng = &mut self.prng;
        blocks.retain(|_, _| {
            index += 1;
            prefix.map_or_else(|| prng.coin(), |kept| index <= kept)
        });
        for (&at, block) in blocks.iter_mut() {
            if !self.prng.chance(self.faults.torn_sector) {
                continue;
            }
            self.recorder.count("disk.sector_torn");
            let node = &self.nodes[&node];
            let below = match below {
                Below::Current => &node.current,
                Below::Durable => &node.durable,
            };
            let old = below.get(&at).unwrap_or(&self.zeros);
            let torn = Rc::make_mut(block);
            for (new, old) in torn.chunks_mut(SECTOR_SIZE).zip(old.chunks(SECTOR_SIZE)) {
                if self.prng.coin() {
                    new.copy_from_slice(old);
                }
            }
        }
    }
}
