//! Which committed offsets have been kept for long enough.

use super::{Group, GroupTable};
use crate::limits::EXPIRY_LOOK_OFFSETS;
use crate::model::{GroupId, GroupName, PartitionId};

/// How far the groups have been looked at; they are looked at round and round, a part at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExpiryCursor {
    last: Option<GroupId>,
}

/// What may be let go of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Expired {
    /// A group with all that it has.
    Group(GroupId),
    /// One committed offset.
    Offset(GroupId, PartitionId),
}

impl Group {
    /// Whether everything that was committed by `since_ms` and is kept for `keep_ms` has expired at `now_ms`.
    fn is_over(&self, since_ms: u64, keep_ms: u64, now_ms: u64) -> bool {
        // From when the group was without members, if that was later.
        let empty_ms = self.record.as_ref().map_or(0, |record| record.set_ms);
        since_ms.max(empty_ms).saturating_add(keep_ms) <= now_ms
    }

    /// What of it has expired at `now_ms`: nothing while it has members.
    fn expired(&self, id: GroupId, retention_ms: u64, now_ms: u64, found: &mut Vec<Expired>) {
        if self.is_active() {
            return;
        }
        let before = found.len();
        for (partition, state) in &self.offsets {
            let keep_ms = state.keep_ms.unwrap_or(retention_ms);
            if self.is_over(state.committed_ms, keep_ms, now_ms) {
                found.push(Expired::Offset(id, *partition));
            }
        }
        let all = found.len() - before == self.offsets.len();
        // What a coordinator knew of a group without offsets goes with its time as well.
        if all && (self.record.is_none() || self.is_over(0, retention_ms, now_ms)) {
            found.truncate(before);
            found.push(Expired::Group(id));
        }
    }
}

impl GroupTable {
    /// Looks at the next groups, about [`EXPIRY_LOOK_OFFSETS`] offsets, for what has expired at `now_ms` by the log's clock.
    /// Groups that `is_changing` are left for the next time.
    pub(crate) fn expired(
        &self,
        cursor: &mut ExpiryCursor,
        (retention_ms, now_ms): (u64, u64),
        is_changing: impl Fn(&GroupName) -> bool,
    ) -> Vec<Expired> {
        let (mut found, mut looked) = (Vec::new(), 0);
        for (id, group) in self.groups_behind(cursor.last) {
            cursor.last = Some(id);
            if !is_changing(group.name()) {
                group.expired(id, retention_ms, now_ms, &mut found);
            }
            looked += 1 + group.len();
            if looked >= EXPIRY_LOOK_OFFSETS {
                return found;
            }
        }
        cursor.last = None;
        found
    }
}
