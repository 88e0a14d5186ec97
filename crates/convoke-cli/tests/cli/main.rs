//! The command line, end to end: the real binary on hosts of this machine.
//!
//! What a fault does to a run is shown in `faults`; here is what an operator sees and gets.
//! `CONVOKE_TEST_FULL=1` makes the big outputs as big as the contract names them.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod scene;

mod closed;
mod exits;
mod fanout;
mod file_limits;
mod files;
mod guide;
mod input;
mod inquiry;
mod json_page;
mod modes;
mod odd_names;
mod outdir;
mod pages;
mod pressure;
mod readme;
mod signals;
mod terminal;
mod usage;
