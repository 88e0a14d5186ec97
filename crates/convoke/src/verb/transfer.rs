//! Verbs that carry what files hold.

use std::fmt;
use std::sync::Arc;

use bstr::BString;
use bytes::Bytes;
use convoke_proto::file::{Durability, Get, NewFile, Ownership, Stat as FileStat, Stored};
use convoke_proto::operation::{Answer, MAX_CONTENT, Operation};

use crate::content::Content;
use crate::remote::{Remote, VerbError};
use crate::scope::Scope;
use crate::transfer::{self, Arriving};

use super::{Single, Verb, field, single};

/// Up to so many bytes travel inside the request, which spares a round trip.
const INLINE: usize = 64 * 1024;

/// How many bytes an upload in a batch may have at most.
const MAX_BATCHED: usize = 3 * 1024 * 1024;

/// A file that takes the place of whatever stands at its path, as a whole or not at all.
///
/// It is written beside it, synced, and renamed: a reader on the host sees the old file or the new one, and an
/// upload that is interrupted leaves the old one and nothing else. A symbolic link or a directory at the path is
/// refused. Without mode and owner the new file has those of the one that it replaces, or else `0o600` and the
/// login. What the scope says of files counts as given.
#[derive(Clone)]
pub struct Upload {
    path: BString,
    content: Content,
    mode: Option<u16>,
    ownership: Ownership,
    durability: Durability,
    progress: Option<Arc<Progress>>,
}

type Progress = dyn Fn(&str, u64) + Send + Sync;

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("path", &self.path)
            .field("content", &self.content)
            .field("mode", &self.mode)
            .field("ownership", &self.ownership)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

impl Upload {
    /// A file at `path` that holds `content`.
    pub fn new(path: impl Into<BString>, content: impl Into<Content>) -> Self {
        Upload {
            path: path.into(),
            content: content.into(),
            mode: None,
            ownership: Ownership::default(),
            durability: Durability::Synced,
            progress: None,
        }
    }

    /// With these permission bits.
    #[must_use]
    pub fn mode(self, mode: u16) -> Self {
        Upload {
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

    /// Done as soon as the host's kernel has it: a power cut may lose it, or leave it empty.
    #[must_use]
    pub fn unsynced(self) -> Self {
        Upload {
            durability: Durability::Unsynced,
            ..self
        }
    }

    /// Tells how many bytes have left for which host so far. Short content leaves in one piece, and tells
    /// nothing.
    #[must_use]
    pub fn progress(self, tell: impl Fn(&str, u64) + Send + Sync + 'static) -> Self {
        Upload {
            progress: Some(Arc::new(tell)),
            ..self
        }
    }

    fn file(&self, scope: &Scope) -> Result<NewFile, VerbError> {
        Ok(NewFile {
            path: field::path(scope, &self.path)?,
            inside: None,
            mode: field::mode(self.mode.or(scope.mode_of_files()))?,
            ownership: field::ownership(scope.ownership(&self.ownership))?,
            durability: self.durability,
        })
    }

    async fn stream(&self, remote: &Remote) -> Result<Stored, VerbError> {
        let file = self.file(remote.scope())?;
        let progress = |bytes| {
            if let Some(tell) = &self.progress {
                tell(remote.name(), bytes);
            }
        };
        let content = self.content.open();
        Ok(transfer::put(remote.link(), file, content, progress).await?)
    }
}

impl Single for Upload {
    type Output = Stored;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        let file = self.file(scope)?;
        match &self.content {
            Content::Bytes(bytes) if bytes.len() <= MAX_BATCHED => Ok(Operation::Put {
                file,
                content: bytes.to_vec().into(),
            }),
            Content::Bytes(_) => {
                let path = self.path.clone();
                Err(VerbError::usage(
                    "content",
                    path,
                    "it is too long for a batch",
                ))
            }
            _ => {
                let path = self.path.clone();
                Err(VerbError::usage(
                    "content",
                    path,
                    "a batch takes bytes only",
                ))
            }
        }
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<Stored, VerbError> {
        match answer {
            Answer::Stored(stored) => Ok(stored),
            _ => Err(VerbError::unreadable()),
        }
    }

    async fn alone(&self, remote: &Remote) -> Result<Stored, VerbError> {
        match &self.content {
            Content::Bytes(bytes) if bytes.len() <= INLINE => single(self, remote).await,
            _ => self.stream(remote).await,
        }
    }
}

/// What a short file holds: at most 128 KiB, in one round trip, also in a batch.
#[derive(Debug, Clone)]
pub struct Read {
    path: BString,
    limit: usize,
}

impl Read {
    /// The file at this path; a link is followed.
    pub fn of(path: impl Into<BString>) -> Self {
        Read {
            path: path.into(),
            limit: MAX_CONTENT,
        }
    }

    /// A file that holds more bytes than this is an error.
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        Read {
            limit: bytes.min(MAX_CONTENT),
            ..self
        }
    }
}

impl Single for Read {
    type Output = BString;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::Read {
            path: field::path(scope, &self.path)?,
            limit: self.limit as u32,
        })
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<BString, VerbError> {
        match answer {
            Answer::Content(content) if content.len() <= self.limit => Ok(content),
            _ => Err(VerbError::unreadable()),
        }
    }
}

