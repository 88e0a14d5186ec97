//! The content of one file on its way: to a host as a new file, or from it.

mod whole;

use std::io;

use bytes::{Bytes, BytesMut};
use convoke_proto::file::{FileKind, Get, NewFile, Stat, Stored};
use convoke_proto::operation::Failure;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{LinkError, StartError};
use crate::link::{Channel, Delivery, Link};
use crate::operate::too_long;
use crate::process::Broken;

pub(crate) use whole::is_unchanged;

/// How much of a reader is asked for at once, in bytes: what one frame carries.
const PIECE: usize = convoke_proto::frame::MAX_DATA;

/// Up to so many bytes of a new file travel inside its request, which spares a round trip. Of a longer one that
/// trip is a small part, and it is better sent in pieces.
pub(crate) const INLINE: usize = 64 * 1024;

/// Why a file did not arrive.
#[derive(Debug)]
pub(crate) enum Undone {
    /// The host could not read or write it.
    Host(Failure),
    /// What it was to hold could not be had on this machine.
    Here(io::Error),
    /// The link ended before the host had said what became of it.
    Broken(Broken),
}

/// How much of a file has left for its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// So many bytes so far.
    SoFar(u64),
    /// All of it, so many bytes: the host has still to store it. Said once.
    All(u64),
}

/// What a new file on a host will hold, piece by piece.
pub(crate) trait Pieces: Send {
    /// The next piece, at most `most` bytes and never empty; none at the end, after which it is not called
    /// again. May be dropped and called again; nothing is lost.
    ///
    /// # Errors
    /// The content cannot be had: the file on the host is thrown away.
    fn next(&mut self, most: usize) -> impl Future<Output = io::Result<Option<Bytes>>> + Send;
}

