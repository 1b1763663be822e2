//! thalweg-sim
#![forbid(unsafe_code)]
