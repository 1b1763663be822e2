//! A log alone: small segments that roll and are used again, full disks, damage, payloads that pretend to be
//! frames, in lives that end anywhere.
//!
//! What is acknowledged must be there in every later life, in order and byte for byte; what is not, wholly or
//! not at all. What one flipped bit destroys must be refused or noticed, and never be taken for a torn tail.

mod character;
mod damage;
mod draft;
mod forge;
mod life;
mod oracle;
mod read;
mod readers;
mod state;
mod workload;

pub use workload::LogAlone;
