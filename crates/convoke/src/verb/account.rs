//! Verbs that ask for users and groups, as the host's own name service knows them.

use bstr::BString;
use convoke_proto::account::{Group, PasswordHash, User};
use convoke_proto::operation::{Answer, Operation};

use crate::remote::VerbError;
use crate::scope::Scope;

use super::{Single, field};

/// Somebody, or a group of a host.
///
/// ```
/// use convoke::verb::Who;
///
/// assert_eq!(Who::from("app"), Who::Named("app".into()));
/// assert_eq!(Who::from(1000), Who::Named("1000".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Who {
    /// The one that the host was logged in to as.
    #[default]
    Login,
    /// The one of this name, or of this number.
    Named(BString),
}

impl Who {
    /// As requests have it.
    pub(super) fn name(&self, field: &'static str) -> Result<Option<BString>, VerbError> {
        match self {
            Who::Login => Ok(None),
            Who::Named(name) => {
                field::given(field, name)?;
                Ok(Some(name.clone()))
            }
        }
    }
}

impl From<u32> for Who {
    fn from(number: u32) -> Self {
        Who::Named(number.to_string().into())
    }
}

impl<T: Into<BString>> From<Option<T>> for Who {
    fn from(name: Option<T>) -> Self {
        name.map_or(Who::Login, |name| Who::Named(name.into()))
    }
}

macro_rules! named {
    ($($text:ty),*) => {
        $(impl From<$text> for Who {
            fn from(name: $text) -> Self {
                Who::Named(name.into())
            }
        })*
    };
}

named!(&str, String, &[u8], Vec<u8>, BString);

/// The user of a name or number, with all that the host says.
#[derive(Debug, Clone)]
pub struct QueryUser {
    who: Who,
    hash: PasswordHash,
}

impl QueryUser {
    /// This one.
    pub fn of(who: impl Into<Who>) -> Self {
        QueryUser {
            who: who.into(),
            hash: PasswordHash::Hidden,
        }
    }

    /// With the hash of the password, which takes a login as root.
    #[must_use]
    pub fn with_hash(self) -> Self {
        QueryUser {
            hash: PasswordHash::Shown,
            ..self
        }
    }
}

impl Single for QueryUser {
    type Output = User;

    fn operation(&self, _: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::User {
            who: self.who.name("user")?,
            hash: self.hash,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<User, VerbError> {
        match answer {
            Answer::User(user) => Ok(*user),
            _ => Err(VerbError::unreadable()),
        }
    }
}

/// The group of a name or number, with all that the host says.
#[derive(Debug, Clone)]
pub struct QueryGroup {
    who: Who,
}

impl QueryGroup {
    /// This one.
    pub fn of(who: impl Into<Who>) -> Self {
        QueryGroup { who: who.into() }
    }
}

impl Single for QueryGroup {
    type Output = Group;

    fn operation(&self, _: &Scope) -> Result<Operation, VerbError> {
        let who = self.who.name("group")?;
        Ok(Operation::Group { who })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<Group, VerbError> {
        match answer {
            Answer::Group(group) => Ok(group),
            _ => Err(VerbError::unreadable()),
        }
    }
}

/// The name of a user of whom only the number may be known.
#[derive(Debug, Clone)]
pub struct ResolveUser(QueryUser);

impl ResolveUser {
    /// This one's.
    pub fn of(who: impl Into<Who>) -> Self {
        ResolveUser(QueryUser::of(who))
    }
}

impl Single for ResolveUser {
    type Output = BString;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        self.0.operation(scope)
    }

    fn answer(&self, answer: Answer, scope: &Scope) -> Result<BString, VerbError> {
        Ok(self.0.answer(answer, scope)?.name)
    }
}

/// The name of a group of which only the number may be known; that of [`Who::Login`] is its primary one.
#[derive(Debug, Clone)]
pub struct ResolveGroup(QueryGroup);

impl ResolveGroup {
    /// This one's.
    pub fn of(who: impl Into<Who>) -> Self {
        ResolveGroup(QueryGroup::of(who))
    }
}

impl Single for ResolveGroup {
    type Output = BString;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        self.0.operation(scope)
    }

    fn answer(&self, answer: Answer, scope: &Scope) -> Result<BString, VerbError> {
        Ok(self.0.answer(answer, scope)?.name)
    }
}
