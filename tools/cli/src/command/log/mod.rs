//! `thalweg log`: looks at a data folder that nobody has open, and changes nothing.

mod json;
mod run;
mod text;

pub use run::run;
