//! The smallest thing that can be durable: a file of one record a block, appended one at a time.
//!
//! It checks the simulator, not the engine: each of its protections can be left out, and the disk must then
//! lose, tear or resurrect something.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use thalweg_engine::io::{Buffer, DiskError, File, FileKind, OpenMode, Runtime};
use thalweg_engine::limits::BLOCK_SIZE;

use crate::disk::{SimBuffer, SimFile};
use crate::harness::{Life, Run, Workload};
use crate::prng::splitmix;
use crate::runtime::SimRuntime;
use crate::world::World;

const FOLDER: &str = "/data/journal";
const FILE: &str = "records";
/// Blocks by which the file grows.
const GROWTH: u64 = 32;

/// A protection that is left out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Omission {
    /// None: all is done as it must be.
    #[default]
    Nothing,
    /// A record is acknowledged when it is written.
    FlushBeforeAck,
    /// What recovery found is answered without being flushed.
    FlushAtRecovery,
    /// The file's name is not made durable.
    FolderSync,
    /// The folder's name is not made durable.
    ParentSync,
    /// Records are taken without a look at their checksum.
    Checksum,
    /// Records of another life of the file are taken for its own.
    Salt,
}

/// The workload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journal {
    /// What is left out.
    pub omission: Omission,
}

impl Workload for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn kill_marks(&self) -> &'static [&'static str] {
        &["journal.written", "journal.grown", "journal.opened", "journal.made"]
    }

    fn expected(&self) -> &'static [&'static str] {
        &[
            "journal.grown",
            "journal.removed",
            "journal.torn",
            "disk.in_flight_torn",
            "disk.volatile_lost",
            "disk.name_lost",
        ]
    }

    fn begin(&self, world: &World) -> Box<dyn Run> {
        let write_through = world.prng("journal").coin();
        Box::new(JournalRun { omission: self.omission, write_through, oracle: Rc::default() })
    }
}

/// What was tried and what was acknowledged.
#[derive(Default)]
struct Oracle {
    /// For each record, every value it was written with that may still turn up.
    tried: Vec<Vec<u64>>,
    /// Records that must be found.
    acknowledged: usize,
    operations: u64,
    /// The file was removed; until a new one is made, it may come back.
    removing: bool,
}

impl Oracle {
    fn forget(&mut self) {
        *self = Self { operations: self.operations, ..Self::default() };
    }
}

struct JournalRun {
    omission: Omission,
    write_through: bool,
    oracle: Rc<RefCell<Oracle>>,
}

impl Run for JournalRun {
    fn start(&mut self, world: &World, life: Life) {
        let (omission, write_through) = (self.omission, self.write_through);
        let oracle = Rc::clone(&self.oracle);
        world.start(1, move |runtime| {
            let journal = OpenJournal { runtime, omission, write_through, oracle: Rc::clone(&oracle) };
            async move {
                if let Err(error) = journal.live(life).await {
                    assert!(!life.last, "a disk without faults failed: {error}");
                    journal.runtime.halt(&error.to_string());
                }
            }
        });
    }

    fn operations(&self) -> u64 {
        self.oracle.borrow().operations
    }
}

struct OpenJournal {
    runtime: SimRuntime,
    omission: Omission,
    write_through: bool,
    oracle: Rc<RefCell<Oracle>>,
}

impl OpenJournal {
    async fn live(&self, life: Life) -> Result<(), DiskError> {
        let (file, salt) = self.open().await?;
        let mut next = self.recover(&file, salt).await?;
        self.runtime.mark("journal.opened");
        for _ in 0..life.operations {
            self.append(&file, salt, next, life.number).await?;
            next += 1;
        }
        if life.operations == 0 && !life.last && self.runtime.random().is_multiple_of(2) {
            self.remove().await?;
        }
        Ok(())
    }

    /// Removes the file, so that what its blocks hold may turn up in the next.
    async fn remove(&self) -> Result<(), DiskError> {
        self.oracle.borrow_mut().removing = true;
        self.runtime.remove(&Path::new(FOLDER).join(FILE)).await?;
        self.runtime.sync_folder(Path::new(FOLDER)).await?;
        self.runtime.mark("journal.removed");
        Ok(())
    }

