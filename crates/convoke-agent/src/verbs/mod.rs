//! What the agent does for an operation: plain functions that may sleep, for threads that may.
//!
//! Nothing here knows of links, channels or threads. Every path is made absolute first; a link at the end
//! of a path is never followed where something is written, but by [`Operation::SetMode`] and
//! [`Operation::SetOwner`], which say so.

mod change;
mod digest;
mod directory;
mod environment;
mod facts;
mod incoming;
mod interfaces;
mod list;
mod names;
mod open;
mod owner;
mod path;
mod remove;
mod stat;
mod target;
#[cfg(test)]
mod tests;
mod user;
mod which;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bstr::{BStr, BString};
use convoke_proto::file::{Get, NewFile, Open, Stat};
use convoke_proto::operation::{Answer, Failure, Field, Operation, Reason, Record};

use crate::account::Account;
use crate::account::getent::Getent;
use crate::account::service::NameService;
use crate::errand::Errands;
use crate::order::{Login, Person};
use crate::spawn::Credentials;

use names::Names;
use path::Place;

pub use incoming::Incoming;
pub use list::{Listing, Told};
pub use user::Identity;

/// About how many bytes of entries or variables make one record.
const PART: usize = 200 * 1024;

/// What all operations on this host need: the login, and who users and groups are. One for all threads.
#[derive(Debug)]
pub struct Verbs {
    login: Login,
    service: NameService,
    names: Names,
    /// Whether `/proc/self/fd` is there, once it was looked for.
    has_proc: OnceLock<bool>,
    linkable: incoming::Linkable,
    /// How many bytes of names the listings under way hold.
    held: Arc<AtomicUsize>,
}

/// The open files of a link.
pub trait OpenFiles {
    /// The file that was opened on this channel, if there is one.
    fn file(&self, channel: u32) -> Option<Arc<File>>;
}

/// Where the records of an answer go; `false` when nobody listens any more.
type Say<'a> = &'a mut dyn FnMut(Record) -> bool;

impl Verbs {
    /// The verbs of a login, which asks the host's name service by errands. Nothing happens before a verb.
    pub fn new(login: Login, errands: Arc<Errands>) -> Self {
        let path = login.variable("PATH").unwrap_or(b"/usr/bin:/bin");
        let getent = Getent::new(path.to_vec(), errands);
        Self::with(login, NameService::new(PathBuf::from("/etc"), getent))
    }

    fn with(login: Login, service: NameService) -> Self {
        Verbs {
            login,
            service,
            names: Names::default(),
            has_proc: OnceLock::new(),
            linkable: incoming::Linkable::default(),
            held: Arc::default(),
        }
    }

    /// The login.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// The users and groups of this host.
    pub fn service(&self) -> &NameService {
        &self.service
    }

    /// Does what is asked for, and says any number of [`Record::Part`], then one [`Record::Last`] or
    /// [`Record::Failed`]. Stops early when `say` returns `false`. What may take long, a tree or digests, also
    /// looks at `stop`, and fails as cancelled once it is set.
    pub fn perform(
        &self,
        operation: Operation,
        files: &dyn OpenFiles,
        stop: &AtomicBool,
        say: &mut dyn FnMut(Record) -> bool,
    ) {
        let last = match self.answer(operation, files, stop, say) {
            Ok(answer) => Record::Last(answer),
            Err(failure) => Record::Failed(failure),
        };
        say(last);
    }

