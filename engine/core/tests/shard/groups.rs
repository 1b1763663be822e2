//! Groups: what they commit is found again, together, and goes only when it may.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use thalweg_engine::client::{
    CommitOffsetsError, CommittedOffset, DeleteGroupError, GroupRecord, GroupSummary, OffsetCommit,
    SetGroupRecordError,
};
use thalweg_engine::io::Runtime;
use thalweg_engine::limits::{GROUP_RECORD_SIZE_MAX, OFFSET_METADATA_SIZE_MAX};
use thalweg_engine::model::{GroupName, GroupNameError, Offset, PartitionId};
use thalweg_sim::{Crash, Prng, RunEnd, StopAt, World, WorldConfig};

use super::common::{Client, Shared, batch, create, name, run, start};

const DAY_MS: u64 = 24 * 3_600_000;

fn group(text: &str) -> GroupName {
    GroupName::new(text).unwrap()
}

fn commit(partition: PartitionId, offset: u64) -> OffsetCommit {
    OffsetCommit { partition, offset: Offset(offset), ..OffsetCommit::default() }
}

fn found(partition: PartitionId, offset: u64) -> CommittedOffset {
    CommittedOffset { partition, offset: Offset(offset), leader_epoch: None, metadata: String::new() }
}

async fn committed(client: &Client, name: &str) -> Vec<CommittedOffset> {
    client.committed_offsets(&group(name), None).await.unwrap()
}

async fn sleep(client: &Client, ms: u64) {
    client.runtime().sleep(Duration::from_millis(ms)).await;
}

#[test]
fn a_group_has_a_name_within_its_limits_and_falls_to_one_slot() {
    assert_eq!(GroupName::new(""), Err(GroupNameError::Empty));
    assert_eq!(GroupName::new(&"x".repeat(1025)), Err(GroupNameError::TooLong { size: 1025, limit: 1024 }));
    assert!(GroupName::new(&"x".repeat(1024)).is_ok());
    // CRC-32 of these bytes is known: 0xcbf43926.
    assert_eq!(group("123456789").slot().0, 0x26);
    let slots: std::collections::BTreeSet<u16> =
        (0..1000).map(|n| group(&format!("g{n}")).slot().0).collect();
    assert_eq!(slots.len(), 64);
}

#[test]
fn every_shard_tells_what_was_committed_through_any_other() {
    let world = World::new(1, WorldConfig::calm());
    let shared: Shared<u32> = Shared::new();
    run(&world, 3, move |client, _| {
        let shared = shared.clone();
        async move {
            let own = client.shard().0;
            if own == 0 {
                assert_eq!(client.groups().await, Ok(Vec::new()));
                assert_eq!(committed(&client, "g0").await, []);
                assert!(matches!(
                    client.delete_group(&group("g0")).await,
                    Err(DeleteGroupError::Unknown { .. })
                ));
                create(&client, "topic", 5).await;
                shared.put(1);
            }
            shared.get(client.runtime()).await;
            let topic = client.topic(&name("topic")).unwrap();
            let all: Vec<_> = topic.partitions.iter().map(|partition| partition.id).collect();
            for number in 0..10u64 {
                let mine = group(&format!("g{}", 10 * u64::from(own) + number));
                let full = OffsetCommit {
                    partition: all[3],
                    offset: Offset(u64::MAX),
                    leader_epoch: Some(7),
                    metadata: "where I was".to_owned(),
                    keep: None,
                };
                let offsets = [commit(all[4], number), full.clone(), commit(all[0], 1), commit(all[0], 2)];
                client.commit_offsets(&mine, &offsets).await.unwrap();
                let full = CommittedOffset {
                    partition: all[3],
                    offset: full.offset,
                    leader_epoch: Some(7),
                    metadata: full.metadata,
                };
                let expected = vec![found(all[0], 2), full.clone(), found(all[4], number)];
                assert_eq!(client.committed_offsets(&mine, None).await.unwrap(), expected);
                let some = client.committed_offsets(&mine, Some(&[all[4], all[1], all[4], all[3]])).await;
                assert_eq!(some.unwrap(), [full, found(all[4], number)]);
            }
            shared.put(shared.get(client.runtime()).await + 1);
            while shared.get(client.runtime()).await < 4 {
                sleep(&client, 1).await;
            }
            let names: Vec<_> = client.groups().await.unwrap().into_iter().map(|group| group.name).collect();
            let mut expected: Vec<_> = (0..30).map(|number| group(&format!("g{number}"))).collect();
            expected.sort();
            assert_eq!(names, expected);
            for number in 0..30u64 {
                assert_eq!(committed(&client, &format!("g{number}")).await[2].offset, Offset(number % 10));
            }
        }
    });
    assert!(world.coverage().of("catalog-gap") == 0);
}

