//! What one can ask of a host: every verb is a value, and works on one host as on many.
//!
//! [`Verbs`] has a method for each of them; those with options are built and given to [`Verbs::ask`].

mod account;
pub mod batch;
mod change;
mod download;
mod field;
mod look;
mod make;
mod open;
mod owned;
mod run;
mod system;
mod upload;
mod verbs;

use convoke_proto::operation::{Answer, Operation};

use crate::remote::{Remote, VerbError};
use crate::scope::Scope;

pub use account::{QueryGroup, QueryUser, ResolveGroup, ResolveUser, Who};
pub use change::{Chmod, Chown, Remove, Rename};
pub use download::{Download, Incoming, Read, Reader, Stream};
pub use look::{Cwd, Exists, Expand, Home, List, Readlink, Stat, Which};
pub use make::{Mkdir, Symlink, Tempdir, Touch};
pub use open::{Open, RemoteFile};
pub use run::Run;
pub use system::{Environment, Getenv, QueryFacts};
pub use upload::{Progress, Upload};
pub use verbs::Verbs;

pub use crate::content::{Content, LocalFile};
pub use crate::facts::Facts;
pub use crate::process::{Input, Source};
pub use crate::remote::{Completed, CutShort};
pub use convoke_proto::account::{Group, PasswordHash, User};
pub use convoke_proto::file::{
    Access, Creation, Digest, Entry, FileKind, Follow, Stat as FileStat, Stored, Time,
};

/// Something that can be done on a host. Nothing happens until it is.
///
/// A verb is done as often as it is asked for, on as many hosts at once. Other crates may make their own out of
/// those of this one:
///
/// ```
/// use convoke::remote::{Remote, VerbError};
/// use convoke::verb::{Verb, Verbs};
///
/// /// The first line of a short file.
/// struct FirstLine(&'static str);
///
/// impl Verb for FirstLine {
///     type Output = String;
///
///     async fn on(&self, remote: &Remote) -> Result<String, VerbError> {
///         let content = remote.read(self.0).await?;
///         let text = content.to_string();
///         Ok(text.lines().next().unwrap_or_default().to_owned())
///     }
/// }
/// ```
pub trait Verb: Send + Sync + 'static {
    /// What comes of it.
    type Output: Send + 'static;

    /// Does it on `remote`, within its scope. Dropping the future stops it on the host.
    ///
    /// # Errors
    /// Whatever kept it from being done.
    fn on(&self, remote: &Remote) -> impl Future<Output = Result<Self::Output, VerbError>> + Send;
}

/// A verb that is one operation: it takes one round trip, or, with others in a
/// [`Batch`](crate::batch::Batch), part of one. Only this crate has such; others make verbs out of them.
pub trait Single: sealed::Sealed + Send + Sync + 'static {
    /// What comes of it.
    type Output: Send + 'static;

    /// What the host is asked for.
    ///
    /// # Errors
    /// [`VerbError::Usage`] when a field cannot be, before anything is asked.
    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError>;

    /// What the host's answer means. `scope` is that of the question.
    ///
    /// # Errors
    /// [`VerbError::Lost`] when it answers something else.
    fn answer(&self, answer: Answer, scope: &Scope) -> Result<Self::Output, VerbError>;

    /// Does it alone, which is asking for its operation unless there is a better way.
    ///
    /// # Errors
    /// Whatever kept it from being done.
    fn alone(
        &self,
        remote: &Remote,
    ) -> impl Future<Output = Result<Self::Output, VerbError>> + Send {
        single(self, remote)
    }
}

/// What only types of this crate are.
mod sealed {
    pub trait Sealed {}
}

macro_rules! singles {
    ($($verb:ty)*) => {
        $(impl sealed::Sealed for $verb {})*
    };
}

singles! {
    Chmod Chown Cwd Environment Exists Expand Getenv Home List Mkdir QueryFacts QueryGroup QueryUser Read Readlink
    Remove Rename ResolveGroup ResolveUser Stat Symlink Tempdir Touch Upload Which
}

impl<S: Single> Verb for S {
    type Output = S::Output;

    fn on(&self, remote: &Remote) -> impl Future<Output = Result<Self::Output, VerbError>> + Send {
        self.alone(remote)
    }
}

/// Asks for the operation of a verb, and waits for its answer.
async fn single<S: Single + ?Sized>(verb: &S, remote: &Remote) -> Result<S::Output, VerbError> {
    let operation = verb.operation(remote.scope())?;
    let mut reply = None;
    remote
        .operate(vec![operation], |_, came| reply = Some(came))
        .await?;
    let answer = reply.ok_or_else(VerbError::unreadable)??;
    verb.answer(answer, remote.scope())
}

/// The answer of an operation that is done and says nothing.
fn done(answer: Answer) -> Result<(), VerbError> {
    match answer {
        Answer::Done => Ok(()),
        _ => Err(VerbError::unreadable()),
    }
}

/// The answer of an operation that gives a path, which there must be.
fn path(answer: Answer) -> Result<bstr::BString, VerbError> {
    match answer {
        Answer::Path(Some(path)) => Ok(path),
        _ => Err(VerbError::unreadable()),
    }
}