    fn answer(
        &self,
        operation: Operation,
        files: &dyn OpenFiles,
        stop: &AtomicBool,
        say: Say<'_>,
    ) -> Result<Answer, Failure> {
        match operation {
            Operation::Stat {
                path,
                follow,
                digests,
            } => self.stat(&path, follow, &digests, stop),
            Operation::List { path } => self.list(&path, say),
            Operation::Which { name, search } => self.which(&name, bytes(&search)),
            Operation::Home { user } => self.home(bytes(&user)),
            Operation::Absolute { path } => self.absolute(&path),
            Operation::Expand { path } => self.expand(&path),
            Operation::MakeDirectory {
                path,
                mode,
                ownership,
                parents,
            } => self.make_directory(&path, mode, &ownership, parents),
            Operation::Remove { path, depth } => self.remove(&path, depth, stop),
            Operation::Rename { from, to } => self.rename(&from, &to),
            Operation::SetMode { path, mode } => self.set_mode(&path, mode),
            Operation::SetOwner {
                path,
                ownership,
                follow,
            } => self.set_owner(&path, &ownership, follow),
            Operation::Link { target, path } => self.link(&target, &path),
            Operation::ReadLink { path } => self.read_link(&path),
            Operation::Touch {
                path,
                time,
                mode,
                ownership,
            } => self.touch(&path, time, mode, &ownership),
            Operation::TemporaryDirectory { parent, prefix } => {
                self.temporary_directory(bytes(&parent), &prefix)
            }
            Operation::Put { file, content } => self.put(&file, &content),
            Operation::Read { path, limit } => self.read_whole(&path, limit),
            Operation::User { who, hash } => self.user(bytes(&who), hash),
            Operation::Group { who } => self.group(bytes(&who)),
            Operation::Environment { user, cwd } => self.environment(user, cwd, say),
            Operation::Facts => self.facts(say),
            Operation::ReadAt {
                file,
                offset,
                limit,
            } => open::read_at(files, file, offset, limit),
            Operation::WriteAt {
                file,
                offset,
                content,
            } => open::write_at(files, file, offset, &content),
            Operation::SetLength { file, length } => open::set_length(files, file, length),
            Operation::Sync { file } => open::sync(files, file),
            Operation::StatOpen { file } => self.stat_open(files, file),
        }
    }

    /// Begins a file that takes the place of another when it is finished; every field is checked before
    /// anything is touched.
    ///
    /// # Errors
    /// What is wrong with which field, or what the kernel refuses.
    pub fn begin(&self, file: &NewFile) -> Result<Incoming, Failure> {
        Incoming::begin(self, file)
    }

    /// Opens a file, and says what it is. Only a regular file can be opened: with any other one, a thread
    /// might sleep for ever.
    ///
    /// # Errors
    /// What is wrong with which field, or what the kernel refuses.
    pub fn open(&self, open: &Open) -> Result<(File, Stat), Failure> {
        open::open(self, open)
    }

    /// Opens a regular file to be read as a whole or in part, and goes to its offset.
    ///
    /// # Errors
    /// What the kernel refuses, a directory (`EISDIR`), or another kind of file.
    pub fn read(&self, get: &Get) -> Result<(File, Stat), Failure> {
        open::read(self, get)
    }

    /// As whom a process runs that is started as `user` and `group`; whoever is absent is ours.
    ///
    /// # Errors
    /// The user or the group is unknown, or the name service does not answer.
    pub fn identity(&self, user: Option<&BStr>, group: Option<&BStr>) -> Result<Identity, Failure> {
        user::identity(self, user, group)
    }

    /// The same as whom a program is started.
    ///
    /// # Errors
    /// As [`Verbs::identity`].
    pub fn person(&self, user: Option<&BStr>, group: Option<&BStr>) -> Result<Person, Failure> {
        let identity = self.identity(user, group)?;
        Ok(Person {
            name: user.and(Some(identity.name)),
            account: Account {
                home: identity.home,
                shell: identity.shell,
            },
            credentials: Credentials {
                uid: identity.uid,
                gid: identity.gid,
                groups: identity.groups,
            },
        })
    }

    /// The place of a path in a request.
    fn place(&self, path: &[u8]) -> Result<Place, Failure> {
        Place::new(&self.login.account(&self.service).home, path)
    }

    /// Whether descriptors have names in `/proc`.
    fn has_proc(&self) -> bool {
        let look = || rustix::fs::stat(c"/proc/self/fd").is_ok();
        *self.has_proc.get_or_init(look)
    }
}

fn bytes(text: &Option<BString>) -> Option<&[u8]> {
    text.as_ref().map(|text| text.as_slice())
}

/// Says part of an answer.
///
/// # Errors
/// Nobody listens any more; nobody hears of that either.
fn say_part(say: Say<'_>, part: Answer) -> Result<(), Failure> {
    match say(Record::Part(part)) {
        true => Ok(()),
        false => Err(cancelled()),
    }
}

/// Goes on unless the operation was cancelled.
fn unless_stopped(stop: &AtomicBool) -> Result<(), Failure> {
    match stop.load(Ordering::Relaxed) {
        false => Ok(()),
        true => Err(cancelled()),
    }
}

fn cancelled() -> Failure {
    Failure {
        field: Field::Request,
        value: BString::default(),
        reason: Reason::Cancelled,
        path: None,
    }
}
