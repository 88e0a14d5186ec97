//! What a host can be asked besides processes and whole files, what it answers, and why it cannot.
//!
//! An operations request carries a list; the host goes through it in order, whatever fails. The answers
//! come on stream 1 of the channel as [`Record`]s, in the same order.
//!
//! Every path may be relative: it then begins at the login home. No path is expanded.

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::account::{Group, PasswordHash, User};
use crate::command::few;
use crate::file::{Digest, Entry, Follow, NewFile, Ownership, Stat, Stored, Time};

/// How many operations one request carries at most: a short one is few bytes on the wire and many in memory.
pub const MAX_OPERATIONS: usize = 16 * 1024;

/// The longest content that an answer carries, in bytes; longer files are streamed.
pub const MAX_CONTENT: usize = 128 * 1024;

/// The longest record in bytes, without its length.
pub const MAX_RECORD: usize = 512 * 1024;

/// A list of operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operate {
    /// In the order in which they are done, 1 to [`MAX_OPERATIONS`].
    #[serde(deserialize_with = "few::<_, _, MAX_OPERATIONS>")]
    pub operations: Vec<Operation>,
}

/// One thing that a host is asked for. Answered by the variant of [`Answer`] that is named, or by a
/// [`Failure`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// What stands at a path: [`Answer::Stat`], which is none only when nothing does.
    Stat {
        /// The path.
        path: BString,
        /// Whether a link at its end is followed.
        follow: Follow,
        /// The digests that are wanted of a regular file.
        digests: Vec<Digest>,
    },
    /// What is in a directory: [`Answer::Entries`], in parts, sorted by name.
    List {
        /// The directory.
        path: BString,
    },
    /// Where a program is found, as a command would find it: [`Answer::Path`], none when nowhere.
    Which {
        /// Its name.
        name: BString,
        /// The directories to search instead of those of the login, as in `PATH`.
        search: Option<BString>,
    },
    /// A home directory: [`Answer::Path`].
    Home {
        /// Whose, by name or number; that of the login when absent.
        user: Option<BString>,
    },
    /// A path made absolute as the other operations do it, of which nothing need exist: [`Answer::Path`].
    Absolute {
        /// The path.
        path: BString,
    },
    /// A path whose leading `~` or `~user` is replaced by that home, and made absolute: [`Answer::Path`].
    Expand {
        /// The path.
        path: BString,
    },
    /// A new directory: [`Answer::Done`].
    MakeDirectory {
        /// Where.
        path: BString,
        /// Its permission bits; `0o700` when absent.
        mode: Option<u16>,
        /// To whom it shall belong.
        ownership: Ownership,
        /// Whether the directories above it are made, too.
        parents: Parents,
    },
    /// The end of a file, a link or a directory: [`Answer::Done`]. Never follows a link, nor enters a mount
    /// point (`EBUSY`). A tree goes up to the first thing that cannot be removed.
    Remove {
        /// Which.
        path: BString,
        /// Whether a directory may hold something.
        depth: Depth,
    },
    /// Another name, which replaces what had it: [`Answer::Done`].
    Rename {
        /// The old one.
        from: BString,
        /// The new one.
        to: BString,
    },
    /// Other permission bits: [`Answer::Done`].
    SetMode {
        /// Of what; a link is followed.
        path: BString,
        /// The bits, octal 0 to 0o7777.
        mode: u16,
    },
    /// Another owner or group: [`Answer::Done`].
    SetOwner {
        /// Of what.
        path: BString,
        /// To whom it shall belong; one of the two at least.
        ownership: Ownership,
        /// Whether a link at the end of the path is followed.
        follow: Follow,
    },
    /// A new symbolic link: [`Answer::Done`].
    Link {
        /// Where it points; taken as it is.
        target: BString,
        /// Where it stands.
        path: BString,
    },
    /// Where a symbolic link points: [`Answer::Path`].
    ReadLink {
        /// The link.
        path: BString,
    },
    /// A file that exists afterwards, and was just modified: [`Answer::Done`].
    Touch {
        /// Which. A symbolic link at its end is refused (`ELOOP`).
        path: BString,
        /// When it shall have been modified and read; now when absent.
        time: Option<Time>,
        /// The permission bits of a new file; `0o600` when absent.
        mode: Option<u16>,
        /// To whom a new file shall belong.
        ownership: Ownership,
    },
    /// A new directory of mode `0o700` whose name nobody else has: [`Answer::Path`]. The caller removes it.
    TemporaryDirectory {
        /// Where; the host's directory for temporary files when absent.
        parent: Option<BString>,
        /// How its name begins.
        prefix: BString,
    },
    /// A file with this content: [`Answer::Stored`].
    Put {
        /// The file.
        file: NewFile,
        /// All that it holds.
        content: BString,
    },
    /// The content of a short file: [`Answer::Content`].
    Read {
        /// Which.
        path: BString,
        /// A file that holds more bytes than this is an error; at most [`MAX_CONTENT`].
        limit: u32,
    },
    /// A user: [`Answer::User`].
    User {
        /// By name or number; whom the login is when absent.
        who: Option<BString>,
        /// Whether the hash of the password is wanted.
        hash: PasswordHash,
    },
    /// A group: [`Answer::Group`].
    Group {
        /// By name or number; the primary one of the login when absent.
        who: Option<BString>,
    },
    /// The environment that a command would get: [`Answer::Environment`]. Fails as the command would for whom it
    /// is to run as.
    Environment {
        /// Who it runs as, by name or number; the login when absent.
        user: Option<BString>,
        /// Where it runs, as a process says it.
        cwd: Option<BString>,
    },
    /// What is true of the host: [`Answer::Facts`].
    Facts,
    /// Bytes of an open file: [`Answer::Content`], empty only at its end.
    ReadAt {
        /// The channel on which it was opened.
        file: u32,
        /// Where, in bytes.
        offset: u64,
        /// How many at most; at most [`MAX_CONTENT`].
        limit: u32,
    },
    /// Bytes for an open file: [`Answer::Position`], where they end.
    WriteAt {
        /// The channel on which it was opened.
        file: u32,
        /// Where; at the end when absent.
        offset: Option<u64>,
        /// The bytes.
        content: BString,
    },
    /// Another length of an open file: [`Answer::Done`].
    SetLength {
        /// The channel on which it was opened.
        file: u32,
        /// In bytes.
        length: u64,
    },
    /// What was written to an open file is on disk: [`Answer::Done`].
    Sync {
        /// The channel on which it was opened.
        file: u32,
    },
    /// What is true of an open file: [`Answer::Stat`].
    StatOpen {
        /// The channel on which it was opened.
        file: u32,
    },
}

