//! Checks of the repository that a compiler cannot make: who may depend on whom, sizes of files and
//! functions, what a `mod.rs` holds, where `unsafe` stands.
//!
//! `cargo run -p xtask -- check` prints what it finds; `cargo test -p xtask` fails on it.
//! `cargo run -p xtask -- sabotage` takes out one protection after the other and has the simulator notice.
#![forbid(unsafe_code)]

pub mod check;
pub mod sabotage;
pub mod source;
pub mod violation;
pub mod workspace;
