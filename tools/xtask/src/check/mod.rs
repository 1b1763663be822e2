//! The checks, one file each.

mod all;
pub mod contents;
pub mod dependencies;
pub mod sizes;
pub mod unsafe_code;
pub mod words;

pub use all::all;
