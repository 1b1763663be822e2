//! What was decided about groups and is not committed yet.

use std::collections::{BTreeMap, VecDeque};

use super::GroupTable;
use crate::model::{GroupId, GroupName, Sequence};

/// One decision of a frame in flight.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(crate) name: GroupName,
    pub(crate) id: GroupId,
    /// The record after it, if it is about the record: version, and whether the group has members. Version 0: none.
    pub(crate) record: Option<(u64, bool)>,
    /// The group is no more.
    pub(crate) deleted: bool,
    /// Memory that it adds at most, as estimated. Bytes.
    pub(crate) memory: usize,
    /// Offsets that it adds at most.
    pub(crate) offsets: usize,
}

/// A group as it will be once what is in flight is committed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ahead {
    pub(crate) id: GroupId,
    /// Whether there is such a group then.
    pub(crate) exists: bool,
    /// Version of its record; 0 without one.
    pub(crate) version: u64,
    pub(crate) active: bool,
    /// Offsets that are being added, at most.
    pub(crate) offsets: usize,
    /// The last frame in flight that says something of it.
    pub(crate) last: Sequence,
}

/// Decisions in flight, in order, and the groups as they are after them.
///
/// Everything here can be thrown away and rebuilt from the committed groups and `in_flight`.
#[derive(Debug, Default)]
pub(crate) struct GroupsAhead {
    in_flight: VecDeque<(Sequence, Effect)>,
    groups: BTreeMap<GroupName, Ahead>,
    next: u64,
    memory: usize,
}

impl GroupsAhead {
    /// The group as it will be; `None` if there is none and nothing is decided about it.
    pub(crate) fn see(&self, table: &GroupTable, name: &GroupName) -> Option<Ahead> {
        if let Some(ahead) = self.groups.get(name) {
            return Some(*ahead);
        }
        let (id, group) = (table.id(name)?, table.get(name)?);
        let version = group.record.as_ref().map_or(0, |record| record.version);
        let active = group.is_active();
        Some(Ahead { id, exists: true, version, active, offsets: 0, last: Sequence(0) })
    }

    /// Whether something of the group is in flight.
    pub(crate) fn is_changing(&self, name: &GroupName) -> bool {
        self.groups.contains_key(name)
    }

    /// A number that neither a group nor a record has or had.
    pub(crate) fn next(&self, table: &GroupTable) -> u64 {
        self.next.max(table.next())
    }

    /// Memory that what is in flight adds at most, as estimated. Bytes.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Groups that are being made, at most.
    pub(crate) fn new_groups(&self, table: &GroupTable) -> usize {
        self.groups.keys().filter(|name| table.id(name).is_none()).count()
    }

    /// `effect` went into frame `sequence`.
    pub(crate) fn decided(&mut self, table: &GroupTable, sequence: Sequence, effect: Effect) {
        let mut ahead = self.see(table, &effect.name).unwrap_or(Ahead {
            id: effect.id,
            exists: true,
            version: 0,
            active: false,
            offsets: 0,
            last: sequence,
        });
        let (version, active) = effect.record.unwrap_or((ahead.version, ahead.active));
        (ahead.version, ahead.active) = if effect.deleted { (0, false) } else { (version, active) };
        ahead.exists = !effect.deleted;
        ahead.offsets += effect.offsets;
        ahead.last = sequence;
        self.next = self.next.max(effect.id.0 + 1).max(version + 1);
        self.memory += effect.memory;
        self.groups.insert(effect.name.clone(), ahead);
        self.in_flight.push_back((sequence, effect));
    }

    /// Frames up to `sequence` are committed.
    pub(crate) fn committed(&mut self, sequence: Sequence) {
        while self.in_flight.front().is_some_and(|(first, _)| *first <= sequence) {
            let (_, effect) = self.in_flight.pop_front().expect("it was looked at");
            self.memory -= effect.memory;
            let Some(ahead) = self.groups.get_mut(&effect.name) else { continue };
            ahead.offsets -= effect.offsets;
            if ahead.last <= sequence {
                self.groups.remove(&effect.name);
            }
        }
    }

    /// Throws away what is derived, and derives it anew.
    pub(crate) fn rebuild(&mut self, table: &GroupTable) {
        let in_flight = std::mem::take(&mut self.in_flight);
        *self = Self::default();
        for (sequence, effect) in in_flight {
            self.decided(table, sequence, effect);
        }
    }
}
