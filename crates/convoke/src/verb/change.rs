//! Verbs that change what stands at a path.

use bstr::BString;
use convoke_proto::file::{Follow, Ownership, Time};
use convoke_proto::operation::{Answer, Depth, Operation, Parents};

use crate::remote::VerbError;
use crate::scope::Scope;

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

    /// To whom it belongs, by name or number. Alone, it also gives that user's primary group.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<BString>) -> Self {
        self.ownership.owner = Some(owner.into());
        self
    }

    /// Which group has it, by name or number.
    #[must_use]
    pub fn group(mut self, group: impl Into<BString>) -> Self {
        self.ownership.group = Some(group.into());
        self
    }
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

    /// To whom it shall belong, by name or number. Alone, it also gives that user's primary group.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<BString>) -> Self {
        self.ownership.owner = Some(owner.into());
        self
    }

    /// Which group shall have it, by name or number. Alone, it leaves the owner.
    #[must_use]
    pub fn group(mut self, group: impl Into<BString>) -> Self {
        self.ownership.group = Some(group.into());
        self
    }

    /// Whether a link at the end of the path is followed.
    #[must_use]
    pub fn follow(self, follow: Follow) -> Self {
        Chown { follow, ..self }
    }
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
    pub fn time(self, time: Time) -> Self {
        Touch {
            time: Some(time),
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

    /// To whom a file that is made belongs.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<BString>) -> Self {
        self.ownership.owner = Some(owner.into());
        self
    }

    /// Which group a file that is made has.
    #[must_use]
    pub fn group(mut self, group: impl Into<BString>) -> Self {
        self.ownership.group = Some(group.into());
        self
    }
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
