//! One file, many readers: what several hosts want soon is read once.
//!
//! The pieces that were read last are kept, in a few windows for hosts that are about as far. Whoever comes to the
//! end of one has more read by a thread that may wait, for all; whoever finds no window reads alone.

mod windows;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt as _};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use convoke_proto::frame::MAX_DATA;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::transfer::Pieces;
use windows::{AHEAD, End, Windows};

/// How much is one piece, in bytes: what one frame carries, so that who still holds a piece holds no more.
const PIECE: usize = MAX_DATA;

/// How many hosts without a window read at the same time.
const ALONE: usize = 2;

/// How much such a host reads at once when it may, in bytes: each time takes a turn of a thread.
const BLOCK: usize = 4 * PIECE;

/// How many hosts hold so much at the same time, 4 MiB in all. The others read a piece.
const BLOCKS: usize = 16;

/// What is read, by a thread that may wait.
pub(super) trait Disk: fmt::Debug + Send + Sync {
    /// Reads at an offset, no bytes only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// What tells whether it has changed.
    fn stamp(&self) -> io::Result<Stamp>;

    /// Whether nothing of it is on a disk: then the kernel makes up what is read, and its size may be untrue.
    fn is_made_up(&self) -> io::Result<bool>;
}

/// What is different when a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// When it was written last, in seconds and nanoseconds. Anybody may set it to what it was.
    pub(super) modified: (i64, i64),
    /// When anything about it changed last, which nobody can set.
    pub(super) changed: (i64, i64),
}

