//! Verbs that bring what files hold.

mod reader;

use bstr::BString;
use bytes::Bytes;
use convoke_proto::file::{FileKind, Get, Stat as FileStat};
use convoke_proto::operation::{Answer, MAX_CONTENT, Operation};

use crate::remote::{Remote, VerbError};
use crate::scope::Scope;
use crate::transfer::{self, Arriving, is_unchanged};

use super::{Single, Verb, field};

pub use reader::Reader;

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

/// How many bytes of a file are kept in memory unless somebody says otherwise.
pub(super) const KEPT: usize = 256 * 1024 * 1024;

/// What a file holds, in memory: at most 256 MiB unless [`Download::at_most`] says otherwise.
#[derive(Debug, Clone)]
pub struct Download {
    stream: Stream,
    default: Option<BString>,
    most: usize,
}

impl Download {
    /// The file at this path; a link is followed.
    pub fn of(path: impl Into<BString>) -> Self {
        Download {
            stream: Stream::of(path),
            default: None,
            most: KEPT,
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

    /// Not more than so many bytes of it: what follows is left.
    #[must_use]
    pub fn limit(self, bytes: u64) -> Self {
        let stream = self.stream.limit(bytes);
        Download { stream, ..self }
    }

    /// When more bytes than this come, that is [`VerbError::TooLong`].
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        Download {
            most: bytes,
            ..self
        }
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
            if piece.len() > self.most.saturating_sub(content.len()) {
                let what = remote.scope().join(self.stream.path.clone());
                return Err(VerbError::TooLong { what });
            }
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

impl Stream {
    /// How many bytes shall come by what the host says about the file. Files that the kernel makes up when they are
    /// read have no size.
    fn announced(&self, stat: &FileStat) -> u64 {
        let most = self.limit.unwrap_or(u64::MAX);
        match stat.kind {
            FileKind::File => stat.size.saturating_sub(self.offset).min(most),
            _ => 0,
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
        let path = get.path.clone();
        let (stat, arriving) = transfer::get(remote.link(), get).await?;
        Ok(Incoming {
            missing: self.announced(&stat),
            path,
            stat,
            arriving,
            left: self.limit,
            has_ended: false,
            remote: remote.clone(),
        })
    }
}

/// A file that comes. As long as nothing is taken, the host waits; dropping it stops the host.
#[derive(Debug)]
pub struct Incoming {
    path: BString,
    stat: FileStat,
    arriving: Arriving,
    /// How many bytes have not come of those that were announced.
    missing: u64,
    /// How many bytes may still come, if not any number.
    left: Option<u64>,
    /// Whether no more of it comes.
    has_ended: bool,
    /// Keeps the connection.
    remote: Remote,
}

impl Incoming {
    /// What the host says about the file. More may come, if it grows meanwhile; less only of what the kernel makes
    /// up, as in `/sys`.
    pub fn stat(&self) -> &FileStat {
        &self.stat
    }

    /// The next piece; none at the end, after which it is not called again. May be dropped and called again;
    /// nothing is lost.
    ///
    /// # Errors
    /// Why no more of it comes; [`VerbError::Changed`] when what came is a part of it, [`VerbError::Lost`] when the
    /// host sends more than it was asked for.
    pub async fn next(&mut self) -> Result<Option<Bytes>, VerbError> {
        if !self.has_ended {
            if let Some(piece) = self.arriving.next().await? {
                self.count(piece.len() as u64)?;
                return Ok(Some(piece));
            }
            self.has_ended = true;
        }
        self.check().await.map(|()| None)
    }

    fn count(&mut self, bytes: u64) -> Result<(), VerbError> {
        self.missing = self.missing.saturating_sub(bytes);
        if let Some(left) = &mut self.left {
            let rest = left.checked_sub(bytes);
            *left = rest.ok_or_else(VerbError::unreadable)?;
        }
        Ok(())
    }

    /// Sees that what came is all of it.
    async fn check(&self) -> Result<(), VerbError> {
        let Incoming { path, stat, .. } = self;
        match self.missing == 0 || is_unchanged(self.remote.link(), path, stat).await? {
            true => Ok(()),
            false => Err(VerbError::Changed { path: path.clone() }),
        }
    }

    /// The same as a reader.
    pub fn into_reader(self) -> Reader {
        Reader::new(self)
    }
}