/// Whether a new directory's parents are made, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Parents {
    /// They exist; and the directory itself must not.
    #[default]
    Exist,
    /// They are made with mode and owner of the last when they are missing; and the directory itself may
    /// exist, which it then does unchanged.
    Made,
}

/// How much a removal takes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Depth {
    /// One thing; a directory must be empty.
    #[default]
    One,
    /// A directory with all that is in it.
    Tree,
}

/// What a host answers to an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// What stands at a path, if anything.
    Stat(Option<Box<Stat>>),
    /// Some of the entries of a directory.
    Entries(Vec<Entry>),
    /// A path, if there is one.
    Path(Option<BString>),
    /// What became of a new file.
    Stored(Stored),
    /// Bytes of a file, at most [`MAX_CONTENT`].
    Content(BString),
    /// A user.
    User(Box<User>),
    /// A group.
    Group(Group),
    /// Some of the variables of an environment, in their order.
    Environment(Vec<(BString, BString)>),
    /// Some facts, each with its name: what the host's kernel and files say, as it stands there.
    Facts(Vec<(String, BString)>),
    /// A position in a file, in bytes.
    Position(u64),
}

/// Why a host could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which part of the request it is about.
    pub field: Field,
    /// That part's value as the host understood it: a path is absolute.
    pub value: BString,
    /// What is wrong with it.
    pub reason: Reason,
    /// The absolute path of what it was for, or of what had to be read, where the part is another one than a path
    /// and the kernel refused it.
    pub path: Option<BString>,
}

impl Failure {
    /// How many bytes of a value or path a failure repeats: more than any path or name has that a kernel takes.
    pub const MAX_VALUE: usize = 8 * 1024;

