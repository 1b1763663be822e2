//! Reading batches: from memory where possible, from the disk where not.

mod ahead;
mod cache;
mod footers;
mod plan;
mod request;
mod time;
mod turns;

pub(super) use ahead::ReadAhead;
pub(super) use cache::TailCache;
pub(super) use footers::FooterCache;
pub(super) use plan::{Run, plan_runs};
pub(super) use request::{fetch_footer, read, read_rows};
pub(super) use time::{first_since, largest_since};
pub(super) use turns::ReadTurns;