impl Disk for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        let metadata = self.metadata()?;
        Ok(Stamp {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    fn is_made_up(&self) -> io::Result<bool> {
        Ok(self.metadata()?.blocks() == 0)
    }
}

/// A file and the pieces of it that were read last.
#[derive(Debug)]
pub(super) struct Shared {
    disk: Box<dyn Disk>,
    stamp: Stamp,
    windows: Mutex<Windows>,
    /// Told whenever more is kept.
    grew: Notify,
    alone: Semaphore,
    blocks: Arc<Semaphore>,
    bytes_read: AtomicU64,
    /// How many hosts have begun: a number for the next.
    hosts: AtomicU64,
}

impl Shared {
    pub(super) fn new(disk: Box<dyn Disk>) -> io::Result<Self> {
        Ok(Shared {
            stamp: disk.stamp()?,
            disk,
            windows: Mutex::default(),
            grew: Notify::new(),
            alone: Semaphore::new(ALONE),
            blocks: Arc::new(Semaphore::new(BLOCKS)),
            bytes_read: AtomicU64::new(0),
            hosts: AtomicU64::new(0),
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.stamp.size
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Nothing panics while the lock is held, so a poisoned one still holds whole values.
    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has more read for a window, when it is time. Nobody need wait for it: who does may go.
    fn read_ahead(self: &Arc<Self>, windows: &mut Windows, number: u64, is_idle: bool) {
        if !windows.wants_more(number, is_idle) {
            return;
        }
        if let Some(window) = windows.get_mut(number) {
            window.is_reading = true;
            let shared = Arc::clone(self);
            let from = window.next() * PIECE as u64;
            // The thread itself says what it has read, so that nobody has to wait for it.
            drop(spawn_blocking(move || shared.read_for_all(number, from)));
        }
    }

    fn read_for_all(&self, number: u64, from: u64) {
        for offset in (from..).step_by(PIECE).take(AHEAD) {
            let read = self.read(offset, PIECE);
            let mut windows = self.windows();
            // It may have been given to others meanwhile.
            let Some(window) = windows.get_mut(number) else {
                break;
            };
            match read {
                Ok(piece) => {
                    if piece.len() < PIECE {
                        window.end = Some(End::Nothing);
                    }
                    window.keep(piece);
                }
                Err(error) => window.end = Some(End::Failed(Arc::new(error))),
            }
            let is_over = window.end.is_some();
            drop(windows);
            self.grew.notify_waiters();
            if is_over {
                break;
            }
        }
        if let Some(window) = self.windows().get_mut(number) {
            window.is_reading = false;
        }
        // Whoever wanted more meanwhile asks for it now.
        self.grew.notify_waiters();
    }

    /// Reads `length` bytes, fewer only at the end.
    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut piece = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.disk.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        piece.truncate(filled);
        self.bytes_read.fetch_add(filled as u64, Ordering::Relaxed);
        match offset + filled as u64 > self.stamp.size && self.stamp.size > 0 {
            // It may grow for ever, and who gets all of it does not get what was to be sent.
            true => Err(io::Error::other("it grew while it was sent")),
            false => Ok(piece.into()),
        }
    }

    /// Sees whether a host that has read so many bytes, to the end, has all of the file that was to be sent.
    ///
    /// Of files that the kernel makes up when they are read, those in `/proc` have no size and those in `/sys` that of
    /// a page.
    fn check(&self, bytes: u64) -> io::Result<()> {
        let is_all = bytes == self.stamp.size || self.disk.is_made_up()?;
        match is_all && self.disk.stamp()? == self.stamp {
            true => Ok(()),
            false => Err(io::Error::other("it changed while it was sent")),
        }
    }
}

/// How far one host is.
pub(crate) struct Place {
    shared: Arc<Shared>,
    number: u64,
    /// The number of its window.
    seat: Option<u64>,
    offset: u64,
    /// What it has read by itself and not handed out.
    own: Bytes,
}

/// More than a piece, with the right to hold so much: that is given back when nothing of it waits for a host
/// any more.
struct Block {
    bytes: Bytes,
    _right: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What there is for a host.
enum Found {
    Piece(Bytes),
    /// No window has it.
    Nowhere,
    /// It will be read, at this time at the latest if others are waited for.
    NotYet(Option<Instant>),
    End(End),
}

impl Place {
    /// The begin of the file.
    pub(super) fn first(shared: &Arc<Shared>) -> Self {
        shared.windows().enter();
        Place {
            shared: Arc::clone(shared),
            number: shared.hosts.fetch_add(1, Ordering::Relaxed),
            seat: None,
            offset: 0,
            own: Bytes::new(),
        }
    }

    fn find(&mut self, most: usize) -> Found {
        let number = self.offset / PIECE as u64;
        let inside = (self.offset % PIECE as u64) as usize;
        let mut windows = self.shared.windows();
        let Some(seat) = windows.seat(self.number, &mut self.seat, number) else {
            return Found::Nowhere;
        };
        let Some(window) = windows.get_mut(seat) else {
            return Found::Nowhere;
        };
        let index = number.saturating_sub(window.first) as usize;
        let is_near_end = window.pieces.len() < index.saturating_add(AHEAD);
        let piece = window.pieces.get(index).cloned();
        let piece = piece.filter(|piece| inside < piece.len());
        let end = window.end.clone();
        if is_near_end || window.waits_until().is_some() {
            self.shared.read_ahead(&mut windows, seat, piece.is_none());
        }
        match (piece, end) {
            (Some(piece), _) => {
                let end = piece.len().min(inside + most);
                Found::Piece(piece.slice(inside..end))
            }
            (None, Some(end)) => Found::End(end),
            (None, None) => {
                let window = windows.get_mut(seat);
                Found::NotYet(window.and_then(|window| window.waits_until()))
            }
        }
    }

    /// Reads what nobody else wants.
    async fn alone(&mut self, most: usize) -> io::Result<Bytes> {
        let shared = Arc::clone(&self.shared);
        let reading = Arc::clone(&shared);
        // Only a closed semaphore fails, and this one is never closed.
        let turn = shared.alone.acquire().await;
        let right = Arc::clone(&shared.blocks).try_acquire_owned().ok();
        let (offset, length) = match right {
            Some(_) => (self.offset, BLOCK),
            None => (self.offset, most.min(PIECE)),
        };
        let bytes = on_a_thread(move || reading.read(offset, length)).await?;
        drop(turn);
        self.own = match right {
            Some(right) => Bytes::from_owner(Block {
                bytes,
                _right: right,
            }),
            None => bytes,
        };
        Ok(self.rest(most))
    }

    /// A piece of what it has read by itself.
    fn rest(&mut self, most: usize) -> Bytes {
        let piece = self.own.split_to(self.own.len().min(most).min(PIECE));
        if self.own.is_empty() {
            self.own = Bytes::new();
        }
        piece
    }
}

impl Pieces for Place {
    async fn next(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        let shared = Arc::clone(&self.shared);
        let piece = loop {
            if !self.own.is_empty() {
                break self.rest(most);
            }
            let mut grew = pin!(shared.grew.notified());
            // What grows from here on is heard of.
            grew.as_mut().enable();
            match self.find(most) {
                Found::Piece(piece) => break piece,
                Found::Nowhere => break self.alone(most).await?,
                Found::NotYet(None) => grew.await,
                Found::NotYet(Some(until)) => {
                    // Whichever it was, the next look tells.
                    let _ = timeout_at(until, grew).await;
                }
                Found::End(End::Nothing) => break Bytes::new(),
                Found::End(End::Failed(error)) => return Err(again(&error)),
            }
        };
        self.offset += piece.len() as u64;
        if piece.is_empty() {
            let (shared, bytes) = (Arc::clone(&self.shared), self.offset);
            on_a_thread(move || shared.check(bytes)).await?;
            return Ok(None);
        }
        Ok(Some(piece))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.windows().end(self.number, self.seat);
        // It may have been waited for.
        self.shared.grew.notify_waiters();
    }
}

/// Does what may wait for a disk.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let worked = spawn_blocking(work).await;
    worked.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The same error for one more host.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests;
