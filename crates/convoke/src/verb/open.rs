//! A remote file that is open: to read, to write, to append, anywhere in it.

mod handle;
mod polled;

use std::io::SeekFrom;
use std::sync::Arc;

use bstr::BString;
use convoke_proto::file::{Access, Creation, Open as Request, Ownership, Stat as FileStat};
use convoke_proto::operation::{MAX_CONTENT, Operation};

use crate::error::{LinkError, StartError};
use crate::link::Delivery;
use crate::process::Broken;
use crate::remote::{Remote, VerbError};

use super::download::KEPT;
use super::owned::owned;
use super::{Verb, done, field};
use handle::Handle;
use polled::UnderWay;

/// How many bytes one write carries at most.
const PIECE: usize = 1024 * 1024;

/// Opens a file on the host. To read, a symbolic link is followed; to write or to append, one is refused (`ELOOP`).
#[derive(Debug, Clone)]
pub struct Open {
    path: BString,
    access: Access,
    creation: Creation,
    mode: Option<u16>,
    ownership: Ownership,
    most: usize,
}

impl Open {
    /// To read a file that exists.
    pub fn reading(path: impl Into<BString>) -> Self {
        Self::new(path.into(), Access::Read, Creation::Never)
    }

    /// To write a file that is made, or emptied when it exists.
    pub fn writing(path: impl Into<BString>) -> Self {
        Self::new(path.into(), Access::Write, Creation::Empty)
    }

    /// To write at the end of a file that is made when it is missing.
    pub fn appending(path: impl Into<BString>) -> Self {
        Self::new(path.into(), Access::Append, Creation::IfMissing)
    }

    /// To read and write a file that exists.
    pub fn editing(path: impl Into<BString>) -> Self {
        Self::new(path.into(), Access::ReadWrite, Creation::Never)
    }

    fn new(path: BString, access: Access, creation: Creation) -> Self {
        Open {
            path,
            access,
            creation,
            mode: None,
            ownership: Ownership::default(),
            most: KEPT,
        }
    }

    /// What happens when there is no such file, or there is one.
    #[must_use]
    pub fn creation(self, creation: Creation) -> Self {
        Open { creation, ..self }
    }

    /// The permission bits of a file that is made; those of the scope without, else `0o600`.
    #[must_use]
    pub fn mode(self, mode: u16) -> Self {
        Open {
            mode: Some(mode),
            ..self
        }
    }

    /// How many bytes [`RemoteFile::read_to_end`] brings at most; 256 MiB without.
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        Open {
            most: bytes,
            ..self
        }
    }
}

owned! { Open:
    /// To whom a file that is made belongs.
    owner,
    /// Which group a file that is made has.
    group
}

impl Verb for Open {
    type Output = RemoteFile;

    async fn on(&self, remote: &Remote) -> Result<RemoteFile, VerbError> {
        let scope = remote.scope();
        let request = Request {
            path: field::path(scope, &self.path)?,
            access: self.access,
            creation: self.creation,
            mode: field::mode(self.mode.or(scope.mode_of_files()))?,
            ownership: field::ownership(scope.ownership(&self.ownership))?,
        };
        let path = request.path.clone();
        let opening = remote.link().open_file(request).await;
        let mut channel = opening.map_err(|error| match error {
            StartError::Lost(error) => Broken::unsent(error).into(),
            StartError::Oversized(_) => VerbError::TooLong { what: path.clone() },
        })?;
        let error = match (channel.next().await, channel.number()) {
            (Delivery::Opened(_), Some(number)) => {
                let remote = remote.clone();
                return Ok(RemoteFile {
                    handle: Arc::new(Handle {
                        remote,
                        path,
                        number,
                        _channel: channel,
                    }),
                    access: self.access,
                    most: self.most,
                    position: 0,
                    under_way: UnderWay::Nothing,
                });
            }
            (Delivery::Failed(failure), _) => return Err(failure.into()),
            (Delivery::Fault(fault), _) => LinkError::Refused { text: fault.text },
            (Delivery::Lost(error), _) => error,
            _ => LinkError::Unreadable,
        };
        Err(Broken::sent(error, channel.receipt()).into())
    }
}

