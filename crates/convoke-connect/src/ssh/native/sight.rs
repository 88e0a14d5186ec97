//! The key of a host, looked at before anybody trusts it.

use std::io;
use std::path::PathBuf;

use super::verify::{Judge, Shown};
use crate::error::ConnectError;

/// The key that a host has shown, and what is known of it.
#[derive(Debug)]
pub struct Sight {
    shown: Shown,
    standing: Standing,
    names: Vec<String>,
    judge: Judge,
}

/// What is known of the key of a host.
#[derive(Debug)]
pub enum Standing {
    /// It is known, or an authority is that has signed it.
    Known,
    /// Nothing is, and it may be trusted.
    New,
    /// It must not be taken: another key is known, it was revoked, or it is none. Says why.
    Refused(ConnectError),
}

impl Sight {
    pub(super) async fn of(shown: Shown, judge: Judge) -> Self {
        let (standing, names) = judge.look(&shown).await;
        Sight {
            shown,
            standing,
            names,
            judge,
        }
    }

    /// The type of the key, such as `ssh-ed25519`.
    pub fn kind(&self) -> String {
        self.shown.key.algorithm().as_str().to_owned()
    }

    /// Its fingerprint, such as `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.shown
            .key
            .fingerprint(russh::keys::HashAlg::Sha256)
            .to_string()
    }

    /// What is known of it.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Under which names it would be added: the name of the host with its port, or its alias; with
    /// `CheckHostIP` its address, too. None unless it is new.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds the key to the first `UserKnownHostsFile` under its names, as ssh would, and tells which
    /// file that is. Does nothing unless it is new, or where the file has it already.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn trust(&self) -> io::Result<Option<PathBuf>> {
        match self.standing {
            Standing::New => self.judge.trust(&self.names, &self.shown.key).map(Some),
            Standing::Known | Standing::Refused(_) => Ok(None),
        }
    }
}
