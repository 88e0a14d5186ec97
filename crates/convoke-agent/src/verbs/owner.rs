//! To whom a file shall belong, and which permission bits it shall have.

use std::os::fd::AsFd;

use convoke_proto::file::Ownership;
use convoke_proto::operation::{Failure, Field, Reason};
use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::Verbs;
use super::path::{Place, failure};
use crate::account::database::{Key, number};
use crate::account::getent::NoAnswer;

/// The bits of a new file: its owner reads and writes it.
pub(super) const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Numbers to give to a file; what is absent stays as it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Owner {
    pub(super) user: Option<u32>,
    pub(super) group: Option<u32>,
    asked: Ownership,
}

impl Verbs {
    /// The numbers of an ownership. A user alone brings its primary group along. A number without a name
    /// is taken as it is, but for a user alone, whose group nobody knows then. What stands at `place` is to
    /// be theirs.
    pub(super) fn owner(&self, asked: &Ownership, place: &Place) -> Result<Owner, Failure> {
        let mut owner = Owner {
            asked: asked.clone(),
            ..Owner::default()
        };
        if let Some(group) = &asked.group {
            owner.group = Some(self.group_number(group)?);
        }
        if let Some(user) = &asked.owner {
            let wrong = |reason| failure(Field::Owner, user, reason);
            let found = self.service.user(Key::Text(user));
            match found.map_err(|NoAnswer| wrong(Reason::NoAnswer))? {
                Some(found) => {
                    owner.user = Some(found.uid);
                    owner.group = owner.group.or(Some(found.gid));
                }
                None => {
                    let number = owner.group.and_then(|_| number(user));
                    owner.user = Some(number.ok_or_else(|| wrong(Reason::Unknown))?);
                }
            }
        }
        owner.check_privilege(place)?;
        Ok(owner)
    }

    fn group_number(&self, group: &[u8]) -> Result<u32, Failure> {
        let wrong = |reason| failure(Field::Group, group, reason);
        let found = self.service.group(Key::Text(group));
        let found = found.map_err(|NoAnswer| wrong(Reason::NoAnswer))?;
        let found = found.map(|found| found.gid).or_else(|| number(group));
        found.ok_or_else(|| wrong(Reason::Unknown))
    }
}

impl Owner {
    /// Only the superuser gives files away: said before anything is touched.
    pub(super) fn check_privilege(&self, place: &Place) -> Result<(), Failure> {
        let Some(user) = self.user else {
            return Ok(());
        };
        let me = geteuid();
        match me.is_root() || user == me.as_raw() {
            true => Ok(()),
            false => Err(self.refused(place, Errno::PERM)),
        }
    }

    /// Whether nothing is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.user.is_none() && self.group.is_none()
    }

    /// Gives the open file of a place to them. Comes before its mode: the kernel takes set-id bits away here.
    pub(super) fn give(&self, file: impl AsFd, place: &Place) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        fchown(file, self.uid(), self.gid()).map_err(|errno| self.refused(place, errno))
    }

    pub(super) fn uid(&self) -> Option<Uid> {
        self.user.map(Uid::from_raw)
    }

    pub(super) fn gid(&self) -> Option<Gid> {
        self.group.map(Gid::from_raw)
    }

    /// What the kernel refused, as a failure of the field that was asked for.
    pub(super) fn refused(&self, place: &Place, errno: Errno) -> Failure {
        let me = geteuid().as_raw();
        let number = |number: Option<u32>| number.unwrap_or_default().to_string().into();
        let (field, value) = match (&self.asked.owner, &self.asked.group) {
            (Some(owner), _) => (Field::Owner, owner.clone()),
            (None, Some(group)) => (Field::Group, group.clone()),
            // That of the file that was to be replaced.
            (None, None) if self.user.is_none_or(|user| user == me) => {
                (Field::Group, number(self.group))
            }
            (None, None) => (Field::Owner, number(self.user)),
        };
        place.refused_part(field, &value, errno)
    }

    /// These, or where one is absent that of a file that is there.
    pub(super) fn or(self, user: u32, group: u32) -> Owner {
        Owner {
            user: self.user.or(Some(user)),
            group: self.group.or(Some(group)),
            ..self
        }
    }
}

/// Permission bits for a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bits {
    /// They were asked for.
    Asked(Mode),
    /// Nobody asked: those of the file that is replaced, or the usual ones of a new one.
    Usual(Mode),
}

impl Bits {
    /// Those of a request, else the usual ones.
    pub(super) fn new(asked: Option<u16>, usual: Mode) -> Result<Self, Failure> {
        match asked {
            Some(mode) => Ok(Bits::Asked(checked(mode)?)),
            None => Ok(Bits::Usual(usual)),
        }
    }

    /// Gives them to the open file of a place. Some file systems have no such bits; that is an error only when they
    /// were asked for.
    pub(super) fn give(self, file: impl AsFd, place: &Place) -> Result<(), Failure> {
        let (Bits::Asked(mode) | Bits::Usual(mode)) = self;
        match (self, fchmod(file, mode)) {
            (_, Ok(())) | (Bits::Usual(_), Err(Errno::PERM | Errno::OPNOTSUPP)) => Ok(()),
            (_, Err(errno)) => Err(mode_refused(mode, place, errno)),
        }
    }
}

/// Permission bits from a request.
pub(super) fn checked(mode: u16) -> Result<Mode, Failure> {
    match mode <= 0o7777 {
        true => Ok(Mode::from_raw_mode(mode.into())),
        false => Err(failure(
            Field::Mode,
            format!("{mode:04o}").as_bytes(),
            Reason::Invalid,
        )),
    }
}

/// What the kernel refused about permission bits.
pub(super) fn mode_refused(mode: Mode, place: &Place, errno: Errno) -> Failure {
    let text = format!("{:04o}", mode.as_raw_mode());
    place.refused_part(Field::Mode, text.as_bytes(), errno)
}
