//! Groups that commit, read back and delete: what was answered is found, what was not is found whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use thalweg_engine::client::{CommitOffsetsError, DeleteGroupError, OffsetCommit, SetGroupRecordError};
use thalweg_engine::model::{GroupName, Offset, PartitionId};

use super::life::{Driver, Over};

/// Groups, each with one driver.
pub(super) const GROUPS: usize = 3;

/// How long the offsets of the brief group are kept.
const BRIEF: Duration = Duration::from_secs(1);

/// What one group has of the lasting partitions, and which of its records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Held {
    /// Number of the operation that committed it.
    offsets: BTreeMap<PartitionId, u64>,
    /// Number of the operation that set it, and whether the group has members by it.
    record: Option<(u64, bool)>,
}

/// What is known of one group.
#[derive(Debug)]
pub(super) struct Known {
    /// One of these it has: two, if an answer was lost.
    possible: Vec<Held>,
    /// Number of the last operation.
    operation: u64,
    /// Highest version of its record that was seen.
    version: u64,
}

impl Default for Known {
    fn default() -> Self {
        Self { possible: vec![Held::default()], operation: 0, version: 0 }
    }
}

struct Member {
    driver: Driver,
    number: usize,
    group: GroupName,
    lasting: Vec<PartitionId>,
}

pub(super) async fn run(driver: Driver, number: usize, lasting: Vec<PartitionId>) -> Result<(), Over> {
    let group = name(&format!("group-{number}"));
    let member = Member { driver, number, group, lasting };
    if member.check().await? != Held::default() {
        member.driver.runtime().count("shards.group-resumed");
    }
    let driver = &member.driver;
    while !driver.process.is_over() && !driver.process.life.last {
        member.step().await?;
        if driver.below(3) == 0 {
            member.check().await?;
        }
        if number == 0 && driver.below(20) == 0 {
            member.commit_brief().await?;
        }
        driver.pause(driver.below(3_000)).await;
    }
    if driver.process.life.last {
        member.check().await?;
        member.settle().await?;
    }
    Ok(())
}

fn name(text: &str) -> GroupName {
    GroupName::new(text).expect("the name of a group")
}

impl Member {
    fn known<T>(&self, f: impl FnOnce(&mut Known) -> T) -> T {
        f(&mut self.driver.process.oracle.borrow_mut().groups[self.number])
    }

    /// What the group has, after a check of what has been answered about it.
    async fn check(&self) -> Result<Held, Over> {
        let client = &self.driver.client;
        let offsets = client.committed_offsets(&self.group, None).await.map_err(|_| Over)?;
        let record = client.group_record(&self.group).await.map_err(|_| Over)?;
        let mut found = Held::default();
        for committed in offsets {
            let number = committed.offset.0;
            assert_eq!(committed.metadata, number.to_string(), "what came with offset {number}");
            assert!(number <= self.known(|known| known.operation), "offset {number} from nowhere");
            if self.lasting.contains(&committed.partition) {
                found.offsets.insert(committed.partition, number);
            }
        }
        if let Some(record) = record {
            let number =
                u64::from_le_bytes(record.bytes[..8].try_into().expect("a record begins with 8 bytes"));
            found.record = Some((number, record.active));
            self.known(|known| {
                let last = known.version;
                assert!(record.version >= last, "version {} of a record after {last}", record.version);
                known.version = record.version;
            });
        }
        self.known(|known| {
            let possible = &known.possible;
            assert!(possible.contains(&found), "{} has {found:?}; possible is {possible:?}", self.group);
            // What was found once stays true.
            known.possible = vec![found.clone()];
        });
        Ok(found)
    }

    /// One operation, which may turn out as `after` or as before.
    async fn step(&self) -> Result<(), Over> {
        let before = self.known(|known| known.possible[0].clone());
        match self.driver.below(12) {
            0 => self.delete(before).await,
            1 => self.delete_offsets(before).await,
            2 | 3 => self.set_record(before).await,
            _ => self.commit(before).await,
        }?;
        self.driver.process.operation();
        Ok(())
    }

    /// It is tried to turn the group into `after`; the number of the operation.
    fn tried(&self, change: impl FnOnce(u64) -> Held) -> u64 {
        self.known(|known| {
            known.operation += 1;
            known.possible.push(change(known.operation));
            known.operation
        })
    }

    /// The answer came: what was tried was done, or was not.
    fn answered(&self, done: bool) {
        self.known(|known| known.possible = vec![known.possible[usize::from(done)].clone()]);
    }

