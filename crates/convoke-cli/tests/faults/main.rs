//! Faults, end to end: the real binary, real agents and real processes on hosts of this machine.
//!
//! `CONVOKE_TEST_FULL=1` runs the long repeat counts and the big outputs. Some tests act as another
//! account or mount something, so all of this needs root.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod live;
mod place;
mod processes;

mod agent;
mod argv;
mod cache;
mod controller;
mod daemons;
mod limits;
mod not_started;
mod output;
mod stranger;
mod surroundings;
mod survivors;
mod trees;

/// How often something is repeated: seldom, or as often as the full run wants it.
fn scaled(seldom: u64, full: u64) -> u64 {
    match std::env::var_os("CONVOKE_TEST_FULL") {
        Some(value) if value == "1" => full,
        _ => seldom,
    }
}
