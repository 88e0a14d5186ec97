//! What a command line means here: the arguments together with our environment.

mod env_file;
mod environment;
mod facts;
mod files;
mod hosts;
mod inquiry;
mod output;
mod pace;
mod place;
mod reaching;
mod run;
mod selection;
mod trust;
mod work;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use bstr::BString;

pub(crate) use environment::{Environment, Paper, PaperKind};
pub(crate) use files::{Get, Moving, Put, Source, Target, Wanted, unreadable};
pub(crate) use hosts::{Check, Hosts, HostsForm};
pub(crate) use inquiry::{Asked, Hidden, Inquiry, ListForm};
pub(crate) use output::{Output, OutputForm, Safety, Volume};
pub(crate) use pace::Pace;
pub(crate) use reaching::Reaching;
pub(crate) use run::Run;
pub(crate) use selection::{Empty, Selection};
pub(crate) use trust::{Consent, Trust};
pub(crate) use work::{Form, Work};

/// Whether our stdin is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// Never.
    Unread,
    /// It goes to every host.
    Sent,
}

/// Whether anything happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rehearsal {
    /// The plan is shown, nothing is started.
    Dry,
    /// The plan is carried out.
    Wet,
}

impl Rehearsal {
    /// What `--dry-run` says.
    fn of(is_dry: bool) -> Self {
        match is_dry {
            true => Rehearsal::Dry,
            false => Rehearsal::Wet,
        }
    }
}

fn bytes(text: OsString) -> BString {
    text.into_vec().into()
}

#[cfg(test)]
mod tests;
