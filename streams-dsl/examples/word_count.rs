//! Word count, built in Rust and run in memory.
//!
//! ```text
//! cargo run -p thalweg-streams --example word_count -- the quick brown fox jumps over the lazy dog
//! ```

use thalweg_streams::serdes::{Bytes, I64, Serde};
use thalweg_streams::{StreamsBuilder, TestDriver, words};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let builder = StreamsBuilder::new();
    builder
        .stream::<Bytes, Bytes>("lines")
        .flat_map_values(words())
        .group_by::<Bytes>(|_, word| word)
        .count("counts")
        .to_stream()
        .to("word-counts");
    let topology = builder.build("word-count")?;
    print!("{}", topology.describe());

    let mut driver = TestDriver::new(topology);
    for line in std::env::args().skip(1) {
        driver.pipe_text("lines", None, &line)?;
    }
    driver.commit()?;
    for (word, count) in driver.store("counts") {
        let count = I64::decode(&count, |count| *count)?;
        println!("{count:>8} {}", String::from_utf8_lossy(&word));
    }
    Ok(())
}
