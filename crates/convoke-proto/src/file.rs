//! What is said about files: what they are, who owns them, and how a new one shall be.

mod time;

use bstr::BString;
use serde::{Deserialize, Serialize};

pub use time::Time;

/// What the host's file system says about a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Its permission bits, with those for set-user-id, set-group-id and sticky: octal 0 to 0o7777.
    pub mode: u16,
    /// The number of its owner.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// The name of its owner; the number as text when it has none. Empty when nothing but the kind is known.
    pub owner: BString,
    /// The name of its group; the number as text when it has none.
    pub group: BString,
    /// Its size in bytes.
    pub size: u64,
    /// When its content changed last.
    pub modified: Time,
    /// When its content or anything said here changed last.
    pub changed: Time,
    /// Its number on its device.
    pub inode: u64,
    /// The number of its device.
    pub device: u64,
    /// How many names it has.
    pub links: u64,
    /// Where it points, when it is a symbolic link that was not followed.
    pub target: Option<BString>,
    /// The digests that were asked for, of a regular file, as bytes; [`Stat::hex_digest`] has one in digits.
    pub digests: Vec<(Digest, BString)>,
}

impl Stat {
    /// That of an entry in a directory that could not be looked at: everything but its kind, which may be
    /// [`FileKind::Other`], is zero or empty.
    pub fn unknown(kind: FileKind) -> Self {
        let never = Time {
            seconds: 0,
            nanoseconds: 0,
        };
        Stat {
            kind,
            mode: 0,
            uid: 0,
            gid: 0,
            owner: BString::default(),
            group: BString::default(),
            size: 0,
            modified: never,
            changed: never,
            inode: 0,
            device: 0,
            links: 0,
            target: None,
            digests: Vec::new(),
        }
    }

    /// Whether more than the kind is known: every file that could be looked at has an owner.
    pub fn is_known(&self) -> bool {
        !self.owner.is_empty()
    }

    /// A digest that was asked for, as `sha256sum` and its like print it.
    pub fn hex_digest(&self, digest: Digest) -> Option<String> {
        let (_, bytes) = self.digests.iter().find(|(which, _)| *which == digest)?;
        Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A regular file.
    File,
    /// A named pipe.
    Fifo,
    /// A symbolic link.
    Link,
    /// A socket.
    Socket,
    /// None of these.
    Other,
}

impl FileKind {
    /// The kind's word in reports: `dir`, `chr`, `blk`, `file`, `fifo`, `link`, `sock` or `other`.
    pub fn as_str(self) -> &'static str {
        match self {
            FileKind::Directory => "dir",
            FileKind::CharacterDevice => "chr",
            FileKind::BlockDevice => "blk",
            FileKind::File => "file",
            FileKind::Fifo => "fifo",
            FileKind::Link => "link",
            FileKind::Socket => "sock",
            FileKind::Other => "other",
        }
    }
}

/// A digest that a host computes over a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Digest {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
    /// BLAKE3, 32 bytes.
    Blake3,
}

impl Digest {
    /// Every digest, in the order of their names.
    pub const ALL: [Digest; 3] = [Digest::Blake3, Digest::Sha256, Digest::Sha512];

    /// Its word in options and reports: `sha256`, `sha512` or `blake3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Digest::Sha256 => "sha256",
            Digest::Sha512 => "sha512",
            Digest::Blake3 => "blake3",
        }
    }
}

/// Whether a symbolic link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Follow {
    /// It is: what counts is where it leads.
    #[default]
    Yes,
    /// It is not: what counts is the link itself.
    No,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name, without a slash.
    pub name: BString,
    /// What it is; links are not followed. Not [known](Stat::is_known) when it could not be looked at.
    pub stat: Stat,
}

/// To whom a file shall belong. Names, or numbers as text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ownership {
    /// The user. Alone, it also gives the file that user's primary group.
    pub owner: Option<BString>,
    /// The group. Alone, it leaves the owner as it is.
    pub group: Option<BString>,
}

/// A file that takes the place of whatever stands at its path, as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// Where it shall stand.
    pub path: BString,
    /// Its name inside, should the path lead to a directory; without one a directory is an error. A symbolic
    /// link to a directory leads there when the path ends with a slash, or when the link belongs to the login
    /// user or to root; any other one is refused (`ELOOP`).
    pub inside: Option<BString>,
    /// Its permission bits; when absent those of the file that it replaces, else `0o600`.
    pub mode: Option<u16>,
    /// To whom it shall belong; when absent as the file that it replaces. One that others may have put there,
    /// in a sticky directory that they may write, is then not replaced by the superuser (`EACCES`).
    pub ownership: Ownership,
    /// Whether it must outlast a power cut.
    pub durability: Durability,
}

/// When a new file counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Durability {
    /// Once the disk has it, and its directory.
    #[default]
    Synced,
    /// Once the kernel has it: a power cut may lose it, or leave it empty.
    Unsynced,
}

/// What became of a new file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Where it stands.
    pub path: BString,
    /// How many bytes it holds.
    pub size: u64,
    /// Whether it took the place of another one.
    pub replaced: bool,
}

/// How a remote file is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Which file; a regular one. A symbolic link at its end is followed to be read, and refused (`ELOOP`)
    /// to be written.
    pub path: BString,
    /// What may be done with it.
    pub access: Access,
    /// What happens when there is no such file, or there is one.
    pub creation: Creation,
    /// The permission bits of a new file; `0o600` when absent.
    pub mode: Option<u16>,
    /// To whom a new file shall belong.
    pub ownership: Ownership,
}

/// What may be done with an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Access {
    /// Reading.
    #[default]
    Read,
    /// Writing.
    Write,
    /// Both.
    ReadWrite,
    /// Writing at the end, whatever the end is then.
    Append,
}

/// Whether opening makes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Creation {
    /// There must be one, and it keeps its content.
    #[default]
    Never,
    /// One is made when there is none.
    IfMissing,
    /// One is made when there is none, and an existing one is emptied.
    Empty,
    /// One is made, and an existing one is an error.
    New,
}

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get {
    /// Which file; a regular one. A symbolic link is followed.
    pub path: BString,
    /// Where to begin, in bytes.
    pub offset: u64,
    /// How many bytes at most; all when absent.
    pub limit: Option<u64>,
}
