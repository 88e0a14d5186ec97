//! Users and groups, as the host's own name service knows them.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// A user of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The login name.
    pub name: BString,
    /// The user's number.
    pub uid: u32,
    /// The name of the primary group; the number as text when it has none.
    pub group: BString,
    /// The number of the primary group.
    pub gid: u32,
    /// Every group the user is in, the primary one first: names, or numbers as text.
    pub groups: Vec<BString>,
    /// The comment: full name, rooms, telephones.
    pub gecos: BString,
    /// The home directory.
    pub home: BString,
    /// The login shell.
    pub shell: BString,
    /// The password's hash, when it was asked for and may be read.
    pub password_hash: Option<BString>,
}

/// A group of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: BString,
    /// Its number.
    pub gid: u32,
    /// The users that are named as its members; those whose primary group it is need not be.
    pub members: Vec<BString>,
}

/// Whether the hash of a user's password is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum PasswordHash {
    /// It is not.
    #[default]
    Hidden,
    /// It is, which takes privileges.
    Shown,
}
