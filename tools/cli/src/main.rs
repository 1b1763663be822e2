//! The `thalweg` binary.
#![forbid(unsafe_code)]

fn main() {}
