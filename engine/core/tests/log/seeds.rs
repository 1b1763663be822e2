//! The simulator's workload of a log alone, for a few seeds: the simulator's own program runs as many as wanted.

use thalweg_sim::harness::run_seeds;
use thalweg_sim::workloads::LogAlone;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_else_half_there() {
    let coverage = run_seeds(0..80, 600, &LogAlone);
    coverage.assert_covered(&[
        "busy",
        "checkpoint-begun",
        "checkpoint-named",
        "checkpoint-slice",
        "dry-roll",
        "fail-stop",
        "footer-read",
        "footer-written",
        "idle-frame",
        "leftover-frame",
        "log.retried",
        "out-of-order-completion",
        "read-from-cache",
        "read-from-disk",
        "segment-recycled",
        "segment-retired",
        "segment-roll",
        "torn-tail",
    ]);
    for (name, least) in [("log.damage-refused", 20), ("log.damage-noticed", 5), ("log.damage-accepted", 10)]
    {
        assert!(coverage.of(name) > least, "{name}: {}", coverage.of(name));
    }
}
