//! Verbs that make something at a path, other than what holds content.

use bstr::BString;
use convoke_proto::file::{Ownership, Time};
use convoke_proto::operation::{Answer, Operation, Parents};

use crate::remote::VerbError;
use crate::scope::Scope;

use super::owned::owned;
use super::{Single, done, field, path};

/// A new directory.
#[derive(Debug, Clone)]
pub struct Mkdir {
    path: BString,
    mode: Option<u16>,
    ownership: Ownership,
    parents: Parents,
}

impl Mkdir {
    /// One that must not exist, in one that must.
    pub fn at(path: impl Into<BString>) -> Self {
        Mkdir {
            path: path.into(),
            mode: None,
            ownership: Ownership::default(),
            parents: Parents::Exist,
        }
    }

    /// With the directories above it that are missing; and it may exist itself, and stays as it is then.
    #[must_use]
    pub fn parents(self) -> Self {
        Mkdir {
            parents: Parents::Made,
            ..self
        }
    }

    /// With these permission bits; those of the scope without, else `0o700`.
    #[must_use]
    pub fn mode(self, mode: u16) -> Self {
        Mkdir {
            mode: Some(mode),
            ..self
        }
    }
}

owned! { Mkdir:
    /// To whom it belongs, by name or number. Alone, it also gives that user's primary group.
    owner,
    /// Which group has it, by name or number.
    group
}

impl Single for Mkdir {
    type Output = ();

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::MakeDirectory {
            path: field::path(scope, &self.path)?,
            mode: field::mode(self.mode.or(scope.mode_of_directories()))?,
            ownership: field::ownership(scope.ownership(&self.ownership))?,
            parents: self.parents,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<(), VerbError> {
        done(answer)
    }
}

/// A new symbolic link.
#[derive(Debug, Clone)]
pub struct Symlink {
    target: BString,
    path: BString,
}

impl Symlink {
    /// One at `path` that points to `target`, which is taken as it is and need not exist.
    pub fn new(target: impl Into<BString>, path: impl Into<BString>) -> Self {
        Symlink {
            target: target.into(),
            path: path.into(),
        }
    }
}

impl Single for Symlink {
    type Output = ();

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        field::given("target", &self.target)?;
        Ok(Operation::Link {
            target: self.target.clone(),
            path: field::path(scope, &self.path)?,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<(), VerbError> {
        done(answer)
    }
}

/// A file that exists afterwards, and was just modified.
#[derive(Debug, Clone)]
pub struct Touch {
    path: BString,
    time: Option<Time>,
    mode: Option<u16>,
    ownership: Ownership,
}

impl Touch {
    /// The file at this path.
    pub fn at(path: impl Into<BString>) -> Self {
        Touch {
            path: path.into(),
            time: None,
            mode: None,
            ownership: Ownership::default(),
        }
    }

    /// When it was modified and read, instead of now.
    #[must_use]
    pub fn time(self, time: impl Into<Time>) -> Self {
        Touch {
            time: Some(time.into()),
            ..self
        }
    }

    /// The permission bits of a file that is made.
    #[must_use]
    pub fn mode(self, mode: u16) -> Self {
        Touch {
            mode: Some(mode),
            ..self
        }
    }
}

owned! { Touch:
    /// To whom a file that is made belongs.
    owner,
    /// Which group a file that is made has.
    group
}

impl Single for Touch {
    type Output = ();

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::Touch {
            path: field::path(scope, &self.path)?,
            time: self.time,
            mode: field::mode(self.mode.or(scope.mode_of_files()))?,
            ownership: field::ownership(scope.ownership(&self.ownership))?,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<(), VerbError> {
        done(answer)
    }
}

/// A new directory of mode `0o700` whose name nobody else has; its path. Whoever asked for it removes it.
#[derive(Debug, Clone)]
pub struct Tempdir {
    parent: Option<BString>,
    prefix: BString,
}

impl Tempdir {
    /// In the host's directory for temporary files.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this directory.
    #[must_use]
    pub fn inside(self, parent: impl Into<BString>) -> Self {
        Tempdir {
            parent: Some(parent.into()),
            ..self
        }
    }

    /// How its name begins; `convoke-` without.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<BString>) -> Self {
        Tempdir {
            prefix: prefix.into(),
            ..self
        }
    }
}

impl Default for Tempdir {
    fn default() -> Self {
        Tempdir {
            parent: None,
            prefix: "convoke-".into(),
        }
    }
}

impl Single for Tempdir {
    type Output = BString;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        field::whole("prefix", &self.prefix)?;
        if self.prefix.contains(&b'/') {
            let prefix = self.prefix.clone();
            return Err(VerbError::usage("prefix", prefix, "it holds a slash"));
        }
        let parent = self.parent.as_ref();
        Ok(Operation::TemporaryDirectory {
            parent: parent
                .map(|parent| field::path(scope, parent))
                .transpose()?,
            prefix: self.prefix.clone(),
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<BString, VerbError> {
        path(answer)
    }
}
