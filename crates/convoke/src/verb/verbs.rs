//! The verbs as methods, the same on one host and on many.

use bstr::BString;
use convoke_proto::account::{Group, User};
use convoke_proto::file::{Entry, Stat as FileStat, Stored};

use crate::content::Content;
use crate::facts::Facts;
use crate::remote::{Completed, Remote, VerbError};

use super::batch::{Answers, Batch, Each};
use super::{
    Chmod, Chown, Cwd, Download, Environment, Exists, Expand, Getenv, Home, List, Mkdir, Open,
    QueryFacts, QueryGroup, QueryUser, Read, Readlink, RemoteFile, Remove, Rename, ResolveGroup,
    ResolveUser, Run, Single, Stat, Symlink, Tempdir, Touch, Upload, Verb, Which, Who,
};

/// Whatever verbs can be done on: one host, or many.
///
/// On a [`Remote`] the answer of a verb is a `Result`; on a [`Session`](crate::session::Session) it is a list of
/// them, in host order. Nothing happens until a future is awaited. Dropping it ends a command, throws an upload away,
/// and keeps operations that have not begun from beginning.
pub trait Verbs: Sync {
    /// What comes of a verb whose output is `T`.
    type Answer<T: Send + 'static>: Send;

    /// Does a verb: the way to those with options.
    fn ask<V: Verb>(&self, verb: V) -> impl Future<Output = Self::Answer<V::Output>> + Send;