    /// The same with no more of them than that, so that it fits every message.
    pub fn shortened(mut self) -> Self {
        self.value.truncate(Self::MAX_VALUE);
        if let Some(path) = &mut self.path {
            path.truncate(Self::MAX_VALUE);
        }
        self
    }
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Field {
    /// The path, or what stands there.
    Path,
    /// Where a thing shall be renamed to.
    To,
    /// The permission bits.
    Mode,
    /// Who shall own it.
    Owner,
    /// Which group shall have it.
    Group,
    /// The user who is asked about.
    User,
    /// The open file.
    File,
    /// The content, or the room for it.
    Content,
    /// The request as a whole.
    Request,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The host's kernel refused it with this number.
    Errno(i32),
    /// No user or group has this name or number.
    Unknown,
    /// The host's name service did not answer.
    NoAnswer,
    /// Another kind of file stands there, and must not be replaced or read as a whole.
    Kind(crate::file::FileKind),
    /// It is longer than what was asked for.
    TooLong,
    /// The value cannot be.
    Invalid,
    /// It was stopped before it was done.
    Cancelled,
}

/// A piece of the answers: `length` as four bytes, big-endian, then this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// Part of the answer to the operation that is next; more follows.
    Part(Answer),
    /// The answer to the operation that is next, or the rest of it.
    Last(Answer),
    /// The operation that is next failed; parts of an answer that came before do not count.
    Failed(Failure),
}

impl Record {
    /// Appends it with its length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let mut bytes = core::mem::take(out);
        bytes.extend_from_slice(&[0; LENGTH]);
        // A growing vector takes everything, and no record refuses to be serialised.
        *out = postcard::to_extend(self, bytes).unwrap_or_default();
        let length = (out.len().saturating_sub(start + LENGTH)) as u32;
        if let Some(place) = out.get_mut(start..start + LENGTH) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// The bytes of a record's length.
const LENGTH: usize = 4;

/// Splits the bytes of stream 1 into records.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    taken: usize,
}

/// Bytes that are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not one that can be read")]
pub struct NoRecord;

impl Records {
    /// Appends bytes as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next record; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`NoRecord`] when the bytes are not one, or announce one beyond [`MAX_RECORD`].
    #[allow(clippy::should_implement_trait)] // An iterator's `None` is final; this one means "not yet".
    pub fn next(&mut self) -> Result<Option<Record>, NoRecord> {
        let waiting = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((length, rest)) = waiting.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_RECORD {
            return Err(NoRecord);
        }
        let Some(body) = rest.get(..length) else {
            self.move_up();
            return Ok(None);
        };
        match postcard::take_from_bytes(body) {
            Ok((record, [])) => {
                self.taken += LENGTH + length;
                Ok(Some(record))
            }
            _ => Err(NoRecord),
        }
    }

    /// Whether no byte waits.
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    fn move_up(&mut self) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in_however_they_are_cut() {
        let records = [
            Record::Part(Answer::Path(Some("/a".into()))),
            Record::Last(Answer::Done),
            Record::Failed(Failure {
                field: Field::Path,
                value: "/b".into(),
                reason: Reason::Errno(2),
                path: None,
            }),
            Record::Last(Answer::Content(vec![7; MAX_CONTENT].into())),
        ];
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.encode(&mut bytes));
        for cut in [1, 3, 5, 1000, bytes.len()] {
            let mut splitter = Records::default();
            let mut out = Vec::new();
            for piece in bytes.chunks(cut) {
                splitter.feed(piece);
                while let Some(record) = splitter.next().unwrap() {
                    out.push(record);
                }
            }
            assert_eq!(out, records, "{cut}");
            assert!(splitter.is_empty());
        }
    }

    #[test]
    fn what_is_no_record_is_refused_before_it_is_waited_for() {
        let mut long = Records::default();
        long.feed(&((MAX_RECORD + 1) as u32).to_be_bytes());
        assert_eq!(long.next(), Err(NoRecord));
        let mut wrong = Records::default();
        wrong.feed(&[0, 0, 0, 1, 99]);
        assert_eq!(wrong.next(), Err(NoRecord));
        let mut tail = Records::default();
        tail.feed(&[0, 0, 0, 3, 1, 0, 0]);
        assert_eq!(tail.next(), Err(NoRecord));
    }
}
