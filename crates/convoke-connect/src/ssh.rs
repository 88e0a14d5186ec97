//! Hosts over ssh: `ssh:`, `ssh+native:` and `openssh:` endpoints.
//!
//! What ssh's configuration makes of a host ([`config`], [`settings`]) decides who serves it
//! ([`force`]): the native client ([`Native`]) where it does exactly what ssh would do, or the system's
//! program ([`Openssh`]). [`Ssh`] chooses. The native client reads the settings of a host (`terms`),
//! dials, judges the host's key, logs in, and hands out the pipes of the command.

mod options;
mod session;
pub mod settings;
mod target;

pub mod config;
mod openssh;

pub mod force;

mod chain;
mod resolve;
mod words;

pub mod known_hosts;

mod algorithms;
mod proxy;
mod rules;
mod terms;

mod sight;
mod verify;

mod introduction;

mod fault;
mod greeting;
mod line;
mod noise;
mod process;
mod programs;
mod wire;

mod dial;

mod notes;
mod signals;

mod asking;
mod handler;
mod keys;
mod pipes;

mod auth;
mod contact;

mod hop;
mod hops;
mod lane;

mod client;

mod choose;
mod here;

pub use choose::Ssh;
pub use client::Native;
pub use openssh::Openssh;
pub use options::SshOptions;
pub use sight::{Sight, Standing};
