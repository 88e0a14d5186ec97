//! Hosts over ssh: `ssh:`, `ssh+native:` and `openssh:` endpoints.
//!
//! What ssh's configuration makes of a host ([`config`], [`settings`]) decides who serves it
//! ([`force`]): the native client ([`Native`]) where it does exactly what ssh would do, or the system's
//! program ([`Openssh`]). [`Ssh`] chooses. The native client reads the settings of a host (`terms`),
//! dials, judges the host's key, logs in, and hands out the pipes of the command.

mod hints;
mod options;
mod printable;
mod session;
pub mod settings;
mod target;

pub mod config;
mod openssh;

pub mod force;

mod algorithms;
mod proxy;
mod rules;
mod terms;
mod words;

pub mod native;

mod chain;
mod resolve;

mod choose;
mod here;

pub use choose::Ssh;
pub use native::Native;
pub use native::{Sight, Standing};
pub use openssh::Openssh;
pub use options::SshOptions;
