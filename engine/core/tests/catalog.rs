//! The catalog against an oracle of plain maps, its bytes, and hostile bytes.

use std::collections::{BTreeMap, BTreeSet};

use thalweg_engine::catalog::{
    Applied, Catalog, CatalogAnswer, CatalogChange, CatalogError, CatalogRequest, CatalogVersion, Change,
    Cleanup, CleanupPolicy, Partition, PlacementEpoch, Retention, Slot, Topic, TopicSettings,
};
use thalweg_engine::limits::{PRODUCER_ID_BLOCK, TOPIC_PARTITIONS_MAX};
use thalweg_engine::model::{PartitionId, ProducerId, ShardId, SlotId, TopicId, TopicName};
use thalweg_sim::Prng;

fn name(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

fn create(text: &str, partitions: u32) -> CatalogRequest {
    CatalogRequest::CreateTopic { name: name(text), partitions, settings: TopicSettings::default() }
}

fn change(catalog: &mut Catalog, request: &CatalogRequest) -> Result<CatalogAnswer, CatalogError> {
    let change = catalog.plan(request, 3)?;
    let answer = catalog.answer(&change.change);
    assert_eq!(catalog.apply(&change), Applied::Done);
    Ok(answer)
}

#[test]
fn the_layout_of_a_change_is_pinned() {
    let topic = Topic {
        id: TopicId(7),
        name: name("words-by-key"),
        partitions: vec![Partition {
            id: PartitionId(0x0102_0304_0506_0708),
            shard: ShardId(0x000b),
            epoch: PlacementEpoch(0x0c0d_0e0f),
        }],
        settings: TopicSettings {
            internal: true,
            retention: Retention { ms: Some(0x1112), bytes: None },
            cleanup: Cleanup {
                policy: CleanupPolicy::CompactAndDelete,
                tombstone_delay_ms: 0x1314,
                lag_ms: 0x15,
                dirty_percent: 33,
            },
        },
    };
    let change = CatalogChange { version: CatalogVersion(9), change: Change::TopicCreated(topic) };
    #[rustfmt::skip]
    let golden: Vec<u8> = [
        &[32, 0, 4, 0, 94, 0, 0, 0][..],      // envelope: type, version, size
        b"words-by-key",                      // name
        &[8, 7, 6, 5, 4, 3, 2, 1],            // partition: id
        &[0x0b, 0x00], &[0x0f, 0x0e, 0x0d, 0x0c], // its shard, its epoch
        &[9, 0, 0, 0, 0, 0, 0, 0],            // version of the catalog
        &[0],                                 // a topic was created
        &[7, 0, 0, 0, 0, 0, 0, 0],            // id
        &[0x8c, 0, 0, 0], &[0xd5, 0xff, 0xff, 0xff], // name: length and where
        &[0xd9, 0xff, 0xff, 0xff], &[1, 0, 0, 0],    // partitions: where and how many
        &[1],                                 // internal
        &[0x12, 0x11, 0, 0, 0, 0, 0, 0],      // retention: milliseconds
        &[0xff; 8],                           // and bytes
        &[2],                                 // compacted, and let go
        &[0x14, 0x13, 0, 0, 0, 0, 0, 0],      // delay of tombstones
        &[0x15, 0, 0, 0, 0, 0, 0, 0],         // lag
        &[33],                                // percent
    ]
    .concat();
    assert_eq!(change.encode(), golden);
    assert_eq!(CatalogChange::decode(&golden), Ok(change.clone()));
    // Versions before did not have the last four fields.
    let Change::TopicCreated(mut topic) = change.change else { panic!("a topic was created") };
    topic.settings.cleanup = Cleanup::default();
    let change = CatalogChange { change: Change::TopicCreated(topic), ..change };
    for version in [2, 3] {
        let mut old = golden[..golden.len() - 18].to_vec();
        (old[2], old[4]) = (version, 76);
        assert_eq!(CatalogChange::decode(&old), Ok(change.clone()), "version {version}");
    }
}

#[test]
fn coordinator_slots_are_placed_once_and_on_every_shard() {
    let mut catalog = Catalog::default();
    change(&mut catalog, &create("orders", 2)).unwrap();
    assert_eq!((catalog.slot(SlotId(0)), catalog.coordinators().count()), (None, 0));
    let empty = catalog.encode();
    assert_eq!(Catalog::decode(&empty).unwrap().coordinators().count(), 0);
    let placed = catalog.plan(&CatalogRequest::PlaceSlots, 3).unwrap();
    assert_eq!(CatalogChange::decode(&placed.encode()), Ok(placed));
    assert_eq!(change(&mut catalog, &CatalogRequest::PlaceSlots), Ok(CatalogAnswer::SlotsPlaced));
    let copy = Catalog::decode(&catalog.encode()).unwrap();
    for catalog in [&catalog, &copy] {
        for slot in 0..64 {
            let place = Slot { shard: ShardId(slot % 3), epoch: PlacementEpoch(0) };
            assert_eq!(catalog.slot(SlotId(slot)), Some(place));
        }
        assert_eq!(catalog.slot(SlotId(64)), None);
        assert_eq!(catalog.coordinators().collect::<Vec<_>>(), [ShardId(0), ShardId(1), ShardId(2)]);
    }
    assert_eq!(copy.encode(), catalog.encode());
}

#[test]
fn a_catalog_of_version_2_is_read() {
    // As a folder of before coordinator slots had it: one topic of one partition.
    #[rustfmt::skip]
    let old: Vec<u8> = [
        &[33, 0, 2, 0, 95, 0, 0, 0][..],
        &[4, 0, 0, 0, 0, 0, 0, 0], &[3, 0], &[5, 0, 0, 0],       // partition: id, shard, epoch
        &[2, 0, 0, 0, 0, 0, 0, 0],                               // topic: id
        &[b'a', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],       // name
        &[0xe2, 0xff, 0xff, 0xff], &[1, 0, 0, 0],                // partitions: where and how many
        &[0], &[0xff; 8], &[0xff; 8],                            // settings
        &[6, 0, 0, 0, 0, 0, 0, 0],                               // version of the catalog
        &[3, 0, 0, 0, 0, 0, 0, 0], &[5, 0, 0, 0, 0, 0, 0, 0], &[7, 0, 0, 0, 0, 0, 0, 0],
        &[0xb7, 0xff, 0xff, 0xff], &[1, 0, 0, 0],                // topics: where and how many
    ]
    .concat();
    let mut catalog = Catalog::decode(&old).unwrap();
    assert_eq!(catalog.version(), CatalogVersion(6));
    assert_eq!(catalog.placement(PartitionId(4)), Some(ShardId(3)));
    assert_eq!(catalog.slot(SlotId(0)), None);
    change(&mut catalog, &CatalogRequest::PlaceSlots).unwrap();
    assert!(catalog.slot(SlotId(63)).is_some());
}

#[test]
fn changes_and_answers_follow_the_oracle_and_ids_are_never_reused() {
    for seed in 0..200 {
        let mut prng = Prng::new(seed);
        let mut catalog = Catalog::default();
        let mut copy = Catalog::default();
        let mut settings_of: BTreeMap<TopicName, TopicSettings> = BTreeMap::new();
        let mut oracle: BTreeMap<TopicName, Vec<PartitionId>> = BTreeMap::new();
        let mut topics_given = BTreeSet::new();
        let mut partitions_given = BTreeSet::new();
        let mut producers = 0;
        for _ in 0..60 {
            let text = name(&format!("t{}", prng.below(6)));
            let count = prng.below(6) as u32;
            let retention = Retention { ms: Some(prng.below(9)), bytes: (count > 2).then_some(7) };
            let cleanup = Cleanup { lag_ms: prng.below(3), ..Cleanup::default() };
            let asked = TopicSettings { internal: prng.below(2) == 0, retention, cleanup };
            let request = match prng.below(5) {
                0 => CatalogRequest::CreateTopic { name: text.clone(), partitions: count, settings: asked },
                1 => CatalogRequest::DeleteTopic { name: text.clone() },
                2 => CatalogRequest::AddPartitions { name: text.clone(), total: count },
                3 => CatalogRequest::AlterTopic { name: text.clone(), settings: asked },
                _ => CatalogRequest::ProducerIds,
            };
            let version = catalog.version();
            let planned = catalog.plan(&request, 3);
            let answer = change(&mut catalog, &request);
            match (&request, oracle.get_mut(&text)) {
                (CatalogRequest::CreateTopic { .. }, Some(_)) => {
                    assert_eq!(answer, Err(CatalogError::Exists { name: text }));
                }
                (CatalogRequest::CreateTopic { .. }, None) if count == 0 => {
                    assert!(matches!(answer, Err(CatalogError::PartitionCount { count: 0, .. })));
                }
                (CatalogRequest::CreateTopic { settings, .. }, None) => {
                    let Ok(CatalogAnswer::Topic(topic)) = answer else { panic!("{answer:?}") };
                    assert!(topics_given.insert(topic.id));
                    assert_eq!((&topic.name, topic.settings), (&text, *settings));
                    let ids: Vec<_> = topic.partitions.iter().map(|partition| partition.id).collect();
                    assert_eq!(ids.len(), count as usize);
                    assert!(ids.iter().all(|id| partitions_given.insert(*id)));
                    settings_of.insert(text.clone(), *settings);
                    oracle.insert(text, ids);
                }
                (CatalogRequest::AlterTopic { settings, .. }, Some(ids)) => {
                    let Ok(CatalogAnswer::Topic(topic)) = answer else { panic!("{answer:?}") };
                    let known = settings_of.get_mut(&text).unwrap();
                    *known = TopicSettings { internal: known.internal, ..*settings };
                    assert_eq!((topic.settings, topic.partitions.len()), (*known, ids.len()));
                }
                (
                    CatalogRequest::DeleteTopic { .. }
                    | CatalogRequest::AddPartitions { .. }
                    | CatalogRequest::AlterTopic { .. },
                    None,
                ) => {
                    assert_eq!(answer, Err(CatalogError::Unknown { name: text }));
                }
                (CatalogRequest::DeleteTopic { .. }, Some(_)) => {
                    assert!(answer.is_ok());
                    oracle.remove(&text);
                }
                (CatalogRequest::AddPartitions { .. }, Some(ids)) if count as usize <= ids.len() => {
                    assert!(matches!(answer, Err(CatalogError::FewerPartitions { .. })));
                }
                (CatalogRequest::AddPartitions { .. }, Some(ids)) => {
                    let Ok(CatalogAnswer::Topic(topic)) = answer else { panic!("{answer:?}") };
                    let new = &topic.partitions[ids.len()..];
                    assert!(new.iter().all(|partition| partitions_given.insert(partition.id)));
                    ids.extend(new.iter().map(|partition| partition.id));
                    assert_eq!(ids.len(), count as usize);
                }
                (CatalogRequest::PlaceSlots, _) => unreachable!("not asked for here"),
                (CatalogRequest::ProducerIds, _) => {
                    let Ok(CatalogAnswer::ProducerIds(block)) = answer else { panic!("{answer:?}") };
                    assert_eq!((block.first, block.count), (ProducerId(producers), PRODUCER_ID_BLOCK));
                    producers += u64::from(PRODUCER_ID_BLOCK);
                }
            }
            let changed = u64::from(planned.is_ok());
            assert_eq!(catalog.version().0, version.0 + changed);
            if let Ok(change) = planned {
                let change = CatalogChange::decode(&change.encode()).unwrap();
                assert_eq!(copy.apply(&change), Applied::Done);
                assert_eq!(copy.apply(&change), Applied::Old);
            }
            if prng.below(10) == 0 {
                copy = Catalog::decode(&copy.encode()).unwrap();
            }
        }
        let found: BTreeMap<TopicName, Vec<PartitionId>> = copy
            .topics()
            .map(|topic| (topic.name.clone(), topic.partitions.iter().map(|p| p.id).collect()))
            .collect();
        assert_eq!(found, oracle, "seed {seed}");
        for topic in copy.topics() {
            assert_eq!(topic.settings, settings_of[&topic.name], "seed {seed}");
            for (index, partition) in topic.partitions.iter().enumerate() {
                assert_eq!(u64::from(partition.shard.0), (topic.id.0 + index as u64) % 3);
                assert_eq!(copy.placement(partition.id), Some(partition.shard));
            }
        }
        for partition in partitions_given {
            let exists = oracle.values().flatten().any(|id| *id == partition);
            assert_eq!(copy.placement(partition).is_some(), exists);
            assert!(copy.was_given(partition));
        }
        assert_eq!(catalog.encode(), copy.encode());
    }
}

#[test]
fn a_missing_change_is_a_gap_and_changes_nothing() {
    let mut catalog = Catalog::default();
    let mut copy = Catalog::default();
    let first = catalog.plan(&create("a", 1), 1).unwrap();
    assert_eq!(catalog.apply(&first), Applied::Done);
    let second = catalog.plan(&create("b", 1), 1).unwrap();
    assert_eq!(catalog.apply(&second), Applied::Done);
    assert_eq!(copy.apply(&second), Applied::Gap);
    assert_eq!(copy.topics().count(), 0);
    assert_eq!(copy.apply(&first), Applied::Done);
    assert_eq!(copy.apply(&second), Applied::Done);
    assert_eq!(copy.encode(), catalog.encode());
}

#[test]
fn too_many_partitions_are_refused() {
    let mut catalog = Catalog::default();
    let over = TOPIC_PARTITIONS_MAX + 1;
    let refused = change(&mut catalog, &create("a", over));
    assert_eq!(refused, Err(CatalogError::PartitionCount { count: over, limit: TOPIC_PARTITIONS_MAX }));
    for index in 0..16 {
        change(&mut catalog, &create(&format!("t{index}"), TOPIC_PARTITIONS_MAX)).unwrap();
    }
    let refused = change(&mut catalog, &create("one-more", 1));
    assert!(matches!(refused, Err(CatalogError::TooManyPartitions { .. })), "{refused:?}");
    assert_eq!(catalog.version(), CatalogVersion(16));
}

#[test]
fn no_bytes_make_the_decoders_panic() {
    let mut catalog = Catalog::default();
    change(&mut catalog, &create("orders", 3)).unwrap();
    let whole = catalog.encode();
    let delta = catalog.plan(&create("more", 2), 2).unwrap().encode();
    for bytes in [whole, delta] {
        for position in 0..bytes.len() {
            for flip in [1u8, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[position] ^= flip;
                let _ = Catalog::decode(&bytes);
                let _ = CatalogChange::decode(&bytes);
            }
            assert!(Catalog::decode(&bytes[..position]).is_err());
            assert!(CatalogChange::decode(&bytes[..position]).is_err());
        }
    }
}
