//! The harness, proved on a journal whose protections can be left out.

use thalweg_sim::harness::{Workload, run_seed, run_seeds, try_seed};
use thalweg_sim::workloads::{Journal, Omission};

const OPERATIONS: u64 = 60;

#[test]
fn a_journal_with_all_its_protections_survives_every_seed() {
    let journal = Journal::default();
    let coverage = run_seeds(0..300, OPERATIONS, &journal);
    coverage.assert_covered(journal.expected());
}

#[test]
fn every_protection_left_out_is_caught() {
    for omission in [
        Omission::FlushBeforeAck,
        Omission::FlushAtRecovery,
        Omission::FolderSync,
        Omission::ParentSync,
        Omission::Checksum,
        Omission::Salt,
    ] {
        let caught = (0..3000).find(|&seed| try_seed(seed, OPERATIONS, &Journal { omission }).is_err());
        println!("{omission:?} is caught by seed {caught:?}");
        assert!(caught.is_some(), "{omission:?} is caught by no seed");
    }
}

#[test]
fn a_seed_gives_the_same_outcome_again() {
    for seed in 0..10 {
        let (first, second) = (
            run_seed(seed, OPERATIONS, &Journal::default()),
            run_seed(seed, OPERATIONS, &Journal::default()),
        );
        assert_eq!(first.trace_hash, second.trace_hash);
        assert_eq!(first.coverage, second.coverage);
        assert!(first.operations >= OPERATIONS);
        assert!(first.crashes > 0);
    }
}

#[test]
fn a_failure_names_its_seed_and_workload() {
    let journal = Journal { omission: Omission::FlushBeforeAck };
    let failure = (0..300).find_map(|seed| try_seed(seed, OPERATIONS, &journal).err()).unwrap();
    let text = failure.to_string();
    assert!(text.starts_with(&format!("seed {} of journal failed: ", failure.seed)), "{text}");
    assert!(text.ends_with(&format!("--workload journal --ops 60 --seed {}", failure.seed)), "{text}");
    assert_eq!(try_seed(failure.seed, OPERATIONS, &journal).unwrap_err(), failure);
}
