//! The example that the documentation points to does what it says, twice on one folder.

mod common;
#[path = "../examples/embedded.rs"]
#[expect(dead_code, reason = "it has a main of its own")]
mod embedded;

use thalweg_runtime::EngineOptions;

#[test]
fn the_embedded_example_runs_and_runs_again_on_what_it_left() {
    let folder = common::TestFolder::new();
    let options = || {
        let mut options =
            EngineOptions { shards: Some(2), runtime: common::options(), ..EngineOptions::default() };
        options.log.segment_size = 4 << 20;
        options.log.frame_size_max = 1 << 20;
        options
    };
    for _ in 0..2 {
        embedded::run(folder.path(), options()).unwrap();
    }
}
