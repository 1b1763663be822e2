//! Bounded exploration: everything that can happen to a small log, tried.
//!
//! Seeds find what is likely; this finds what is possible. A [`Scope`] bounds a world: so many appends, so many
//! crashes. In it [`explore`] opens and drives the engine's own log over a runtime that decides nothing by itself, and
//! takes every choice in turn: which operation of those in flight ends next, when something is appended, when the
//! process is killed or power is lost, and which of the blocks that were not durable that leaves. After each crash the
//! log is opened again, and goes on with what is left of appends and crashes.
//!
//! # The durability rule
//!
//! - What was acknowledged is there after every crash, whole, in its order; so is what a start has given out.
//! - What was not acknowledged is there or not, but nothing without all that precedes it, and nothing that a start has
//!   found missing comes back.
//! - No crash is taken for damage, the log goes on behind what was found, and where nothing more can happen all is
//!   acknowledged.
//!
//! # What is exhaustive
//!
//! In each scope, and in all lives together: every order in which writes and flushes end among each other and among
//! appends; with [`Scope::bursts`], also several of them before a task sees one. A crash after each of these steps, in the
//! middle of recovery too. For each crash, every combination of blocks lost and kept (or torn, with [`Scope::tears`]):
//! of frames, superblock and segment headers, and with [`Scope::background`] of footers and checkpoints.
//!
//! A life is run again from its start for each sequence of choices. States that cannot be told apart (disk, operations in
//! flight, promises, what the log says of itself) are gone on from once; a test compares that with going on from all.
//!
//! # What is not
//!
//! - Tasks run in the order in which they were woken, all that were before the next append. Reads take no time; names and
//!   sizes are durable at once. The making of a log, syncs of folders, and reads beside writes are left to the seeds.
//! - Errors of the device, full disks, flipped bits: that damage is noticed is not asked, only that none is seen.
//! - Without [`Scope::background`], what the log does behind the foreground ends as soon as it begins.
//! - Segments that are used again; trims and deletes; several appends in one frame.
//! - A block is torn at the end of its first sector, into what a crash would otherwise leave there as it was.

mod blocks;
mod command;
mod disk;
mod fingerprint;
mod life;
mod machine;
mod oracle;
mod replay;
mod report;
mod runtime;
mod scope;
mod search;
mod tasks;

pub use command::command;
pub use replay::{explore, replay};
pub use report::{Explored, Failure};
pub use scope::{Content, Scope};