impl Pieces for Bytes {
    async fn next(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        let piece = self.split_to(most.min(self.len()));
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// The pieces of what a reader gives until its end.
#[derive(Debug)]
pub(crate) struct Reading<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R> Reading<R> {
    pub(crate) fn new(reader: R) -> Self {
        Reading {
            reader,
            buffer: BytesMut::new(),
        }
    }
}

impl<R: AsyncRead + Send + Unpin> Pieces for Reading<R> {
    async fn next(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        let most = most.min(PIECE);
        self.buffer.reserve(most);
        let mut reader = (&mut self.reader).take(most as u64);
        let read = reader.read_buf(&mut self.buffer).await?;
        Ok((read > 0).then(|| self.buffer.split().freeze()))
    }
}

/// Sends a file and waits until it stands on the host; `progress` hears how much has left.
///
/// Reads no faster than the host takes. A file that cannot be had whole takes nobody's place: the host throws
/// it away, as it does when the future is dropped.
pub(crate) async fn put(
    link: &Link,
    file: NewFile,
    mut content: impl Pieces,
    mut progress: impl FnMut(Left) + Send,
) -> Result<Stored, Undone> {
    let mut sending = Sending {
        channel: link.put(file).await.map_err(not_asked)?,
        next: Next::Read,
        sent: 0,
    };
    loop {
        if let Some(sent) = sending.step(&mut content).await? {
            match sent {
                Step::Left(left) => progress(left),
                Step::Stored(stored) => return Ok(stored),
            }
        }
    }
}

/// A file that goes.
struct Sending {
    channel: Channel,
    next: Next,
    sent: u64,
}

/// What is to be done for the file beside listening.
enum Next {
    Read,
    Send(Bytes),
    Nothing,
}

enum Step {
    Left(Left),
    Stored(Stored),
}

impl Sending {
    /// Does whatever can be done first.
    async fn step(&mut self, content: &mut impl Pieces) -> Result<Option<Step>, Undone> {
        let credit = self.channel.stdin_credit();
        // What was read is sent within the credit it was read for, which never shrinks meanwhile.
        let wanted = match &self.next {
            Next::Send(piece) => piece.len(),
            Next::Read | Next::Nothing => 0,
        };
        let room = self.channel.room(wanted);
        tokio::select! {
            biased;
            delivery = self.channel.next() => return self.heard(delivery),
            piece = content.next(credit), if credit > 0 && matches!(self.next, Next::Read) => {
                match piece.map_err(Undone::Here)? {
                    Some(piece) => self.next = Next::Send(piece),
                    None => {
                        self.next = Next::Nothing;
                        self.channel.end_stdin();
                        return Ok(Some(Step::Left(Left::All(self.sent))));
                    }
                }
            }
            room = room, if wanted > 0 => {
                if let Next::Send(piece) = std::mem::replace(&mut self.next, Next::Read) {
                    self.sent += piece.len() as u64;
                    self.channel.send(piece, room);
                    return Ok(Some(Step::Left(Left::SoFar(self.sent))));
                }
            }
        }
        Ok(None)
    }

    fn heard(&self, delivery: Delivery) -> Result<Option<Step>, Undone> {
        match delivery {
            Delivery::Credit { .. } => Ok(None),
            // A host that has stored something else than was sent is believed in nothing.
            Delivery::Stored(stored)
                if matches!(self.next, Next::Nothing) && stored.size == self.sent =>
            {
                Ok(Some(Step::Stored(stored)))
            }
            last @ Delivery::Lost(_) if !matches!(self.next, Next::Nothing) => {
                Err(match undone(&self.channel, last) {
                    Undone::Broken(broken) => Undone::Broken(broken.half()),
                    undone => undone,
                })
            }
            last => Err(undone(&self.channel, last)),
        }
    }
}

/// Asks for the content of a file; returns what the host says about it, and what comes.
pub(crate) async fn get(link: &Link, get: Get) -> Result<(Stat, Arriving), Undone> {
    ask(link, get).await?.opened().await
}

/// Asks for the content of a file, and does not wait for an answer.
pub(crate) async fn ask(link: &Link, get: Get) -> Result<Asked, Undone> {
    let channel = link.get(get).await.map_err(not_asked)?;
    Ok(Asked { channel })
}

/// A file that was asked for. Of its content comes no more than its first window before it is opened. Dropping it
/// stops the host.
#[derive(Debug)]
pub(crate) struct Asked {
    channel: Channel,
}

impl Asked {
    /// What the host says about it, and what comes.
    pub(crate) async fn opened(mut self) -> Result<(Stat, Arriving), Undone> {
        match self.channel.next().await {
            Delivery::Opened(stat) => Ok((
                *stat,
                Arriving {
                    channel: self.channel,
                    left: None,
                },
            )),
            other => Err(undone(&self.channel, other)),
        }
    }
}

/// The content of a file that comes. Dropping it stops the host.
#[derive(Debug)]
pub(crate) struct Arriving {
    channel: Channel,
    /// How many bytes more are taken, if not any number.
    left: Option<u64>,
}

impl Arriving {
    /// Takes no more of a regular file than it had when it was opened: a log that grows comes as it was, and no
    /// host sends for ever. Files that the kernel makes up when they are read have no size.
    pub(crate) fn ending_at(self, stat: &Stat) -> Self {
        let left = match stat.kind {
            FileKind::File if stat.size > 0 => Some(stat.size),
            _ => None,
        };
        Arriving { left, ..self }
    }

    /// Whether a regular file has more bytes, by what was announced, than have come.
    pub(crate) fn is_short(&self) -> bool {
        self.left.is_some_and(|left| left > 0)
    }

    /// The next piece; none once all of it came, after which it is not called again. The host sends more only
    /// when the piece before was taken, which this call says. May be dropped and called again.
    ///
    /// A host may send more or less than it has announced: the file changed.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Undone> {
        loop {
            match self.channel.next().await {
                Delivery::Output { data, .. } if data.is_empty() => {}
                Delivery::Output { .. } if self.left == Some(0) => return Ok(None),
                Delivery::Output { mut data, .. } => {
                    if let Some(left) = &mut self.left {
                        data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                        *left -= data.len() as u64;
                    }
                    return Ok(Some(data));
                }
                Delivery::Eof { .. } => {}
                Delivery::Done => return Ok(None),
                other => return Err(undone(&self.channel, other)),
            }
        }
    }
}

/// The request did not leave.
fn not_asked(error: StartError) -> Undone {
    match error {
        StartError::Lost(error) => Undone::Broken(Broken::unsent(error)),
        StartError::Oversized(_) => Undone::Host(too_long()),
    }
}

/// What a delivery that brings no more of a file says about it.
fn undone(channel: &Channel, delivery: Delivery) -> Undone {
    let error = match delivery {
        Delivery::Failed(failure) => return Undone::Host(failure),
        Delivery::Fault(fault) => LinkError::Refused { text: fault.text },
        Delivery::Lost(error) => error,
        _ => LinkError::Unreadable,
    };
    Undone::Broken(Broken::sent(error, channel.receipt()))
}

#[cfg(test)]
mod tests;
