//! Puts a file in place, as a whole or not at all.

mod progress;

use bstr::BString;
use convoke_proto::file::{Durability, NewFile, Ownership, Stored};
use convoke_proto::operation::{Answer, Operation};
use tokio::sync::mpsc;

use crate::content::Content;
use crate::remote::{Remote, VerbError};
use crate::scope::Scope;
use crate::transfer::{self, INLINE, Left, Undone};

use super::owned::owned;
use super::{Single, field, single};

use progress::Teller;

pub use progress::Progress;

/// How many bytes an upload in a batch may have at most.
const MAX_BATCHED: usize = 3 * 1024 * 1024;

/// A file that takes the place of whatever stands at its path, as a whole or not at all.
///
/// It is written beside it, synced, and renamed: a reader on the host sees the old file or the new one, and an
/// upload that is interrupted leaves the old one and nothing else. A symbolic link or a directory at the path is
/// refused. Without mode and owner the new file has those of the one that it replaces, or else `0o600` and the
/// login. What the scope says of files counts as given.
#[derive(Debug, Clone)]
pub struct Upload {
    path: BString,
    content: Content,
    mode: Option<u16>,
    ownership: Ownership,
    durability: Durability,
    progress: Option<mpsc::Sender<Progress>>,
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

    /// Done as soon as the host's kernel has it: a power cut may lose it, or leave it empty.
    #[must_use]
    pub fn unsynced(self) -> Self {
        Upload {
            durability: Durability::Unsynced,
            ..self
        }
    }

    /// Says how far it is, on every host; in a batch, nothing is said.
    ///
    /// What finds the queue full is left out; no upload waits for whoever listens. Once the file stands, its size is
    /// said last: room for that is kept from the begin of an upload, when there is some. So a queue with more room
    /// than uploads go at once loses no last word; that the file stands is what the verb returns in any case.
    #[must_use]
    pub fn progress(self, told: mpsc::Sender<Progress>) -> Self {
        Upload {
            progress: Some(told),
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

    async fn stream(&self, remote: &Remote, teller: &Teller) -> Result<Stored, VerbError> {
        let file = self.file(remote.scope())?;
        let progress = |left| {
            if let Left::SoFar(sent) = left {
                teller.sent(sent);
            }
        };
        let content = self.content.open().map_err(Undone::Here)?;
        Ok(transfer::put(remote.link(), file, content, progress).await?)
    }
}

owned! { Upload:
    /// To whom it belongs, by name or number. Alone, it also gives that user's primary group.
    owner,
    /// Which group has it, by name or number.
    group
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
        let teller = Teller::begin(self.progress.as_ref(), remote.name());
        let stored = match &self.content {
            Content::Bytes(bytes) if bytes.len() <= INLINE => single(self, remote).await?,
            _ => self.stream(remote, &teller).await?,
        };
        teller.stands(stored.size);
        Ok(stored)
    }
}
