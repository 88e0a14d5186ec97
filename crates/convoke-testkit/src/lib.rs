//! What Convoke's tests stand on.
//!
//! [`fleet`] is a real sshd with any number of hosts on loopback. [`memory`] plays hosts without a process or a socket, with scripted faults; [`conformance`] is the
//! suite every connector passes; [`leak`] finds what a test left behind; [`layers`] reads which module
//! imports which; [`fuzzing`] holds the bodies of the fuzz targets. Not published; panics are how it
//! reports.
#![allow(clippy::unwrap_used)] // It is called from tests only, where a panic is the report.

pub mod leak;

pub mod fleet;

pub mod memory;

pub mod conformance;

pub mod fuzzing;

pub mod layers;
