//! Who we are for ssh.

use crate::surroundings::Surroundings;

/// The account we are, as ssh sees it: by the account database, which does not ask `HOME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ssh) struct Account {
    pub(in crate::ssh) name: String,
    pub(in crate::ssh) uid: String,
    pub(in crate::ssh) host_name: String,
    pub(in crate::ssh) home: String,
    pub(in crate::ssh) hash: Hash,
}

/// Whether the token `%C` is made as we make it: later versions may hash more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ssh) enum Hash {
    Known,
    Unknown,
}

impl Account {
    /// The account without having asked an ssh. None when it has no home directory that is text.
    pub(in crate::ssh) fn of(surroundings: &Surroundings) -> Option<Self> {
        let number = nix::unistd::getuid();
        let found = nix::unistd::User::from_uid(number).ok().flatten();
        let home = match &found {
            Some(user) => Some(user.dir.clone()),
            None => surroundings.home.clone(),
        };
        Some(Account {
            name: found.map(|user| user.name).unwrap_or_default(),
            uid: number.to_string(),
            host_name: surroundings.host_name.clone(),
            home: home?.to_str()?.to_owned(),
            hash: Hash::Unknown,
        })
    }
}
