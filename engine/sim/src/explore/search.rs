//! Trying everything.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::blocks::Blocks;
use super::disk::{Crash, Disk, Slot};
use super::fingerprint::Fingerprint;
use super::life::{Event, Left, Life, Start};
use super::machine::AtOnce;
use super::oracle::{Oracle, Written};
use super::report::{Explored, Failure};
use super::scope::Scope;

/// Sequences that end wrongly, after which an exploration ends.
const FAILURES_MAX: u64 = 10_000;

/// Contents that one crash may leave; more would never end.
const IMAGES_MAX: usize = 1 << 20;

/// Events of one life; more would never end.
const EVENTS_MAX: usize = 1_000;

pub(super) struct World<'a> {
    pub(super) scope: &'a Scope,
    pub(super) blocks: Rc<RefCell<Blocks>>,
}

impl<'a> World<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        Self { scope, blocks: Rc::new(RefCell::new(Blocks::new())) }
    }

    /// The log before the first life: made, filled, and idle.
    pub(super) fn first_start(&self) -> Start {
        let left = Left { appends: self.scope.before, crashes: 0, checkpoints: 0 };
        let empty = Start { disk: Disk::default(), oracle: Oracle::default(), left, choices: Vec::new() };
        let honest = Scope { lies: false, idle: false, ..*self.scope };
        let mut life = Life::begin(&honest, &self.blocks, &empty, AtOnce::Everything);
        loop {
            life.settle().expect("a log is made where nothing goes wrong");
            let Some(&event) = life.events().first() else { break };
            life.take(event);
        }
        life.check_end().expect("everything is written before the first life");
        let mut disk = life.machine.disk.borrow().clone();
        disk.make_durable();
        let Scope { appends, crashes, checkpoints, .. } = *self.scope;
        Start {
            disk,
            oracle: life.oracle(),
            left: Left { appends, crashes, checkpoints },
            choices: Vec::new(),
        }
    }

    pub(super) fn begin(&self, start: &Start) -> Life<'a> {
        let at_once = if self.scope.background { AtOnce::Nothing } else { AtOnce::Background };
        Life::begin(self.scope, &self.blocks, start, at_once)
    }

    /// The last life: the log opens, and takes one more append. Returns what the log held when it had opened.
    pub(super) fn finish(&self, start: &Start) -> Result<Vec<Written>, String> {
        let mut last = start.clone();
        last.left = Left { appends: 1, crashes: 0, checkpoints: 0 };
        let mut life = self.begin(&last);
        let mut found = None;
        for _ in 0..EVENTS_MAX {
            life.settle()?;
            if found.is_none() && life.is_open() {
                found = Some(life.found());
            }
            // Operations in flight come first.
            match life.events().first() {
                // Time may pass for ever.
                Some(Event::Wait) | None => break,
                Some(&event) => life.take(event),
            }
        }
        life.check_end()?;
        Ok(found.expect("a log that takes appends is open"))
    }
}

/// The kinds of crash that are tried where so many are left.
///
/// The last one is a loss of power alone: whatever a kill leaves, a loss of power may leave.
fn kinds(crashes_left: usize) -> &'static [Crash] {
    match crashes_left {
        0 => &[],
        1 => &[Crash::Power],
        _ => &[Crash::Kill, Crash::Power],
    }
}

/// Every crash that is possible now: its kind, what it may leave, and of that how many combinations there are.
pub(super) fn crashes(life: &Life<'_>) -> Vec<(Crash, Vec<Slot>, usize)> {
    let crash = |kind: &Crash| {
        let slots = life.undecided(*kind);
        let count = slots.iter().map(|slot| slot.contents.len()).product();
        assert!(count <= IMAGES_MAX, "a crash may leave {count} disks");
        (*kind, slots, count)
    };
    kinds(life.left.crashes).iter().map(crash).collect()
}

/// The `number`th combination of what `slots` may hold.
pub(super) fn combination(slots: &[Slot], mut number: usize) -> Vec<usize> {
    let chosen = slots.iter().map(|slot| {
        let chosen = number % slot.contents.len();
        number /= slot.contents.len();
        chosen
    });
    chosen.collect()
}

/// The start after a crash of `life`.
pub(super) fn start_after(life: &Life<'_>, crash: Crash, slots: &[Slot], chosen: &[usize]) -> Start {
    let disk = life.machine.disk.borrow().after(crash, slots, chosen);
    let left = Left { crashes: life.left.crashes - 1, ..life.left };
    Start { disk, oracle: life.oracle(), left, choices: Vec::new() }
}

