//! One sequence of choices again, told in words.

use super::disk::{Crash, Operation, Slot};
use super::life::{Event, Life, Start};
use super::report::{Explored, Failure};
use super::scope::Scope;
use super::search::{Search, World, combination, crashes, start_after};

/// Tries everything that can happen in `scope`.
///
/// # Errors
/// The [`Failure`] with the fewest choices that was found, in the narrowest scope that has one.
pub fn explore(scope: &Scope) -> Result<Explored, Box<Failure>> {
    let wide = match Search::new(scope).run() {
        Ok(explored) => return Ok(explored),
        Err(failure) => failure,
    };
    let narrower = (1..=scope.crashes)
        .flat_map(|crashes| (1..=scope.appends).map(move |appends| Scope { appends, crashes, ..*scope }));
    let narrow =
        narrower.filter(|narrow| narrow != scope).find_map(|narrow| Search::new(&narrow).run().err());
    let mut failure = narrow.unwrap_or(wide);
    failure.story = tell(&failure.scope, &failure.choices).0;
    Err(failure)
}

/// Makes the choices of a [`Failure`] again, in its scope, and tells what happens. Choices that end early are not
/// gone on from; after the last crash the log is opened.
///
/// # Errors
/// What is wrong at the end.
/// # Panics
/// If there is no such choice.
pub fn replay(scope: &Scope, choices: &[u32]) -> Result<Vec<String>, Box<Failure>> {
    let (story, outcome) = tell(scope, choices);
    match outcome {
        Ok(()) => Ok(story),
        Err(what) => {
            Err(Box::new(Failure { scope: *scope, choices: choices.to_vec(), what, story, count: 1 }))
        }
    }
}

fn tell(scope: &Scope, choices: &[u32]) -> (Vec<String>, Result<(), String>) {
    let world = World::new(scope);
    let mut story = Vec::new();
    let mut start = world.first_start();
    let mut choices = choices.iter().copied();
    loop {
        if start.left.crashes == 0 && scope.crashes > 0 {
            return (story, world.finish(&start).map(drop));
        }
        let mut life = world.begin(&start);
        start = match tell_life(&mut life, &mut choices, &mut story) {
            Ok(Some(after)) => after,
            Ok(None) => return (story, Ok(())),
            Err(what) => return (story, Err(what)),
        };
    }
}

/// Goes on until a crash, and returns what is left after it; `None` if the choices end before.
fn tell_life(
    life: &mut Life<'_>,
    choices: &mut impl Iterator<Item = u32>,
    story: &mut Vec<String>,
) -> Result<Option<Start>, String> {
    loop {
        let before = life.oracle().acknowledged;
        life.settle()?;
        let oracle = life.oracle();
        if oracle.acknowledged > before && life.is_open() {
            story.push(format!("acknowledged: {} of {}", oracle.acknowledged, oracle.appended.len()));
        }
        let Some(choice) = choices.next() else {
            return if life.events().is_empty() { life.check_end().map(|()| None) } else { Ok(None) };
        };
        let events = life.events();
        if let Some(&event) = events.get(choice as usize) {
            story.push(describe(life, event));
            life.take(event);
            continue;
        }
        let mut number = choice as usize - events.len();
        for (crash, slots, count) in crashes(life) {
            if number < count {
                let chosen = combination(&slots, number);
                story.push(describe_crash(life, crash, &slots, &chosen));
                return Ok(Some(start_after(life, crash, &slots, &chosen)));
            }
            number -= count;
        }
        panic!("there is no choice {choice} after {story:?}");
    }
}

fn describe(life: &Life<'_>, event: Event) -> String {
    let machine = &life.machine;
    match event {
        Event::Append(content) => format!("append of content {content}"),
        Event::Checkpoint => "a checkpoint is asked for".to_owned(),
        Event::Wait => "time passes".to_owned(),
        Event::Run => "tasks run".to_owned(),
        Event::Complete(index) => {
            let in_flight = machine.in_flight.borrow();
            let disk = machine.disk.borrow();
            match &in_flight[index].operation {
                Operation::Write { file, at, contents, .. } => {
                    let last = at + contents.len() - 1;
                    format!("the write of {} block {at} to {last} ends", disk.name_of(*file))
                }
                Operation::Flush { file, .. } => format!("the flush of {} ends", disk.name_of(*file)),
            }
        }
    }
}

fn describe_crash(life: &Life<'_>, crash: Crash, slots: &[Slot], chosen: &[usize]) -> String {
    let disk = life.machine.disk.borrow();
    let slot = |(slot, chosen): (&Slot, &usize)| {
        let left = slot.contents[*chosen].1;
        format!("{} block {} {left}", disk.name_of(slot.file), slot.at)
    };
    let left: Vec<String> = slots.iter().zip(chosen).map(slot).collect();
    let kind = if crash == Crash::Kill { "the process is killed" } else { "power is lost" };
    if left.is_empty() { kind.to_owned() } else { format!("{kind}: {}", left.join(", ")) }
}