    async fn commit(&self, before: Held) -> Result<(), Over> {
        let driver = &self.driver;
        let chosen = |partition: &PartitionId| (driver.below(2) == 0).then_some(*partition);
        let lasting: Vec<PartitionId> = self.lasting.iter().filter_map(chosen).collect();
        let passing = driver.process.oracle.borrow().passing_partitions.clone();
        let passing: Vec<PartitionId> = if driver.below(3) == 0 { passing } else { Vec::new() };
        let number = self.tried(|number| {
            let mut after = before;
            after.offsets.extend(lasting.iter().map(|partition| (*partition, number)));
            after
        });
        let commit = |partition: &PartitionId| OffsetCommit {
            partition: *partition,
            offset: Offset(number),
            metadata: number.to_string(),
            ..OffsetCommit::default()
        };
        let offsets: Vec<OffsetCommit> = lasting.iter().chain(&passing).map(commit).collect();
        match driver.client.commit_offsets(&self.group, &offsets).await {
            Ok(()) => self.answered(true),
            Err(CommitOffsetsError::Closed) => return Err(Over),
            Err(CommitOffsetsError::UnknownPartition { partition }) => {
                assert!(passing.contains(&partition), "partition {partition} lasts");
                driver.runtime().count("shards.commit-to-deleted");
                self.answered(false);
            }
            Err(error) => panic!("a commit was refused: {error}"),
        }
        Ok(())
    }

    async fn set_record(&self, before: Held) -> Result<(), Over> {
        let driver = &self.driver;
        let current = driver.client.group_record(&self.group).await.map_err(|_| Over)?;
        let expected = current.map_or(0, |record| record.version);
        // Now and then of a version that it no longer has.
        let stale = driver.below(4) == 0 && expected > 0;
        let active = driver.below(2) == 0;
        let number = self.tried(|number| Held { record: Some((number, active)), ..before });
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.resize(8 + driver.below(2_000) as usize, 7);
        let asked = if stale { expected - 1 } else { expected };
        match driver.client.set_group_record(&self.group, asked, active, &bytes).await {
            Ok(version) => {
                assert!(!stale, "a record changed from a version that it did not have");
                assert!(version > expected, "version {version} after {expected}");
                self.answered(true);
            }
            Err(SetGroupRecordError::Version { current, .. }) => {
                assert!(stale && current == expected, "version {current} where {expected} was");
                self.answered(false);
            }
            Err(SetGroupRecordError::Closed) => return Err(Over),
            Err(error) => panic!("a record was refused: {error}"),
        }
        Ok(())
    }

    async fn delete(&self, before: Held) -> Result<(), Over> {
        self.tried(|_| Held::default());
        match self.driver.client.delete_group(&self.group).await {
            Ok(()) => {
                assert!(!before.record.is_some_and(|(_, active)| active), "a group with members was deleted");
                self.answered(true);
            }
            Err(DeleteGroupError::Active { .. }) => {
                assert!(before.record.is_some_and(|(_, active)| active), "a group has members that has none");
                self.answered(false);
            }
            Err(DeleteGroupError::Unknown { .. }) => {
                assert_eq!(before, Held::default(), "the group is not known");
                self.answered(false);
            }
            Err(DeleteGroupError::Closed) => return Err(Over),
            Err(error) => panic!("a deletion was refused: {error}"),
        }
        Ok(())
    }

    async fn delete_offsets(&self, before: Held) -> Result<(), Over> {
        let chosen = |partition: &PartitionId| (self.driver.below(2) == 0).then_some(*partition);
        let some: BTreeSet<PartitionId> = self.lasting.iter().filter_map(chosen).collect();
        self.tried(|_| {
            let mut after = before.clone();
            after.offsets.retain(|partition, _| !some.contains(partition));
            after
        });
        let some: Vec<PartitionId> = some.into_iter().collect();
        match self.driver.client.delete_offsets(&self.group, &some).await {
            Ok(()) => self.answered(true),
            Err(DeleteGroupError::Unknown { .. }) => {
                assert_eq!(before, Held::default(), "the group is not known");
                self.answered(false);
            }
            Err(DeleteGroupError::Closed) => return Err(Over),
            Err(error) => panic!("a deletion was refused: {error}"),
        }
        Ok(())
    }

    /// Offsets that are kept for a moment only.
    async fn commit_brief(&self) -> Result<(), Over> {
        let commit =
            OffsetCommit { partition: self.lasting[0], keep: Some(BRIEF), ..OffsetCommit::default() };
        match self.driver.client.commit_offsets(&name("brief"), &[commit]).await {
            Ok(()) => Ok(()),
            Err(CommitOffsetsError::Closed) => Err(Over),
            Err(error) => panic!("a commit was refused: {error}"),
        }
    }

    /// Ends when what is to go has gone: offsets of deleted topics, and those that were kept for a moment.
    async fn settle(&self) -> Result<(), Over> {
        loop {
            let held = self.known(|known| known.possible[0].offsets.len() as u64);
            let groups = self.driver.client.groups().await.map_err(|_| Over)?;
            let brief = groups.iter().any(|group| group.name == name("brief"));
            let found = groups.iter().find(|group| group.name == self.group);
            let found = found.map_or(0, |group| group.offsets);
            assert!(found >= held, "{} has {found} offsets, not {held}", self.group);
            if found == held && !brief {
                return Ok(());
            }
            self.driver.pause(100_000).await;
        }
    }
}