/// An open file of a host, with a position. Closed on drop.
///
/// It is also what tokio reads, writes and seeks. Its own methods of those names are not theirs: they wait for the
/// host's answer, and fail with a [`VerbError`].
///
/// ```no_run
/// use convoke::remote::Remote;
/// use convoke::verb::{Open, Verbs as _};
/// use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
///
/// # async fn example(remote: &Remote) -> Result<(), Box<dyn std::error::Error>> {
/// let log = remote.open(Open::reading("/var/log/dmesg")).await?;
/// let mut lines = BufReader::with_capacity(64 * 1024, log).lines();
/// let mut errors = remote.open(Open::writing("errors")).await?;
/// while let Some(line) = lines.next_line().await? {
///     if line.contains("error") {
///         errors.write_all(line + "\n").await?;
///     }
/// }
/// let mut local: &[u8] = b"that was all\n";
/// tokio::io::copy(&mut local, &mut errors).await?;
/// // Without it, what was copied last may be lost.
/// errors.flush().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RemoteFile {
    handle: Arc<Handle>,
    access: Access,
    /// How much is read to the end at most, in bytes.
    most: usize,
    position: u64,
    under_way: UnderWay,
}

impl RemoteFile {
    /// Reads at the position, and moves it: at most so many bytes, and nothing only at the end.
    ///
    /// # Errors
    /// What the host says; so for all that follow.
    pub async fn read(&mut self, most: usize) -> Result<BString, VerbError> {
        self.settle().await?;
        let read = self.handle.piece(self.position, most).await?;
        self.position += read.len() as u64;
        Ok(read)
    }

    /// Reads from the position to the end.
    ///
    /// # Errors
    /// Also [`VerbError::TooLong`] when that is more than [`Open::at_most`] says.
    pub async fn read_to_end(&mut self) -> Result<BString, VerbError> {
        let mut all = BString::default();
        loop {
            let piece = self.read(MAX_CONTENT).await?;
            if piece.is_empty() {
                return Ok(all);
            }
            if piece.len() > self.most.saturating_sub(all.len()) {
                let what = self.handle.absolute().await;
                return Err(VerbError::TooLong { what });
            }
            all.extend_from_slice(&piece);
        }
    }

    /// Reads so many bytes from `offset` on; fewer only when the file ends before. The position stays.
    pub async fn read_at(&self, offset: u64, length: usize) -> Result<BString, VerbError> {
        let mut all = BString::default();
        while all.len() < length {
            let at = offset.saturating_add(all.len() as u64);
            let piece = self.handle.piece(at, length - all.len()).await?;
            if piece.is_empty() {
                break;
            }
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    /// Writes at the position, and moves it; at the end when it was opened to append.
    pub async fn write_all(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), VerbError> {
        self.settle().await?;
        for piece in bytes.as_ref().chunks(PIECE) {
            let written = self.handle.write(self.offset(), piece.into()).await;
            self.position = written?;
        }
        Ok(())
    }

    /// Writes from `offset` on. The position stays.
    pub async fn write_at(&self, offset: u64, bytes: impl AsRef<[u8]>) -> Result<(), VerbError> {
        let mut at = offset;
        for piece in bytes.as_ref().chunks(PIECE) {
            at = self.handle.write(Some(at), piece.into()).await?;
        }
        Ok(())
    }

    /// Writes at the end, wherever that is then. The position stays.
    pub async fn append(&self, bytes: impl AsRef<[u8]>) -> Result<(), VerbError> {
        for piece in bytes.as_ref().chunks(PIECE) {
            self.handle.write(None, piece.into()).await?;
        }
        Ok(())
    }

    /// Moves the position, and says where it is then.
    pub async fn seek(&mut self, to: SeekFrom) -> Result<u64, VerbError> {
        self.settle().await?;
        self.position = match to {
            SeekFrom::Start(offset) => offset,
            SeekFrom::Current(by) => moved(self.position, by)?,
            SeekFrom::End(by) => moved(self.stat().await?.size, by)?,
        };
        Ok(self.position)
    }

    /// Gives it another length; what is added is zero.
    pub async fn set_len(&self, length: u64) -> Result<(), VerbError> {
        let file = self.handle.number;
        done(
            self.handle
                .ask(Operation::SetLength { file, length })
                .await?,
        )
    }

    /// Returns once the host's disk has what was written.
    pub async fn sync(&self) -> Result<(), VerbError> {
        let file = self.handle.number;
        done(self.handle.ask(Operation::Sync { file }).await?)
    }

    /// What is true of it now.
    pub async fn stat(&self) -> Result<FileStat, VerbError> {
        self.handle.stat().await
    }

    /// Where the next write goes; none at the end.
    fn offset(&self) -> Option<u64> {
        (self.access != Access::Append).then_some(self.position)
    }
}

/// The position that is so far away from another.
fn moved(from: u64, by: i64) -> Result<u64, VerbError> {
    let position = from.checked_add_signed(by);
    position.ok_or_else(|| {
        let why = "it is before the begin of the file";
        VerbError::usage("offset", by.to_string(), why)
    })
}
