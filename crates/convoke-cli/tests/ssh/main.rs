//! Hosts over ssh, end to end: the real binary, the native client, and a real sshd.
//!
//! `CONVOKE_TEST_SSH=system` passes the same tests over the system's `ssh`.
//! `CONVOKE_TEST_FULL=1` runs the long repeat counts. What takes root or a network of its own is
//! skipped elsewhere, saying so.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod console;
mod live;
mod operator;

mod answers;
mod asking;
mod breaks;
mod bytes;
mod crowd;
mod exits;
mod files;
mod gone;
mod homes;
mod inquiry;
mod keys;
mod masters;
mod names;
mod shells;
mod stops;
mod trust;

use convoke_testkit::fleet::Unavailable;

/// What was asked for, or why the test is skipped.
fn available<T>(started: Result<T, Unavailable>) -> Option<T> {
    started
        .inspect_err(|unavailable| eprintln!("skipped 1: {unavailable}"))
        .ok()
}

/// Whether the long repeat counts are wanted.
fn is_full() -> bool {
    std::env::var_os("CONVOKE_TEST_FULL").is_some_and(|value| value == "1")
}

/// The name of what serves hosts.
fn connector() -> &'static str {
    match std::env::var_os("CONVOKE_TEST_SSH") {
        Some(way) if way == "system" => "openssh",
        _ => "ssh+native",
    }
}
