//! State of tasks: the table of keys changed since the last commit, and the store behind it.

mod hash;
mod key_table;
mod view;

pub(crate) use key_table::KeyTable;
pub(crate) use view::StateView;
