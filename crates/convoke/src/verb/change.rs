//! Verbs that change what stands at a path.

use bstr::BString;
use convoke_proto::file::{Follow, Ownership};
use convoke_proto::operation::{Answer, Depth, Operation};

use crate::remote::VerbError;
use crate::scope::Scope;

use super::owned::owned;
use super::{Single, done, field};

/// The end of a file, a link or a directory. Links are never followed.
#[derive(Debug, Clone)]
pub struct Remove {
    path: BString,
    depth: Depth,
}

impl Remove {
    /// Of what stands at this path; a directory must be empty.
    pub fn at(path: impl Into<BString>) -> Self {
        Remove {
            path: path.into(),
            depth: Depth::One,
        }
    }

    /// Of what stands at this path, with all that is in it.
    pub fn tree(path: impl Into<BString>) -> Self {
        Remove {
            path: path.into(),
            depth: Depth::Tree,
        }
    }
}

impl Single for Remove {
    type Output = ();

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::Remove {
            path: field::path(scope, &self.path)?,
            depth: self.depth,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<(), VerbError> {
        done(answer)
    }
}

/// Another name, which replaces what had it.
#[derive(Debug, Clone)]
pub struct Rename {
    from: BString,
    to: BString,
}

impl Rename {
    /// What stands at `from` stands at `to` afterwards.
    pub fn new(from: impl Into<BString>, to: impl Into<BString>) -> Self {
        Rename {
            from: from.into(),
            to: to.into(),
        }
    }
}

impl Single for Rename {
    type Output = ();

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::Rename {
            from: field::path(scope, &self.from)?,
            to: field::path_named("to", scope, &self.to)?,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<(), VerbError> {
        done(answer)
    }
}

/// Other permission bits.
#[derive(Debug, Clone)]
pub struct Chmod {
    path: BString,
    mode: u16,
}

impl Chmod {
    /// Of what stands at `path`; a link is followed.
    pub fn new(path: impl Into<BString>, mode: u16) -> Self {
        Chmod {
            path: path.into(),
            mode,
        }
    }
}

impl Single for Chmod {
    type Output = ();

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        field::mode(Some(self.mode))?;
        Ok(Operation::SetMode {
            path: field::path(scope, &self.path)?,
            mode: self.mode,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<(), VerbError> {
        done(answer)
    }
}

/// Another owner or group: one of the two at least.
#[derive(Debug, Clone)]
pub struct Chown {
    path: BString,
    ownership: Ownership,
    follow: Follow,
}

impl Chown {
    /// Of what stands at this path; a link is followed.
    pub fn of(path: impl Into<BString>) -> Self {
        Chown {
            path: path.into(),
            ownership: Ownership::default(),
            follow: Follow::Yes,
        }
    }

    /// Whether a link at the end of the path is followed.
    #[must_use]
    pub fn follow(self, follow: Follow) -> Self {
        Chown { follow, ..self }
    }
}

owned! { Chown:
    /// To whom it shall belong, by name or number. Alone, it also gives that user's primary group.
    owner,
    /// Which group shall have it, by name or number. Alone, it leaves the owner.
    group
}

impl Single for Chown {
    type Output = ();

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        if self.ownership == Ownership::default() {
            return Err(VerbError::usage(
                "owner",
                "",
                "neither owner nor group is given",
            ));
        }
        Ok(Operation::SetOwner {
            path: field::path(scope, &self.path)?,
            ownership: field::ownership(self.ownership.clone())?,
            follow: self.follow,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<(), VerbError> {
        done(answer)
    }
}