/// What a file of any size holds, in memory.
#[derive(Debug, Clone)]
pub struct Download {
    stream: Stream,
    default: Option<BString>,
}

impl Download {
    /// The file at this path; a link is followed.
    pub fn of(path: impl Into<BString>) -> Self {
        Download {
            stream: Stream::of(path),
            default: None,
        }
    }

    /// What a file that is missing holds, which is an error without. Any other trouble still is one.
    #[must_use]
    pub fn or(self, default: impl Into<BString>) -> Self {
        Download {
            default: Some(default.into()),
            ..self
        }
    }

    /// From this byte on.
    #[must_use]
    pub fn offset(self, bytes: u64) -> Self {
        let stream = self.stream.offset(bytes);
        Download { stream, ..self }
    }

    /// Not more than so many bytes of it.
    #[must_use]
    pub fn limit(self, bytes: u64) -> Self {
        let stream = self.stream.limit(bytes);
        Download { stream, ..self }
    }
}

impl Verb for Download {
    type Output = BString;

    async fn on(&self, remote: &Remote) -> Result<BString, VerbError> {
        let mut incoming = match (self.stream.on(remote).await, &self.default) {
            (Err(VerbError::NotFound { .. }), Some(default)) => return Ok(default.clone()),
            (came, _) => came?,
        };
        let mut content = BString::default();
        while let Some(piece) = incoming.next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }
}

/// What a file of any size holds, piece by piece.
#[derive(Debug, Clone)]
pub struct Stream {
    path: BString,
    offset: u64,
    limit: Option<u64>,
}

impl Stream {
    /// The file at this path; a link is followed.
    pub fn of(path: impl Into<BString>) -> Self {
        Stream {
            path: path.into(),
            offset: 0,
            limit: None,
        }
    }

    /// From this byte on.
    #[must_use]
    pub fn offset(self, bytes: u64) -> Self {
        Stream {
            offset: bytes,
            ..self
        }
    }

    /// Not more than so many bytes of it.
    #[must_use]
    pub fn limit(self, bytes: u64) -> Self {
        Stream {
            limit: Some(bytes),
            ..self
        }
    }
}

impl Verb for Stream {
    type Output = Incoming;

    async fn on(&self, remote: &Remote) -> Result<Incoming, VerbError> {
        let get = Get {
            path: field::path(remote.scope(), &self.path)?,
            offset: self.offset,
            limit: self.limit,
        };
        let (stat, arriving) = transfer::get(remote.link(), get).await?;
        Ok(Incoming {
            stat,
            arriving,
            _remote: remote.clone(),
        })
    }
}

/// A file that comes. As long as nothing is taken, the host waits; dropping it stops the host.
#[derive(Debug)]
pub struct Incoming {
    stat: FileStat,
    arriving: Arriving,
    /// Keeps the connection.
    _remote: Remote,
}

impl Incoming {
    /// What the host says about the file. More or less may come, if it changes meanwhile.
    pub fn stat(&self) -> &FileStat {
        &self.stat
    }

    /// The next piece; none at the end, after which it is not called again. May be dropped and called again;
    /// nothing is lost.
    ///
    /// # Errors
    /// Why no more of it comes.
    pub async fn next(&mut self) -> Result<Option<Bytes>, VerbError> {
        Ok(self.arriving.next().await?)
    }
}
