//! Thalweg.
#![forbid(unsafe_code)]
