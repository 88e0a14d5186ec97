//! The native client: from the terms of a host to the pipes of a command.
//!
//! In reading order: which keys are known (`known_hosts`, `verify`), how a connection comes about
//! (`dial`, `process`, `wire`), what a server says (`handler`), logging in (`auth`), hops, and all of it
//! together (`client`).

pub mod known_hosts;

mod shelf;
mod sight;
pub(super) mod verify;

mod introduction;

mod backlog;
pub(super) mod fault;
mod greeting;
mod line;
mod noise;
mod process;
pub(super) mod programs;
mod wire;

mod dial;

mod notes;
mod signals;

mod asking;
mod handler;
pub(super) mod keys;
mod pipes;

pub(super) mod auth;
mod contact;

mod hop;
mod hops;
mod lane;

mod client;

pub use client::Native;
pub use sight::{Sight, Standing};
