//! Everything that can happen to a small log, in each scope.
//!
//! The numbers are about those of the states and starts that there are: fewer would mean that something is no longer
//! tried.

use thalweg_engine::log::FlushMethod;
use thalweg_sim::explore::{Explored, Scope, explore, replay};

/// Explores the scope of this name, where each of `taken` has to happen.
fn explore_all(name: &str, states: u64, starts: u64, taken: &[&str]) -> Explored {
    let scope = Scope::named(name).unwrap();
    let explored = explore(&scope).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    println!("{name}: {explored}");
    assert!(explored.states >= states, "{name}: only {} states", explored.states);
    assert!(explored.starts >= starts, "{name}: only {} starts after a crash", explored.starts);
    let usual = ["operation ends", "append", "kill", "power loss", "read-from-disk", OTHER];
    for choice in usual.iter().chain(taken) {
        assert!(explored.count(choice) > 0, "{name}: no {choice}");
    }
    explored
}

const BURSTS: &str = "tasks run";
const OTHER: &str = "append of other content";
const OUT_OF_ORDER: &str = "out-of-order-completion";

#[test]
fn whole_frames_keep_the_rule() {
    explore_all("flushed", 10_000, 2_100, &[BURSTS, OUT_OF_ORDER]);
    explore_all("flushed-through", 5_000, 2_000, &[BURSTS, OUT_OF_ORDER]);
}

#[test]
fn torn_frames_keep_the_rule() {
    explore_all("torn", 23_000, 7_500, &[BURSTS, OUT_OF_ORDER, "torn-tail"]);
    explore_all("torn-through", 16_000, 7_300, &[BURSTS, OUT_OF_ORDER, "torn-tail"]);
}

#[test]
fn halves_of_frames_keep_the_rule() {
    explore_all("halves", 23_000, 7_500, &[BURSTS, OUT_OF_ORDER, "torn-tail"]);
    explore_all("halves-through", 16_000, 7_300, &[BURSTS, OUT_OF_ORDER, "torn-tail"]);
}

#[test]
fn a_roll_keeps_the_rule() {
    explore_all("roll", 7_200, 1_850, &[BURSTS, OUT_OF_ORDER, "segment-roll", "footer-written"]);
    explore_all("roll-through", 4_900, 1_900, &[BURSTS, OUT_OF_ORDER, "segment-roll", "footer-written"]);
}

#[test]
fn a_roll_with_torn_frames_keeps_the_rule() {
    explore_all("torn-roll", 14_000, 4_500, &[BURSTS, OUT_OF_ORDER, "segment-roll", "torn-tail"]);
    explore_all("torn-roll-through", 12_000, 4_600, &[BURSTS, OUT_OF_ORDER, "segment-roll", "torn-tail"]);
}

#[test]
fn segments_and_footers_made_meanwhile_keep_the_rule() {
    explore_all("background", 23_000, 4_800, &[OUT_OF_ORDER, "segment-roll", "footer-written", "busy"]);
    explore_all("background-through", 17_000, 4_900, &[OUT_OF_ORDER, "segment-roll", "footer-written"]);
}

#[test]
fn a_checkpoint_made_meanwhile_keeps_the_rule() {
    explore_all("checkpoint", 37_000, 5_000, &[OUT_OF_ORDER, "checkpoint", "checkpoint-named"]);
    explore_all("checkpoint-through", 24_000, 5_000, &[OUT_OF_ORDER, "checkpoint", "checkpoint-named"]);
}

#[test]
fn a_second_checkpoint_keeps_the_rule() {
    explore_all("checkpoints", 37_000, 4_800, &["checkpoint", "checkpoint-named"]);
    explore_all("checkpoints-through", 20_000, 4_500, &["checkpoint", "checkpoint-named"]);
}

#[test]
fn a_log_that_falls_idle_keeps_the_rule() {
    explore_all("idle", 26_000, 6_500, &[BURSTS, OUT_OF_ORDER, "time passes", "idle-frame"]);
    explore_all("idle-through", 14_000, 6_400, &[BURSTS, OUT_OF_ORDER, "time passes", "idle-frame"]);
}

#[test]
fn telling_states_apart_loses_nothing() {
    for (name, appends) in
        [("flushed", 4), ("torn", 4), ("halves-through", 4), ("roll", 3), ("checkpoint", 1)]
    {
        let pruned = Scope { appends, ..Scope::named(name).unwrap() };
        let every = Scope { prune: false, ..pruned };
        let (pruned, every) = (explore(&pruned).unwrap(), explore(&every).unwrap());
        assert_eq!((pruned.starts, pruned.digest), (every.starts, every.digest), "{name}");
        println!("{name}: {} states of {}", pruned.states, every.states);
        assert!(every.states > pruned.states, "{name}: nothing was left out");
    }
}

#[test]
fn a_flush_that_does_nothing_is_found_out_in_one_append_and_one_crash() {
    let scope = Scope { lies: true, ..Scope::named("flushed").unwrap() };
    let failure = explore(&scope).unwrap_err();
    assert_eq!((failure.scope.appends, failure.scope.crashes), (1, 1), "{failure}");
    assert!(failure.what.contains("0 frames are there, but 1 were promised"), "{failure}");
    let last = failure.story.last().unwrap();
    assert!(
        last.starts_with("power is lost: ") && last.contains("segment-00000000 block 1 as before"),
        "{last}"
    );
    let again = replay(&failure.scope, &failure.choices).unwrap_err();
    assert_eq!((again.what, again.story), (failure.what, failure.story));
    // With writes that are durable by themselves, nothing of this comes from a flush.
    let through = Scope { flush: FlushMethod::WriteThrough, ..failure.scope };
    explore(&through).unwrap();
}