pub(super) struct Search<'a> {
    world: World<'a>,
    starts: Vec<Start>,
    states_seen: BTreeSet<u128>,
    starts_seen: BTreeSet<u128>,
    /// What the log held after a last crash, by what the crash left.
    ends: BTreeMap<u128, Vec<Written>>,
    explored: Explored,
    failure: Option<Box<Failure>>,
    failures: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        let world = World::new(scope);
        let starts = vec![world.first_start()];
        Self {
            world,
            starts,
            states_seen: BTreeSet::new(),
            starts_seen: BTreeSet::new(),
            ends: BTreeMap::new(),
            explored: Explored::default(),
            failure: None,
            failures: 0,
        }
    }

    /// Tries everything. The failure is the one with the fewest choices of those found.
    pub(super) fn run(mut self) -> Result<Explored, Box<Failure>> {
        while let Some(start) = self.starts.pop() {
            if start.left.crashes == 0 && !start.choices.is_empty() {
                self.end(&start);
            } else {
                self.life(&start);
            }
            if self.failures >= FAILURES_MAX {
                break;
            }
        }
        match self.failure {
            None => Ok(self.explored),
            Some(mut failure) => {
                failure.count = self.failures;
                Err(failure)
            }
        }
    }

    /// Tries everything that can happen in a life.
    fn life(&mut self, start: &Start) {
        let mut prefixes = vec![Vec::new()];
        while let Some(prefix) = prefixes.pop() {
            self.explored.runs += 1;
            let mut life = self.world.begin(start);
            let outcome = self.follow(&mut life, start, prefix, &mut prefixes);
            for (mark, count) in life.machine.marks.borrow().iter() {
                self.explored.add(mark, *count);
            }
            if let Err((choices, what)) = outcome {
                self.fail(start, choices, what);
            }
        }
    }

    /// Goes the way of `prefix`, and on from there until nothing is new. Adds the ways not taken to `prefixes`.
    fn follow(
        &mut self,
        life: &mut Life<'_>,
        start: &Start,
        prefix: Vec<u32>,
        prefixes: &mut Vec<Vec<u32>>,
    ) -> Result<(), (Vec<u32>, String)> {
        for choice in &prefix {
            life.settle().map_err(|what| (prefix.clone(), what))?;
            let event = life.events()[*choice as usize];
            life.take(event);
        }
        let mut path = prefix;
        for _ in 0..EVENTS_MAX {
            life.settle().map_err(|what| (path.clone(), what))?;
            if self.world.scope.prune && !self.states_seen.insert(life.fingerprint()) {
                return Ok(());
            }
            self.explored.states += 1;
            let events = life.events();
            self.crash(life, start, events.len(), &path);
            let Some(&first) = events.first() else {
                return life.check_end().map_err(|what| (path, what));
            };
            for event in &events {
                self.explored.add(name_of(*event), 1);
            }
            for other in (1..events.len() as u32).rev() {
                prefixes.push(path.iter().copied().chain([other]).collect());
            }
            life.take(first);
            path.push(0);
        }
        Err((path, "events follow each other without end".to_owned()))
    }

    /// Tries every crash that is possible now.
    fn crash(&mut self, life: &Life<'_>, start: &Start, events: usize, path: &[u32]) {
        let mut choice = events as u32;
        for (crash, slots, count) in crashes(life) {
            for number in 0..count {
                let mut after = start_after(life, crash, &slots, &combination(&slots, number));
                self.explored.crashes += 1;
                let fingerprint = after.fingerprint();
                if self.starts_seen.insert(fingerprint) {
                    self.explored.starts += 1;
                    self.explored.digest = self.explored.digest.wrapping_add(fingerprint);
                    self.explored.add(if crash == Crash::Kill { "kill" } else { "power loss" }, 1);
                    after.choices = start.choices.iter().chain(path).copied().chain([choice]).collect();
                    self.starts.push(after);
                }
                choice += 1;
            }
        }
    }

    /// Looks at what is left after the last crash.
    fn end(&mut self, start: &Start) {
        self.explored.ends += 1;
        let mut image = Fingerprint::new();
        start.disk.add_to(&mut image, &[]);
        // What a start finds is told by the disk alone.
        let outcome = match self.ends.get(&image.value()) {
            Some(found) => start.oracle.check(found),
            None => {
                self.explored.runs += 1;
                let finished = self.world.finish(start);
                finished.map(|found| drop(self.ends.insert(image.value(), found)))
            }
        };
        if let Err(what) = outcome {
            self.fail(start, Vec::new(), what);
        }
    }

    fn fail(&mut self, start: &Start, choices: Vec<u32>, what: String) {
        self.failures += 1;
        let choices: Vec<u32> = start.choices.iter().copied().chain(choices).collect();
        if self.failure.as_ref().is_none_or(|failure| failure.choices.len() > choices.len()) {
            let scope = *self.world.scope;
            self.failure = Some(Box::new(Failure { scope, choices, what, story: Vec::new(), count: 0 }));
        }
    }
}

pub(super) fn name_of(event: Event) -> &'static str {
    match event {
        Event::Complete(_) => "operation ends",
        Event::Append(0) => "append",
        Event::Append(_) => "append of other content",
        Event::Checkpoint => "checkpoint",
        Event::Wait => "time passes",
        Event::Run => "tasks run",
    }
}
