//! Verbs that look at paths, and change nothing.

use bstr::BString;
use convoke_proto::file::{Digest, Entry, Follow, Stat as FileStat};
use convoke_proto::operation::{Answer, Operation};

use crate::remote::VerbError;
use crate::scope::Scope;

use super::account::Who;
use super::{Single, field, path};

/// What stands at a path: none only when nothing does.
///
/// A file in the middle of the path is an error (`ENOTDIR`).
#[derive(Debug, Clone)]
pub struct Stat {
    path: BString,
    follow: Follow,
    digests: Vec<Digest>,
}

impl Stat {
    /// A link at the end of the path is followed, and no digest computed.
    pub fn of(path: impl Into<BString>) -> Self {
        Stat {
            path: path.into(),
            follow: Follow::Yes,
            digests: Vec::new(),
        }
    }

    /// Whether a link at the end of the path is followed.
    #[must_use]
    pub fn follow(self, follow: Follow) -> Self {
        Stat { follow, ..self }
    }

    /// With these digests, which the host computes, of a regular file.
    #[must_use]
    pub fn digests(self, digests: impl IntoIterator<Item = Digest>) -> Self {
        let digests = digests.into_iter().collect();
        Stat { digests, ..self }
    }
}

impl Single for Stat {
    type Output = Option<FileStat>;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::Stat {
            path: field::path(scope, &self.path)?,
            follow: self.follow,
            digests: self.digests.clone(),
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<Self::Output, VerbError> {
        match answer {
            Answer::Stat(stat) => Ok(stat.map(|stat| *stat)),
            _ => Err(VerbError::unreadable()),
        }
    }
}

/// Whether anything stands at a path. A link that leads nowhere does.
#[derive(Debug, Clone)]
pub struct Exists(Stat);

impl Exists {
    /// At this path.
    pub fn at(path: impl Into<BString>) -> Self {
        Exists(Stat::of(path).follow(Follow::No))
    }
}

impl Single for Exists {
    type Output = bool;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        self.0.operation(scope)
    }

    fn answer(&self, answer: Answer, scope: &Scope) -> Result<bool, VerbError> {
        Ok(self.0.answer(answer, scope)?.is_some())
    }
}

/// What is in a directory, sorted by name; without `.` and `..`.
///
/// A host that tells more than 256 MiB of names is not believed. That holds for each host by itself.
#[derive(Debug, Clone)]
pub struct List {
    path: BString,
}

impl List {
    /// Of this directory.
    pub fn of(path: impl Into<BString>) -> Self {
        List { path: path.into() }
    }
}

impl Single for List {
    type Output = Vec<Entry>;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        let path = field::path(scope, &self.path)?;
        Ok(Operation::List { path })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<Vec<Entry>, VerbError> {
        match answer {
            Answer::Entries(entries) => Ok(entries),
            _ => Err(VerbError::unreadable()),
        }
    }
}

/// Where a program is found, as a command would find it; none when nowhere.
#[derive(Debug, Clone)]
pub struct Which {
    name: BString,
}

impl Which {
    /// The program of this name.
    pub fn of(name: impl Into<BString>) -> Self {
        Which { name: name.into() }
    }
}

impl Single for Which {
    type Output = Option<BString>;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        field::given("name", &self.name)?;
        let is_path = self.name.contains(&b'/');
        Ok(Operation::Which {
            name: match is_path {
                true => scope.join(self.name.clone()),
                false => self.name.clone(),
            },
            search: scope.variable(b"PATH").map(BString::from),
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<Self::Output, VerbError> {
        match answer {
            Answer::Path(path) => Ok(path),
            _ => Err(VerbError::unreadable()),
        }
    }
}

/// The directory in which relative paths begin, and commands run; it need not exist.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cwd;

impl Single for Cwd {
    type Output = BString;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        let Some(directory) = scope.directory() else {
            return Ok(Operation::Home { user: None });
        };
        field::given("cwd", directory)?;
        let path = directory.into();
        Ok(Operation::Absolute { path })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<BString, VerbError> {
        path(answer)
    }
}

/// The home directory of a user.
#[derive(Debug, Clone)]
pub struct Home {
    who: Who,
}

impl Home {
    /// Whose.
    pub fn of(who: impl Into<Who>) -> Self {
        Home { who: who.into() }
    }
}

impl Single for Home {
    type Output = BString;

    fn operation(&self, _: &Scope) -> Result<Operation, VerbError> {
        let user = self.who.name("user")?;
        Ok(Operation::Home { user })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<BString, VerbError> {
        path(answer)
    }
}

/// A path whose leading `~` or `~user` is replaced by that home, and that is made absolute.
#[derive(Debug, Clone)]
pub struct Expand {
    path: BString,
}

impl Expand {
    /// This path.
    pub fn path(path: impl Into<BString>) -> Self {
        Expand { path: path.into() }
    }
}

impl Single for Expand {
    type Output = BString;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        let path = match self.path.starts_with(b"~") {
            true => {
                field::given("path", &self.path)?;
                self.path.clone()
            }
            false => field::path(scope, &self.path)?,
        };
        Ok(Operation::Expand { path })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<BString, VerbError> {
        path(answer)
    }
}

/// Where a symbolic link points, as it stands there.
#[derive(Debug, Clone)]
pub struct Readlink {
    path: BString,
}

impl Readlink {
    /// The link at this path.
    pub fn of(path: impl Into<BString>) -> Self {
        Readlink { path: path.into() }
    }
}

impl Single for Readlink {
    type Output = BString;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        let path = field::path(scope, &self.path)?;
        Ok(Operation::ReadLink { path })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<BString, VerbError> {
        path(answer)
    }
}
