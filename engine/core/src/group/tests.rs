//! The groups of a shard against plain maps, and checkpoints of them that are taken while they change.

use std::collections::BTreeMap;

use thalweg_archive::{deserialize, encode, view};

use super::{GroupTable, GroupsCursor, GroupsV1, OffsetCommit};
use crate::model::{GroupId, GroupName, Offset, PartitionId};

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What one frame says.
#[derive(Clone, Debug)]
enum Entry {
    Committed(GroupId, Vec<u8>),
    Record(GroupId, u64, Vec<u8>),
    Deleted(GroupId),
    OffsetsDeleted(Option<GroupId>, PartitionId, u32),
}

fn apply(table: &mut GroupTable, entry: &Entry) {
    match entry {
        Entry::Committed(id, payload) => table.committed(*id, payload, |_| {}),
        Entry::Record(id, version, payload) => table.record_set(*id, *version, payload),
        Entry::Deleted(id) => table.deleted(*id),
        Entry::OffsetsDeleted(id, first, count) => table.offsets_deleted(*id, *first, *count),
    }
}

/// The offsets of each group, by name and partition.
type Model = BTreeMap<String, (Option<u64>, BTreeMap<u64, u64>)>;

fn name(number: u64) -> GroupName {
    GroupName::new(&format!("group-{number}")).unwrap()
}

fn draw(numbers: &mut Numbers, table: &GroupTable, model: &mut Model) -> Entry {
    let group = name(numbers.below(9));
    let id = table.id(&group).unwrap_or(GroupId(table.next()));
    let text = group.as_str().to_owned();
    let entry = match numbers.below(12) {
        0 => {
            model.remove(&text);
            Entry::Deleted(id)
        }
        1 | 2 => {
            let (first, count) = (numbers.below(600), numbers.below(40) as u32);
            let all = numbers.below(2) == 0;
            let range = first..first + u64::from(count);
            for (of, (_, offsets)) in model.iter_mut() {
                if all || *of == text {
                    offsets.retain(|partition, _| !range.contains(partition));
                }
            }
            Entry::OffsetsDeleted((!all).then_some(id), PartitionId(first), count)
        }
        3 => {
            let version = table.next().max(id.0 + 1);
            model.entry(text).or_default().0 = Some(version);
            let bytes = vec![7; numbers.below(5000) as usize];
            Entry::Record(id, version, GroupTable::record_payload(&group, false, &bytes, 1))
        }
        _ => {
            let commits: Vec<OffsetCommit> = (0..1 + numbers.below(200))
                .map(|_| OffsetCommit {
                    partition: PartitionId(numbers.below(600)),
                    offset: Offset(numbers.below(1000)),
                    metadata: "m".repeat(numbers.below(60) as usize),
                    ..OffsetCommit::default()
                })
                .collect();
            let offsets = &mut model.entry(text).or_default().1;
            offsets.extend(commits.iter().map(|commit| (commit.partition.0, commit.offset.0)));
            Entry::Committed(id, GroupTable::commit_payload(&group, &commits, 5))
        }
    };
    model.retain(|_, (record, offsets)| record.is_some() || !offsets.is_empty());
    entry
}

fn check(table: &GroupTable, model: &Model) {
    assert_eq!(table.summaries().len(), model.len());
    assert_eq!(table.len(), model.len());
    let mut partitions = std::collections::BTreeSet::new();
    for (text, (version, offsets)) in model {
        let group = table.get(&GroupName::new(text).unwrap()).expect("a group of the model");
        assert_eq!(group.record.as_ref().map(|record| record.version), *version, "{text}");
        let found: BTreeMap<u64, u64> = (group.partitions())
            .map(|partition| (partition.0, group.offset(partition).unwrap().offset.0))
            .collect();
        assert_eq!(found, *offsets, "{text}");
        partitions.extend(offsets.keys().copied());
    }
    assert!(table.partitions().map(|partition| partition.0).eq(partitions));
    let memory: usize = table.groups_behind(None).map(|(_, group)| group.memory()).sum();
    assert_eq!(table.memory(), memory);
}

