//! Hosts over ssh without the system's `ssh`: what is needed to do exactly what it would do.
//!
//! Configuration ([`settings`], [`config`], [`force`]) is apart from the client ([`Native`]), which
//! reads the settings of a host (`terms`), dials, judges the host's key, logs in, and hands out the
//! pipes of the command. What ssh would do and this client does not is refused, never left out.

pub mod config;
pub mod force;
pub mod settings;

mod resolve;
mod words;

mod algorithms;
mod terms;

pub mod known_hosts;
mod verify;

mod fault;
mod line;

mod dial;

mod notes;
mod signals;

mod handler;
mod keys;
mod pipes;

mod auth;

mod client;

mod choose;
mod here;

pub use choose::Ssh;
pub use client::Native;
