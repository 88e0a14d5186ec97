//! What files hold that go to hosts: bytes, a file of this machine, or what is read elsewhere.

mod shared;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::BString;
use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::process::{Once, Reader, Source};
use crate::transfer::{INLINE, Pieces, Reading};

use shared::{Place, Shared};

/// What a file on many hosts shall hold. Clones are the same content.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// What a file of this machine holds.
    File(LocalFile),
    /// What the source gives to each host that opens it. An error while reading throws the file away there.
    Source(Arc<dyn Source>),
}

/// A regular file of this machine. Hosts that take it at about the same time and pace share every read: the fast
/// wait a moment for those that are at least half as fast. Those far behind, or that begin much later, share other
/// reads, which the cache of the kernel answers as a rule; at most three groups do, beyond them each host reads by
/// itself. At most 17 MiB of it are in memory, and 256 KiB for each host that is behind; nothing while no host takes it.
///
/// It must not change meanwhile, in content or in anything else that sets the time of its last change: the hosts
/// that have not got all of it then get none.
#[derive(Debug, Clone)]
pub struct LocalFile {
    path: Arc<Path>,
    shared: Arc<Shared>,
}

impl LocalFile {
    /// The content of an open file as it is now; `path` is what errors call it. Asks the file system, which may
    /// take time.
    ///
    /// # Errors
    /// The file says nothing of itself.
    pub fn new(file: File, path: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(LocalFile {
            path: path.into().into(),
            shared: Arc::new(Shared::new(Box::new(file))?),
        })
    }

    /// What errors call it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size when it was opened, in bytes.
    pub fn size(&self) -> u64 {
        self.shared.size()
    }

    /// How many bytes of it were read so far, for all hosts together.
    pub fn bytes_read(&self) -> u64 {
        self.shared.bytes_read()
    }
}

impl Content {
    /// What `reader` gives until its end, which is read once: it is for one file on one host, and to any
    /// other an error.
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Content::Source(Arc::new(Once::new(reader)))
    }

    /// How many bytes it has, when that is known beforehand.
    pub fn size(&self) -> Option<u64> {
        match self {
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::File(file) => Some(file.size()),
            Content::Source(_) => None,
        }
    }

    /// The file of this machine that it comes from.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Content::File(file) => Some(file.path()),
            Content::Bytes(_) | Content::Source(_) => None,
        }
    }

    /// All of it, when it is known to be no more than travels inside a request.
    ///
    /// # Errors
    /// It cannot be had.
    pub(crate) async fn read_small(&self) -> io::Result<Option<Vec<u8>>> {
        match self {
            Content::Bytes(bytes) if bytes.len() <= INLINE => Ok(Some(bytes.to_vec())),
            Content::File(file) if file.size() <= INLINE as u64 => {
                let mut place = Place::first(&file.shared);
                let mut content = Vec::new();
                while let Some(piece) = place.next(INLINE).await? {
                    content.extend_from_slice(&piece);
                    // What the kernel makes up when it is read has no size, and may be long.
                    if content.len() > INLINE {
                        return Ok(None);
                    }
                }
                Ok(Some(content))
            }
            Content::Bytes(_) | Content::File(_) | Content::Source(_) => Ok(None),
        }
    }

    /// All of it, for one host.
    ///
    /// # Errors
    /// The source has nothing to read.
    pub(crate) fn open(&self) -> io::Result<Opened> {
        Ok(match self {
            Content::Bytes(bytes) => Opened::Bytes(bytes.clone()),
            Content::File(file) => Opened::File(Place::first(&file.shared)),
            Content::Source(source) => Opened::Source(Reading::new(source.open()?)),
        })
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Content::Bytes(bytes)
    }
}

impl From<LocalFile> for Content {
    fn from(file: LocalFile) -> Self {
        Content::File(file)
    }
}

macro_rules! bytes {
    ($($text:ty),*) => {
        $(impl From<$text> for Content {
            fn from(text: $text) -> Self {
                Content::Bytes(Vec::from(text).into())
            }
        })*
    };
}

bytes!(&str, String, &[u8], Vec<u8>, BString);

impl<const N: usize> From<&[u8; N]> for Content {
    fn from(bytes: &[u8; N]) -> Self {
        Content::from(&bytes[..])
    }
}

/// How far one host is with its content.
pub(crate) enum Opened {
    Bytes(Bytes),
    File(Place),
    Source(Reading<Reader>),
}

impl Pieces for Opened {
    async fn next(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        match self {
            Opened::Bytes(bytes) => bytes.next(most).await,
            Opened::File(place) => place.next(most).await,
            Opened::Source(reading) => reading.next(most).await,
        }
    }
}