#[test]
fn a_checkpoint_taken_while_groups_change_gives_the_same_groups_after_its_frames() {
    let (mut parts, mut twice) = (0, 0);
    for seed in 0..60 {
        let mut numbers = Numbers(seed);
        let (mut table, mut model) = (GroupTable::default(), Model::new());
        for _ in 0..80 {
            let entry = draw(&mut numbers, &table, &mut model);
            apply(&mut table, &entry);
        }
        check(&table, &model);
        let (mut slices, mut since) = (Vec::new(), Vec::new());
        let mut cursor = GroupsCursor::default();
        while let Some(slice) = table.slice(&mut cursor) {
            parts += slice.groups.iter().filter(|row| row.head.is_none()).count();
            slices.push(encode(&slice));
            for _ in 0..numbers.below(4) {
                let entry = draw(&mut numbers, &table, &mut model);
                apply(&mut table, &entry);
                since.push(entry);
            }
        }
        let mut copy = GroupTable::default();
        for slice in &slices {
            copy.restore(deserialize(view::<GroupsV1>(slice).unwrap())).unwrap();
        }
        twice += usize::from(copy.names.len() < copy.groups.len());
        for entry in &since {
            apply(&mut copy, entry);
        }
        check(&copy, &model);
        assert!(copy.groups == table.groups && copy.names == table.names);
        assert!(copy.next() >= table.next() || slices.is_empty());
    }
    assert!(parts > 0, "no group was large enough for two slices");
    assert!(twice > 0, "no name was there twice");
}

#[test]
fn a_slice_that_contradicts_itself_is_refused() {
    let mut numbers = Numbers(5);
    let (mut table, mut model) = (GroupTable::default(), Model::new());
    for _ in 0..30 {
        let entry = draw(&mut numbers, &table, &mut model);
        apply(&mut table, &entry);
    }
    let slice = table.slice(&mut GroupsCursor::default()).unwrap();
    assert_eq!(GroupTable::default().restore(slice.clone()), Ok(()));
    let refused = |change: &dyn Fn(&mut GroupsV1), what: &str| {
        let mut changed = slice.clone();
        change(&mut changed);
        assert_eq!(GroupTable::default().restore(changed), Err(what));
    };
    refused(&|slice| slice.next = 1, "a group with a number that was never given");
    refused(&|slice| slice.groups[0].head = None, "offsets of no group");
    refused(&|slice| slice.groups.push(slice.groups[0].clone()), "a group twice");
    let with_offsets = |slice: &mut GroupsV1| {
        let row = slice.groups.iter_mut().find(|row| !row.offsets.is_empty()).unwrap();
        row.offsets.push(row.offsets[0].clone());
    };
    refused(&with_offsets, "a committed offset twice");
    refused(&|slice| slice.groups[0].head.as_mut().unwrap().name = String::new(), "the name of a group");
}

#[test]
fn what_is_decided_ahead_can_be_thrown_away_and_rebuilt() {
    use super::{Effect, GroupsAhead};
    use crate::model::Sequence;
    let table = GroupTable::default();
    let mut ahead = GroupsAhead::default();
    let effect = |id, record, deleted, memory, offsets| Effect {
        name: name(1),
        id: GroupId(id),
        record,
        deleted,
        memory,
        offsets,
    };
    assert_eq!((ahead.see(&table, &name(1)), ahead.next(&table)), (None, 1));
    ahead.decided(&table, Sequence(5), effect(1, None, false, 100, 3));
    ahead.decided(&table, Sequence(6), effect(1, Some((2, true)), false, 10, 0));
    ahead.decided(&table, Sequence(7), effect(1, None, true, 0, 0));
    ahead.decided(&table, Sequence(8), effect(1, Some((3, false)), false, 1, 0));
    let expected = ahead.see(&table, &name(1)).unwrap();
    assert_eq!((expected.version, expected.active, expected.exists), (3, false, true));
    assert_eq!((ahead.next(&table), ahead.memory(), ahead.new_groups(&table)), (4, 111, 1));
    ahead.rebuild(&table);
    assert_eq!(ahead.see(&table, &name(1)), Some(expected));
    assert_eq!((ahead.next(&table), ahead.memory(), ahead.new_groups(&table)), (4, 111, 1));
    ahead.committed(Sequence(7));
    assert!(ahead.is_changing(&name(1)));
    assert_eq!(ahead.memory(), 1);
    ahead.committed(Sequence(8));
    assert_eq!((ahead.is_changing(&name(1)), ahead.memory()), (false, 0));
}
