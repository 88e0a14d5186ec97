//! The native client where it needs no server.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod choice;
mod known_hosts;
