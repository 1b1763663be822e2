//! Streams.
#![forbid(unsafe_code)]