#[test]
fn what_is_not_allowed_is_refused_whole() {
    let world = World::new(1, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard().0 == 1 {
            return;
        }
        let topic = create(&client, "topic", 1).await;
        let partition = topic.partitions[0].id;
        for text in ["here", "there", "everywhere"] {
            let name = group(text);
            let unknown = PartitionId(99);
            let refused = client.commit_offsets(&name, &[commit(partition, 1), commit(unknown, 1)]).await;
            assert_eq!(refused, Err(CommitOffsetsError::UnknownPartition { partition: unknown }));
            let (size, limit) = (OFFSET_METADATA_SIZE_MAX + 1, OFFSET_METADATA_SIZE_MAX);
            let mut long = OffsetCommit { metadata: "x".repeat(size), ..commit(partition, 1) };
            let refused = client.commit_offsets(&name, &[commit(partition, 1), long.clone()]).await;
            assert_eq!(refused, Err(CommitOffsetsError::MetadataTooLong { partition, size, limit }));
            // More than a frame of this folder holds.
            long.metadata.truncate(limit);
            let refused = client.commit_offsets(&name, &vec![long.clone(); 20]).await;
            assert!(matches!(refused, Err(CommitOffsetsError::TooLarge { .. })), "{refused:?}");
            let refused = client.set_group_record(&name, 0, true, &vec![0; GROUP_RECORD_SIZE_MAX + 1]).await;
            assert!(matches!(refused, Err(SetGroupRecordError::TooLarge { .. })), "{refused:?}");
            assert_eq!(client.groups().await, Ok(Vec::new()));
            client.commit_offsets(&name, &[]).await.unwrap();
            assert_eq!(client.groups().await, Ok(Vec::new()));
            client.commit_offsets(&name, &[long]).await.unwrap();
            client.delete_group(&name).await.unwrap();
        }
    });
}

#[test]
fn a_record_changes_only_from_the_version_that_was_seen() {
    let world = World::new(3, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard().0 == 1 {
            return;
        }
        let topic = create(&client, "topic", 1).await;
        let mut last = 0;
        for text in ["a", "b", "c", "d", "e"] {
            let name = group(text);
            assert_eq!(client.group_record(&name).await, Ok(None));
            let first = client.set_group_record(&name, 0, true, b"one").await.unwrap();
            let refused = client.set_group_record(&name, 0, true, b"two").await;
            assert_eq!(refused, Err(SetGroupRecordError::Version { expected: 0, current: first }));
            let record = GroupRecord { version: first, active: true, bytes: b"one".to_vec() };
            assert_eq!(client.group_record(&name).await, Ok(Some(record)));
            let refused = client.delete_group(&name).await;
            assert_eq!(refused, Err(DeleteGroupError::Active { group: name.clone() }));
            client.commit_offsets(&name, &[commit(topic.partitions[0].id, 5)]).await.unwrap();
            let second = client.set_group_record(&name, first, false, b"two").await.unwrap();
            assert!(second > first);
            let summary = GroupSummary { name: name.clone(), active: false, offsets: 1, version: second };
            assert_eq!(client.groups().await, Ok(vec![summary]));
            // Both in flight: the second is decided on what the first will be.
            let (deleted, third) =
                both(client.delete_group(&name), client.set_group_record(&name, 0, false, b"new")).await;
            deleted.unwrap();
            // A version is never the one of another life.
            assert!(third.unwrap() > second);
            let refused = client.set_group_record(&name, second, false, b"old").await;
            assert!(matches!(refused, Err(SetGroupRecordError::Version { .. })), "{refused:?}");
            assert_eq!(committed(&client, text).await, []);
            client.delete_group(&name).await.unwrap();
            assert_eq!(client.group_record(&name).await, Ok(None));
            last = second.max(last);
        }
        assert!(last > 0);
    });
}

