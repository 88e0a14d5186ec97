//! What Convoke's tests stand on.
//!
//! [`leak`] finds what a test left behind; [`fleet`] is a real sshd with any number of hosts on
//! loopback, and [`network`] lays a cable to them; [`memory`] plays hosts without a process or a
//! socket, with scripted faults; [`emulator`] answers as thousands of ssh hosts in one process;
//! [`emulated`] is the agent's half of both; [`conformance`] is the suite every connector passes;
//! [`fuzzing`] holds the bodies of the fuzz targets; [`layers`] reads which module imports which. Not
//! published; panics are how it reports.
#![allow(clippy::unwrap_used)] // It is called from tests only, where a panic is the report.

pub mod leak;

pub mod fleet;

pub mod network;

pub mod emulated;

pub mod memory;

pub mod emulator;

pub mod conformance;

pub mod fuzzing;

pub mod layers;
