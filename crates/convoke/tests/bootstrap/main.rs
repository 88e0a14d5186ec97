//! The bootstrap against real shells, files, mounts and accounts of this machine.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod host;

mod cache;
mod cuts;
mod inherit;
mod mounts;
mod noise;
mod places;
mod real;
mod shells;
mod tools;
