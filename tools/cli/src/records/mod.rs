//! Records on their way in: bytes as they arrive, and lines out of them.

mod lines;
mod pieces;

pub use lines::Lines;
pub use pieces::{Next, Pieces};