/// Both answers, of two requests that are under way at once, begun in this order.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let (mut left, mut right) = (None, None);
    std::future::poll_fn(|context| {
        use std::task::Poll;
        if left.is_none()
            && let Poll::Ready(answer) = a.as_mut().poll(context)
        {
            left = Some(answer);
        }
        if right.is_none()
            && let Poll::Ready(answer) = b.as_mut().poll(context)
        {
            right = Some(answer);
        }
        if left.is_some() && right.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (left.unwrap(), right.unwrap())
}

#[test]
fn a_deleted_topic_takes_its_committed_offsets_along_and_its_successor_inherits_none() {
    let world = World::new(5, WorldConfig::calm());
    run(&world, 2, |client, _| async move {
        if client.shard().0 == 1 {
            return;
        }
        let gone = create(&client, "topic", 3).await;
        let kept = create(&client, "kept", 1).await.partitions[0].id;
        for number in 0..20 {
            let name = group(&format!("g{number}"));
            let mut offsets: Vec<_> =
                gone.partitions.iter().map(|partition| commit(partition.id, 9)).collect();
            if number % 2 == 0 {
                offsets.push(commit(kept, number));
            }
            client.commit_offsets(&name, &offsets).await.unwrap();
        }
        client.delete_topic(&name("topic")).await.unwrap();
        let again = create(&client, "topic", 3).await;
        for number in 0..20 {
            let left = committed(&client, &format!("g{number}")).await;
            assert_eq!(left, if number % 2 == 0 { vec![found(kept, number)] } else { Vec::new() });
            let ids: Vec<_> = again.partitions.iter().map(|partition| partition.id).collect();
            let inherited = client.committed_offsets(&group("g0"), Some(&ids)).await.unwrap();
            assert_eq!(inherited, []);
        }
        // By then it was said in frames: groups that had nothing else are no more.
        sleep(&client, 3000).await;
        let groups = client.groups().await.unwrap();
        assert_eq!(groups.len(), 10);
        assert!(groups.iter().all(|group| group.offsets == 1));
        // A commit for what is gone is refused, and one made before it was heard of is let go of.
        let refused = client.commit_offsets(&group("g0"), &[commit(gone.partitions[0].id, 1)]).await;
        let partition = gone.partitions[0].id;
        assert_eq!(refused, Err(CommitOffsetsError::UnknownPartition { partition }));
    });
    assert!(world.coverage().of("offsets-of-deleted") > 0);
}

#[test]
fn committed_offsets_expire_when_nobody_is_in_the_group_and_no_earlier() {
    for restart in [false, true] {
        let world = Rc::new(World::new(7, WorldConfig::calm()));
        let script = move |client: Client| async move {
            let partition = match client.topic(&name("topic")) {
                Some(topic) => topic.partitions[0].id,
                None => create(&client, "topic", 1).await.partitions[0].id,
            };
            let at = [commit(partition, 1)];
            client.commit_offsets(&group("lonely"), &at).await.unwrap();
            client.commit_offsets(&group("joined"), &at).await.unwrap();
            let version =
                client.group_record(&group("joined")).await.unwrap().map_or(0, |record| record.version);
            client.set_group_record(&group("joined"), version, true, b"members").await.unwrap();
            let soon = OffsetCommit { keep: Some(Duration::from_secs(60)), ..commit(partition, 1) };
            client.commit_offsets(&group("brief"), &[soon]).await.unwrap();
            // A record of the group without offsets stays for as long.
            let version =
                client.group_record(&group("known")).await.unwrap().map_or(0, |record| record.version);
            client.set_group_record(&group("known"), version, false, b"nobody").await.unwrap();
        };
        run(&world, 1, move |client, _| script(client));
        if restart {
            world.crash(Crash::Power);
        }
        let clocks = Rc::clone(&world);
        run(&world, 1, move |client, _| {
            let clocks = Rc::clone(&clocks);
            async move {
                let names = async || {
                    let groups = client.groups().await.unwrap();
                    groups.iter().map(|group| group.name.as_str().to_owned()).collect::<Vec<_>>()
                };
                sleep(&client, 58_000).await;
                assert_eq!(names().await, ["brief", "joined", "known", "lonely"]);
                sleep(&client, 10_000).await;
                assert_eq!(names().await, ["joined", "known", "lonely"]);
                // A wall clock that jumps a year ahead does not matter.
                sleep(&client, 700_000).await;
                clocks.step_wall_clock(365 * DAY_MS as i64);
                sleep(&client, 7 * DAY_MS - 780_000).await;
                assert_eq!(names().await, ["joined", "known", "lonely"]);
                sleep(&client, 30_000).await;
                assert_eq!(names().await, ["joined"]);
                // From when the last member left.
                let version = client.group_record(&group("joined")).await.unwrap().unwrap().version;
                client.set_group_record(&group("joined"), version, false, b"nobody").await.unwrap();
                sleep(&client, 7 * DAY_MS - 10_000).await;
                assert_eq!(committed(&client, "joined").await.len(), 1);
                sleep(&client, 30_000).await;
                assert_eq!(names().await, Vec::<String>::new());
            }
        });
        assert!(world.coverage().of("offsets-expired") > 0);
    }
}

/// What was committed, by group and partition, and which group has which record.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    offsets: BTreeMap<(u64, PartitionId), CommittedOffset>,
    records: BTreeMap<u64, GroupRecord>,
}

