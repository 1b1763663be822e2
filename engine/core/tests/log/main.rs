//! The log against the simulator: nothing acknowledged is lost, nothing unacknowledged is half there.

mod oracle;
mod seeds;
mod state;
mod workload;