    /// What stands at a path; none when nothing does. See [`Stat`].
    fn stat(
        &self,
        path: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<Option<FileStat>>> + Send {
        self.ask(Stat::of(path))
    }

    /// What is in a directory, sorted by name. See [`List`].
    fn list(
        &self,
        path: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<Vec<Entry>>> + Send {
        self.ask(List::of(path))
    }

    /// Whether anything stands at a path. See [`Exists`].
    fn exists(&self, path: impl Into<BString>) -> impl Future<Output = Self::Answer<bool>> + Send {
        self.ask(Exists::at(path))
    }

    /// Where a program is found; none when nowhere. See [`Which`].
    fn which(
        &self,
        name: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<Option<BString>>> + Send {
        self.ask(Which::of(name))
    }

    /// The directory in which relative paths begin. See [`Cwd`].
    fn cwd(&self) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Cwd)
    }

    /// The home directory of a user. See [`Home`].
    fn home(&self, who: impl Into<Who>) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Home::of(who))
    }

    /// A path whose leading `~` or `~user` is that home. See [`Expand`].
    fn expand(
        &self,
        path: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Expand::path(path))
    }

    /// Makes a directory. See [`Mkdir`].
    fn mkdir(&self, path: impl Into<BString>) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Mkdir::at(path))
    }

    /// Removes a file, a link or an empty directory. See [`Remove`].
    fn remove(&self, path: impl Into<BString>) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Remove::at(path))
    }

    /// Removes a directory with all that is in it. See [`Remove`].
    fn remove_tree(
        &self,
        path: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Remove::tree(path))
    }

    /// Gives another name, replacing what had it. See [`Rename`].
    fn rename(
        &self,
        from: impl Into<BString>,
        to: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Rename::new(from, to))
    }

    /// Sets permission bits. See [`Chmod`].
    fn chmod(
        &self,
        path: impl Into<BString>,
        mode: u16,
    ) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Chmod::new(path, mode))
    }

    /// Sets the owner, and with it that user's primary group. See [`Chown`].
    fn chown(
        &self,
        path: impl Into<BString>,
        owner: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Chown::of(path).owner(owner))
    }

    /// Makes a symbolic link at `path`. See [`Symlink`].
    fn symlink(
        &self,
        target: impl Into<BString>,
        path: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Symlink::new(target, path))
    }

    /// Where a symbolic link points. See [`Readlink`].
    fn readlink(
        &self,
        path: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Readlink::of(path))
    }

    /// Makes a file when it is missing, and says that it was just modified. See [`Touch`].
    fn touch(&self, path: impl Into<BString>) -> impl Future<Output = Self::Answer<()>> + Send {
        self.ask(Touch::at(path))
    }

    /// Makes a directory whose name nobody else has. See [`Tempdir`].
    fn tempdir(&self) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Tempdir::new())
    }

    /// What a short file holds, at most 128 KiB. See [`Read`].
    fn read(&self, path: impl Into<BString>) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Read::of(path))
    }

    /// Puts a file in place, as a whole or not at all. See [`Upload`].
    fn upload(
        &self,
        path: impl Into<BString>,
        content: impl Into<Content>,
    ) -> impl Future<Output = Self::Answer<Stored>> + Send {
        self.ask(Upload::new(path, content))
    }

    /// What a file of any size holds. See [`Download`].
    fn download(
        &self,
        path: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Download::of(path))
    }

    /// The same; `default` when the file is missing.
    fn download_or(
        &self,
        path: impl Into<BString>,
        default: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(Download::of(path).or(default))
    }

    /// Opens a file. See [`Open`].
    fn open(&self, file: Open) -> impl Future<Output = Self::Answer<RemoteFile>> + Send {
        self.ask(file)
    }

    /// Runs a command. See [`Run`].
    ///
    /// On one host it has to exit with 0; on many, however it exits is what came of it, and no error. A [`Run`] that
    /// is asked for says by itself which it is, on one host as on many.
    fn run(
        &self,
        argv: impl IntoIterator<Item = impl Into<BString>>,
    ) -> impl Future<Output = Self::Answer<Completed>> + Send {
        self.ask(Run::new(argv))
    }

    /// The name of a user. See [`ResolveUser`].
    fn resolve_user(
        &self,
        who: impl Into<Who>,
    ) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(ResolveUser::of(who))
    }

    /// The name of a group. See [`ResolveGroup`].
    fn resolve_group(
        &self,
        who: impl Into<Who>,
    ) -> impl Future<Output = Self::Answer<BString>> + Send {
        self.ask(ResolveGroup::of(who))
    }

    /// A user, with all that the host says. See [`QueryUser`].
    fn query_user(&self, who: impl Into<Who>) -> impl Future<Output = Self::Answer<User>> + Send {
        self.ask(QueryUser::of(who))
    }

    /// A group, with all that the host says. See [`QueryGroup`].
    fn query_group(&self, who: impl Into<Who>) -> impl Future<Output = Self::Answer<Group>> + Send {
        self.ask(QueryGroup::of(who))
    }

    /// A variable that a command would get, if any. See [`Getenv`].
    fn getenv(
        &self,
        name: impl Into<BString>,
    ) -> impl Future<Output = Self::Answer<Option<BString>>> + Send {
        self.ask(Getenv::of(name))
    }

    /// The environment that a command would get. See [`Environment`].
    fn environment(&self) -> impl Future<Output = Self::Answer<Vec<(BString, BString)>>> + Send {
        self.ask(Environment)
    }

    /// What is true of the host as a whole. See [`QueryFacts`].
    fn facts(&self) -> impl Future<Output = Self::Answer<Facts>> + Send {
        self.ask(QueryFacts)
    }

    /// Does verbs of one kind in order, in one flight; each answer stands where its verb did. See [`Each`].
    fn batch<S: Single>(
        &self,
        verbs: impl IntoIterator<Item = S>,
    ) -> impl Future<Output = Self::Answer<Vec<Result<S::Output, VerbError>>>> + Send {
        self.ask(Each::of(verbs))
    }

    /// Does verbs of different kinds in order, in one flight. See [`Batch`].
    fn flight(&self, batch: Batch) -> impl Future<Output = Self::Answer<Answers>> + Send {
        self.ask(batch)
    }
}

impl Verbs for Remote {
    type Answer<T: Send + 'static> = Result<T, VerbError>;

    async fn ask<V: Verb>(&self, verb: V) -> Result<V::Output, VerbError> {
        verb.on(self).await
    }
}
