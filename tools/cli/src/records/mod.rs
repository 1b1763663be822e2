//! Records on their way in: bytes as they arrive, lines out of them, and records out of lines of JSON.

mod json;
mod lines;
mod pieces;

pub use json::JsonRecord;
pub use lines::Lines;
pub use pieces::{Next, Pieces};