impl Model {
    fn exists(&self, number: u64) -> bool {
        self.records.contains_key(&number) || self.offsets.keys().any(|(of, _)| *of == number)
    }

    async fn check(&self, client: &Client) {
        for number in 0..12 {
            let name = format!("g{number}");
            let expected: Vec<_> = self
                .offsets
                .iter()
                .filter(|((of, _), _)| *of == number)
                .map(|(_, found)| found.clone())
                .collect();
            assert_eq!(committed(client, &name).await, expected, "{name}");
            assert_eq!(client.group_record(&group(&name)).await.unwrap(), self.records.get(&number).cloned());
        }
        let names = client.groups().await.unwrap().len();
        assert_eq!(names, (0..12).filter(|number| self.exists(*number)).count());
    }

    /// Does something, and the same to the model.
    async fn step(&mut self, client: &Client, prng: &mut Prng, partitions: &[PartitionId]) {
        let number = prng.below(12);
        let name = group(&format!("g{number}"));
        match prng.below(10) {
            0 => {
                let known = self.exists(number);
                let active = self.records.get(&number).is_some_and(|record| record.active);
                let answer = client.delete_group(&name).await;
                match (known, active) {
                    (false, _) => assert_eq!(answer, Err(DeleteGroupError::Unknown { group: name })),
                    (true, true) => assert_eq!(answer, Err(DeleteGroupError::Active { group: name })),
                    (true, false) => {
                        answer.unwrap();
                        self.offsets.retain(|(of, _), _| *of != number);
                        self.records.remove(&number);
                    }
                }
            }
            1 => {
                let from = prng.below(40) as usize;
                let some: Vec<_> =
                    partitions[from..].iter().step_by(1 + prng.below(3) as usize).copied().collect();
                let answer = client.delete_offsets(&name, &some).await;
                assert_eq!(answer.is_ok(), self.exists(number));
                self.offsets.retain(|(of, partition), _| *of != number || !some.contains(partition));
            }
            2 | 3 => {
                let expected = self.records.get(&number).map_or(0, |record| record.version);
                let bytes = vec![number as u8; prng.below(3000) as usize];
                let active = prng.coin();
                let version = client.set_group_record(&name, expected, active, &bytes).await.unwrap();
                self.records.insert(number, GroupRecord { version, active, bytes });
            }
            _ => {
                let count = 1 + prng.below(40);
                let mut commits = Vec::new();
                for _ in 0..count {
                    let partition = partitions[prng.below(partitions.len() as u64) as usize];
                    let metadata = "m".repeat(prng.below(400) as usize);
                    let (offset, leader_epoch) = (Offset(prng.below(1000)), prng.coin().then_some(3));
                    let found =
                        CommittedOffset { partition, offset, leader_epoch, metadata: metadata.clone() };
                    self.offsets.insert((number, partition), found);
                    commits.push(OffsetCommit { partition, offset, leader_epoch, metadata, keep: None });
                }
                client.commit_offsets(&name, &commits).await.unwrap();
            }
        }
    }
}

