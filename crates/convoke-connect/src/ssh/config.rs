//! What `ssh -G` prints for a host, told without running it.
//!
//! The configuration is read and understood once, then held against each host. Whatever this cannot
//! tell exactly as ssh would is left to ssh itself, with the reason: a command in a condition,
//! canonical names, sockets and variables in forwardings, an option or a value that is not known here,
//! and everything that ssh refuses, since it says best why. Defaults come from the installed ssh.

mod account;
mod algorithms;
mod apply;
mod ask;
mod condition;
mod directive;
mod file;
mod finish;
mod forward;
mod installed;
mod jump;
mod keywords;
mod line;
mod own;
mod parsed;
mod pattern;
mod skip;
mod source;
mod tokens;

use crate::ssh::target::Target;

use super::settings::Settings;

pub use ask::{Configuration, Told};
pub use directive::Lacks;
pub use installed::{Installed, LISTS, MARKED, PLAIN};
pub use parsed::Parsed;
pub use source::{Content, Disk, Files as FileSystem, Link};

pub(super) use account::Account;
#[cfg(test)]
pub(super) use account::Hash;
pub(super) use ask::Owner;
pub(super) use jump::Jump;
pub(super) use pattern::matches;
pub(super) use tokens::{Directly, Tokens, without_tilde};

/// The names of the options that may be printed.
#[cfg(test)]
pub(super) fn printed_names() -> impl Iterator<Item = &'static str> {
    keywords::printed_names()
}

/// A host, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// Its name or address, without brackets.
    pub host: String,
    /// The login, when one was written.
    pub user: Option<String>,
    /// The port, when one was written.
    pub port: Option<u16>,
}

impl From<&Target> for Destination {
    fn from(target: &Target) -> Self {
        Destination {
            host: target.host.clone(),
            user: target.user.clone(),
            port: target.port,
        }
    }
}

/// What a host is reached for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A command runs there, and everything that is asked of ssh counts.
    Command,
    /// It is only on the way to another (`-W`), and nothing counts but its configuration.
    Way {
        /// The hops before it, as for `-J`.
        before: Option<String>,
    },
}

/// What became of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Exactly what `ssh -G` prints.
    Told(Settings),
    /// ssh must be asked; why.
    Ask(String),
}

/// A configuration that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The first thing in it that is left to ssh.
    pub why: String,
    /// What would help.
    pub lacks: Lacks,
}
