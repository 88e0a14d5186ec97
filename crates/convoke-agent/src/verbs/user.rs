//! Users, groups, and as whom a process runs.

use std::iter;

use bstr::{BStr, BString};
use convoke_proto::account::{Group, PasswordHash, User};
use convoke_proto::operation::{Answer, Failure, Field, MAX_RECORD, Reason};
use rustix::process::{getegid, geteuid, getgroups};

use super::Verbs;
use super::path::failure;
use crate::account::database::{GroupLine, Key, Passwd};
use crate::account::getent::NoAnswer;
use crate::account::service::NoHash;

/// How much text an answer about a user or a group holds at most, in bytes; it is one record.
const MAX_TEXTS: usize = MAX_RECORD - 1024;

/// What the length of a text takes at most, in bytes.
const LENGTH: usize = 5;

/// As whom a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// The primary group's number.
    pub gid: u32,
    /// The numbers of all supplementary groups, the user's primary group among them.
    pub groups: Vec<u32>,
    /// The login name.
    pub name: BString,
    /// The home directory.
    pub home: BString,
    /// The login shell.
    pub shell: BString,
}

impl Verbs {
    /// A user by name, else by number; the one whom we are when nobody is named, by number when it has no name.
    pub(super) fn user(&self, who: Option<&[u8]>, hash: PasswordHash) -> Result<Answer, Failure> {
        let me = geteuid().as_raw();
        let (key, text) = match who {
            Some(who) => (Key::Text(who), BString::from(who)),
            None => (Key::Number(me), me.to_string().into()),
        };
        let wrong = |reason| failure(Field::User, &text, reason);
        let user = match (self.passwd(key), who) {
            (Err(Reason::Unknown), None) => return told(self.nameless()).map_err(wrong),
            (found, _) => found.map_err(wrong)?,
        };
        let groups = self.service.groups_of(&user);
        let groups = groups.map_err(|NoAnswer| wrong(Reason::NoAnswer))?;
        let password_hash = match hash {
            PasswordHash::Hidden => None,
            PasswordHash::Shown => {
                let hash = self.service.password_hash(&user);
                hash.map_err(|why| match why {
                    NoHash::NoAnswer => wrong(Reason::NoAnswer),
                    NoHash::Refused { file, errno } => Failure {
                        path: Some(file),
                        ..wrong(Reason::Errno(errno))
                    },
                })?
            }
        };
        let name_of = |gid: &u32| self.names.group(&self.service, *gid);
        let user = User {
            group: name_of(&user.gid),
            groups: groups.iter().map(name_of).collect(),
            name: user.name,
            uid: user.uid,
            gid: user.gid,
            gecos: user.gecos,
            home: user.home,
            shell: user.shell,
            password_hash,
        };
        told(user).map_err(wrong)
    }

    /// Whom we are, of whom no name service knows: as in a container that runs under any number.
    fn nameless(&self) -> User {
        let identity = own(self);
        let name_of = |gid: &u32| self.names.group(&self.service, *gid);
        let others = identity.groups.iter().filter(|gid| **gid != identity.gid);
        User {
            group: name_of(&identity.gid),
            groups: iter::once(&identity.gid)
                .chain(others)
                .map(name_of)
                .collect(),
            name: identity.name,
            uid: identity.uid,
            gid: identity.gid,
            gecos: BString::default(),
            home: identity.home,
            shell: identity.shell,
            password_hash: None,
        }
    }

    /// A group by name, else by number; our primary one when none is named, by number when it has no name.
    pub(super) fn group(&self, who: Option<&[u8]>) -> Result<Answer, Failure> {
        let mine = getegid().as_raw();
        let (key, text) = match who {
            Some(who) => (Key::Text(who), BString::from(who)),
            None => (Key::Number(mine), mine.to_string().into()),
        };
        let wrong = |reason| failure(Field::Group, &text, reason);
        let found = self.service.group(key);
        let group = match (found.map_err(|NoAnswer| wrong(Reason::NoAnswer))?, who) {
            (Some(group), _) => group,
            (None, Some(_)) => return Err(wrong(Reason::Unknown)),
            (None, None) => GroupLine {
                name: text.clone(),
                gid: mine,
                members: Vec::new(),
            },
        };
        let members = group.members.iter().map(|member| member.len() + LENGTH);
        if members.sum::<usize>() > MAX_TEXTS {
            return Err(wrong(Reason::TooLong));
        }
        Ok(Answer::Group(Group {
            name: group.name,
            gid: group.gid,
            members: group.members,
        }))
    }

    fn passwd(&self, key: Key<'_>) -> Result<Passwd, Reason> {
        let found = self
            .service
            .user(key)
            .map_err(|NoAnswer| Reason::NoAnswer)?;
        found.ok_or(Reason::Unknown)
    }
}

/// A user as an answer, if one holds all its texts.
fn told(user: User) -> Result<Answer, Reason> {
    let own = [&user.name, &user.gecos, &user.home, &user.shell];
    let texts = own
        .into_iter()
        .chain(&user.groups)
        .chain(&user.password_hash);
    match texts.map(|text| text.len() + LENGTH).sum::<usize>() > MAX_TEXTS {
        true => Err(Reason::TooLong),
        false => Ok(Answer::User(Box::new(user))),
    }
}

/// As whom a process runs; a user brings all of its groups along, a group takes the primary one's place.
pub(super) fn identity(
    verbs: &Verbs,
    user: Option<&BStr>,
    group: Option<&BStr>,
) -> Result<Identity, Failure> {
    let gid = group.map(|group| group_number(verbs, group)).transpose()?;
    let identity = match user {
        Some(user) => of_user(verbs, user)?,
        None => own(verbs),
    };
    Ok(Identity {
        gid: gid.unwrap_or(identity.gid),
        ..identity
    })
}

fn group_number(verbs: &Verbs, group: &BStr) -> Result<u32, Failure> {
    let wrong = |reason| failure(Field::Group, group, reason);
    let found = verbs.service.group(Key::Text(group));
    let found = found.map_err(|NoAnswer| wrong(Reason::NoAnswer))?;
    Ok(found.ok_or_else(|| wrong(Reason::Unknown))?.gid)
}

fn of_user(verbs: &Verbs, user: &BStr) -> Result<Identity, Failure> {
    let wrong = |reason| failure(Field::User, user, reason);
    let user = verbs.passwd(Key::Text(user)).map_err(wrong)?;
    let groups = verbs.service.groups_of(&user);
    Ok(Identity {
        groups: groups.map_err(|NoAnswer| wrong(Reason::NoAnswer))?,
        uid: user.uid,
        gid: user.gid,
        name: user.name,
        home: user.home,
        shell: user.shell,
    })
}

fn own(verbs: &Verbs) -> Identity {
    let account = verbs.login.account(&verbs.service);
    let uid = geteuid().as_raw();
    let groups = getgroups().unwrap_or_default();
    Identity {
        uid,
        gid: getegid().as_raw(),
        groups: groups.into_iter().map(|gid| gid.as_raw()).collect(),
        name: verbs.names.user(&verbs.service, uid),
        home: account.home.clone(),
        shell: account.shell.clone(),
    }
}