#[test]
fn groups_follow_the_model_through_checkpoints_and_crashes() {
    let (mut slices, mut named) = (0, 0);
    for seed in 0..12 {
        let world = World::new(seed, WorldConfig::calm());
        let shared: Shared<Model> = Shared::new();
        shared.put(Model::default());
        for life in 0..4 {
            let kept = shared.clone();
            let script = move |client: Client, shard: thalweg_engine::shard::Shard<_>| {
                let kept = kept.clone();
                async move {
                    if client.shard().0 == 1 {
                        while client.topic(&name("topic")).is_none() {
                            sleep(&client, 1).await;
                        }
                        if life == 2 {
                            shard.checkpoint().await.unwrap();
                        }
                        return;
                    }
                    let partitions: Vec<_> = match client.topic(&name("topic")) {
                        Some(topic) => topic.partitions,
                        None => create(&client, "topic", 60).await.partitions,
                    }
                    .iter()
                    .map(|partition| partition.id)
                    .collect();
                    let mut model = kept.get(client.runtime()).await;
                    model.check(&client).await;
                    let mut prng = Prng::new(100 * seed + life);
                    for step in 0..150 {
                        model.step(&client, &mut prng, &partitions).await;
                        kept.put(model.clone());
                        if step == 70 && life != 0 {
                            shard.checkpoint().await.unwrap();
                        }
                        if step % 30 == 0 {
                            shard.forget_speculation();
                        }
                    }
                    model.check(&client).await;
                }
            };
            start(&world, 2, script);
            assert_eq!(world.run_until(StopAt::Exit), RunEnd::Exited);
            if seed % 2 == 0 {
                world.crash(Crash::Power);
            }
        }
        slices += world.coverage().of("checkpoint-slice");
        named += world.coverage().of("checkpoint-named");
    }
    assert!(slices > named, "{slices} slices of {named} checkpoints");
}

#[test]
fn on_a_full_disk_commits_are_refused_and_groups_can_be_deleted() {
    // Five segments, their checkpoints, and not one segment more.
    let capacity = 5 * (256 << 10) + (200 << 10);
    let world = World::new(3, WorldConfig { disk_capacity: capacity, ..WorldConfig::calm() });
    run(&world, 1, |client, shard| async move {
        let topic = create(&client, "topic", 2).await;
        let other = create(&client, "other", 1).await.partitions[0].id;
        let (first, second) = (topic.partitions[0].id, topic.partitions[1].id);
        let mut groups = 0;
        // Until there is room neither for records nor for offsets.
        let big = batch(&[&"x".repeat(20_000)]);
        loop {
            let appended = client.append(second, &big).await.is_ok();
            let offsets = [commit(first, groups), commit(second, groups), commit(other, groups)];
            match client.commit_offsets(&group(&format!("g{groups}")), &offsets).await {
                Ok(()) => groups += 1,
                Err(error) => assert_eq!(error, CommitOffsetsError::NoSpace),
            }
            if !appended && client.commit_offsets(&group("g0"), &offsets).await.is_err() {
                break;
            }
        }
        assert!(groups > 10, "{groups} groups");
        let refused = client.set_group_record(&group("g0"), 0, true, b"members").await;
        assert_eq!(refused, Err(SetGroupRecordError::NoSpace));
        let last = format!("g{}", groups - 1);
        assert_eq!(committed(&client, &last).await.len(), 3);
        // Giving back is always possible.
        client.delete_offsets(&group(&last), &[first, other]).await.unwrap();
        assert_eq!(committed(&client, &last).await, [found(second, groups - 1)]);
        for number in 0..groups - 1 {
            client.delete_group(&group(&format!("g{number}"))).await.unwrap();
        }
        client.delete_topic(&name("topic")).await.unwrap();
        while !client.groups().await.unwrap().is_empty() {
            sleep(&client, 100).await;
        }
        shard.checkpoint().await.unwrap();
        let mut tries = 0;
        while let Err(error) = client.commit_offsets(&group("again"), &[commit(other, 1)]).await {
            assert_eq!(error, CommitOffsetsError::NoSpace);
            sleep(&client, 100).await;
            tries += 1;
            assert!(tries < 100, "no room comes back");
        }
    });
    world.crash(Crash::Power);
    run(&world, 1, |client, _| async move {
        assert_eq!(client.groups().await.unwrap().len(), 1);
        assert_eq!(committed(&client, "again").await.len(), 1);
    });
}