    /// Opens or makes the file; its first block holds its salt.
    async fn open(&self) -> Result<(SimFile, u64), DiskError> {
        let folder = Path::new(FOLDER);
        self.runtime.create_folder(folder).await?;
        if self.omission != Omission::ParentSync {
            self.runtime.sync_folder(Path::new(World::DATA)).await?;
        }
        let kind = FileKind::Log { write_through: self.write_through };
        let file = self.runtime.open(&folder.join(FILE), kind, OpenMode::Create).await?;
        if self.omission != Omission::FolderSync {
            self.runtime.sync_folder(folder).await?;
        }
        if self.omission != Omission::FlushAtRecovery {
            file.flush().await?;
        }
        let first = file.read_at(0, BLOCK_SIZE).await?;
        if let Some(record) = Record::parse(first.bytes(), 0, 0) {
            self.oracle.borrow_mut().removing = false;
            return Ok((file, record.value));
        }
        if self.oracle.borrow().removing {
            self.oracle.borrow_mut().forget();
        }
        let salt = if self.omission == Omission::Salt { 1 } else { self.runtime.random() };
        file.allocate(GROWTH * BLOCK_SIZE as u64).await?;
        file.write_at(Record { salt: 0, number: 0, value: salt }.block(), 0).await?;
        file.flush().await?;
        self.runtime.mark("journal.made");
        Ok((file, salt))
    }

    /// Reads the records, checks them against the oracle, and returns the number of the next.
    async fn recover(&self, file: &SimFile, salt: u64) -> Result<u64, DiskError> {
        let mut found = 0;
        loop {
            let position = (found as u64 + 1) * BLOCK_SIZE as u64;
            let block = file.read_at(position, BLOCK_SIZE).await?;
            let number = found as u64 + 1;
            let parsed = match self.omission {
                Omission::Checksum => Record::parse_unchecked(block.bytes(), number, salt),
                _ => Record::parse(block.bytes(), number, salt),
            };
            let Some(record) = parsed else {
                if block.bytes().iter().any(|&byte| byte != 0) {
                    self.runtime.mark("journal.torn");
                }
                break;
            };
            let mut oracle = self.oracle.borrow_mut();
            let tried = oracle.tried.get_mut(found);
            let known = tried.is_some_and(|tried| {
                tried.retain(|value| *value == record.value);
                !tried.is_empty()
            });
            assert!(known, "record {number} has a value that was never written: {}", record.value);
            found += 1;
        }
        let mut oracle = self.oracle.borrow_mut();
        let acknowledged = oracle.acknowledged;
        assert!(found >= acknowledged, "{found} records found, {acknowledged} acknowledged");
        // What was answered once must be answered for ever.
        oracle.acknowledged = found;
        oracle.tried.truncate(found);
        Ok(found as u64 + 1)
    }

    async fn append(&self, file: &SimFile, salt: u64, number: u64, life: u64) -> Result<(), DiskError> {
        let position = number * BLOCK_SIZE as u64;
        if file.len().await? <= position {
            file.allocate(position + GROWTH * BLOCK_SIZE as u64).await?;
            file.flush().await?;
            self.runtime.mark("journal.grown");
        }
        let value = self.runtime.random() ^ life;
        self.oracle.borrow_mut().tried.push(vec![value]);
        file.write_at(Record { salt, number, value }.block(), position).await?;
        self.runtime.mark("journal.written");
        if self.omission != Omission::FlushBeforeAck && !self.write_through {
            file.flush().await?;
        }
        let mut oracle = self.oracle.borrow_mut();
        oracle.acknowledged = number as usize;
        oracle.operations += 1;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Record {
    salt: u64,
    number: u64,
    value: u64,
}

impl Record {
    /// Words of the record before those that its value fills the block with.
    const HEAD: usize = 3;

    fn block(self) -> Rc<SimBuffer> {
        let mut buffer = SimBuffer::zeroed(BLOCK_SIZE);
        let mut checksum = 0;
        for (at, word) in buffer.bytes_mut().chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&self.word(at, &mut checksum).to_le_bytes());
        }
        Rc::new(buffer)
    }

    /// The record, if every byte of its block is as it was written.
    fn parse(bytes: &[u8], number: u64, salt: u64) -> Option<Self> {
        let record = Self::parse_unchecked(bytes, number, salt)?;
        (record.block().bytes() == bytes).then_some(record)
    }

    /// The record, if its head is in place. The value is what the *last* word says, as a reader that trusts
    /// the block would have it.
    fn parse_unchecked(bytes: &[u8], number: u64, salt: u64) -> Option<Self> {
        let word = |at: usize| {
            let word = bytes.get(at * 8..)?.first_chunk()?;
            Some(u64::from_le_bytes(*word))
        };
        let last = word(BLOCK_SIZE / 8 - 1)?;
        let record = Self { salt: word(0)?, number: word(1)?, value: last };
        (record.salt == salt && record.number == number && word(2)? == Self::MAGIC).then_some(record)
    }

    const MAGIC: u64 = 0x6a6f_7572_6e61_6c00;

    fn word(&self, at: usize, mixed: &mut u64) -> u64 {
        match at {
            0 => self.salt,
            1 => self.number,
            2 => Self::MAGIC,
            at if at == BLOCK_SIZE / 8 - 1 => self.value,
            at => {
                if at == Self::HEAD {
                    *mixed = self.salt ^ self.number.rotate_left(32) ^ self.value;
                }
                splitmix(mixed)
            }
        }
    }
}
