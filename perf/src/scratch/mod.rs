//! A folder for one run: made where there is room, gone when the run ends, however it ends.

mod folder;
mod interrupt;
mod space;

pub(crate) use folder::Scratch;
pub(crate) use space::require;
