//! Everything that is said on the wire except raw data.
//!
//! A message's layout never changes: a new layout is a new tag.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::command::Start;
use crate::exit::{Exit, NotStarted};
use crate::fault::{Fault, Violation};
use crate::file::{Get, NewFile, Open, Stat, Stored};
use crate::frame::{HEADER_LEN, Header, Tag};
use crate::hello::Hello;
use crate::operation::{Failure, Operate};

/// A message: what a frame with a known tag below `0x80` carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The first message in each direction, on channel 0.
    Hello(Hello),
    /// Asks the other end for a sign of life, on channel 0.
    Ping(Token),
    /// Answers a ping with its token, on channel 0.
    Pong(Token),
    /// The controller asks for nothing more, on channel 0: the agent ends the link once all that was
    /// asked is over.
    Finish,
    /// Asks for nothing; answered by [`Message::Done`].
    Noop,
    /// Asks for a process; answered by [`Message::Started`] or [`Message::NotStarted`].
    Start(Start),
    /// Asks for a list of operations; their answers come as records on stream 1, then
    /// [`Message::Done`].
    Operate(Operate),
    /// Asks for a file whose content comes on stream 0; once that has ended answered by
    /// [`Message::Stored`], or at any time by [`Message::Failed`].
    Put(NewFile),
    /// Asks for the content of a file: [`Message::Opened`], the bytes on stream 1, its end, and
    /// [`Message::Done`]; or at any time [`Message::Failed`].
    Get(Get),
    /// Asks for an open file, which operations then name by this channel: [`Message::Opened`] or
    /// [`Message::Failed`]. [`Message::Kill`] closes it.
    Open(Open),
    /// Grants the other end more bytes on a stream.
    Credit(Credit),
    /// The sender has no more bytes for this stream.
    Eof(Stream),
    /// The sender takes no more bytes of this stream; what comes is thrown away.
    Closed(Stream),
    /// Ends what runs on this channel. A process: TERM to its tree, KILL after the grace of its start
    /// request. Operations: those that have not begun. A file that comes is thrown away, one that goes is
    /// cut, an open one is closed.
    Kill,
    /// The request is done; the last message of its channel.
    Done,
    /// The request failed; the last message of its channel.
    Fault(Fault),
    /// The process runs.
    Started(Started),
    /// The process could not be started; the last message of its channel.
    NotStarted(NotStarted),
    /// The process ended, and all its output came before; the last message of its channel.
    Exit(Exit),
    /// The file is open.
    Opened(Box<Stat>),
    /// The file stands where it shall; the last message of its channel.
    Stored(Stored),
    /// The file cannot be had or made; the last message of its channel.
    Failed(Failure),
}

/// What a ping carries and its pong repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(pub u64);

/// A stream of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its number, 0 to [`MAX_STREAM`](crate::frame::MAX_STREAM).
    pub stream: u8,
}

/// More bytes on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The stream's number.
    pub stream: u8,
    /// How many bytes more.
    pub bytes: u32,
}

/// A process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its process number on the host; also its session and its process group.
    pub pid: u32,
}

impl Message {
    /// The tag of this message.
    pub fn tag(&self) -> Tag {
        match self {
            Message::Hello(_) => Tag::HELLO,
            Message::Ping(_) => Tag::PING,
            Message::Pong(_) => Tag::PONG,
            Message::Finish => Tag::FINISH,
            Message::Noop => Tag::NOOP,
            Message::Start(_) => Tag::START,
            Message::Operate(_) => Tag::OPERATE,
            Message::Put(_) => Tag::PUT,
            Message::Get(_) => Tag::GET,
            Message::Open(_) => Tag::OPEN,
            Message::Credit(_) => Tag::CREDIT,
            Message::Eof(_) => Tag::EOF,
            Message::Closed(_) => Tag::CLOSED,
            Message::Kill => Tag::KILL,
            Message::Done => Tag::DONE,
            Message::Fault(_) => Tag::FAULT,
            Message::Started(_) => Tag::STARTED,
            Message::NotStarted(_) => Tag::NOT_STARTED,
            Message::Exit(_) => Tag::EXIT,
            Message::Opened(_) => Tag::OPENED,
            Message::Stored(_) => Tag::STORED,
            Message::Failed(_) => Tag::FAILED,
        }
    }

    /// Decodes the body of a frame. `None` when this build does not know the tag as a message.
    ///
    /// # Errors
    /// [`Violation::Malformed`] when the body is not exactly one message of this tag.
    pub fn decode(tag: Tag, body: &[u8]) -> Result<Option<Message>, Violation> {
        let message = match tag {
            Tag::HELLO => Message::Hello(from_body(tag, body)?),
            Tag::PING => Message::Ping(from_body(tag, body)?),
            Tag::PONG => Message::Pong(from_body(tag, body)?),
            Tag::FINISH => from_body(tag, body).map(|()| Message::Finish)?,
            Tag::NOOP => from_body(tag, body).map(|()| Message::Noop)?,
            Tag::START => Message::Start(from_body(tag, body)?),
            Tag::OPERATE => Message::Operate(from_body(tag, body)?),
            Tag::PUT => Message::Put(from_body(tag, body)?),
            Tag::GET => Message::Get(from_body(tag, body)?),
            Tag::OPEN => Message::Open(from_body(tag, body)?),
            Tag::CREDIT => Message::Credit(from_body(tag, body)?),
            Tag::EOF => Message::Eof(from_body(tag, body)?),
            Tag::CLOSED => Message::Closed(from_body(tag, body)?),
            Tag::KILL => from_body(tag, body).map(|()| Message::Kill)?,
            Tag::DONE => from_body(tag, body).map(|()| Message::Done)?,
            Tag::FAULT => Message::Fault(from_body(tag, body)?),
            Tag::STARTED => Message::Started(from_body(tag, body)?),
            Tag::NOT_STARTED => Message::NotStarted(from_body(tag, body)?),
            Tag::EXIT => Message::Exit(from_body(tag, body)?),
            Tag::OPENED => Message::Opened(from_body(tag, body)?),
            Tag::STORED => Message::Stored(from_body(tag, body)?),
            Tag::FAILED => Message::Failed(from_body(tag, body)?),
            _ => return Ok(None),
        };
        Ok(Some(message))
    }

    /// Appends this message as one frame to `out`.
    ///
    /// # Errors
    /// [`Oversized`] when the body is longer than its tag allows; `out` is then unchanged.
    pub fn encode(&self, channel: u32, out: &mut Vec<u8>) -> Result<(), Oversized> {
        let start = out.len();
        let mut frame = core::mem::take(out);
        frame.extend_from_slice(&[0; HEADER_LEN]);
        let frame = match self {
            Message::Hello(body) => append(body, frame),
            Message::Ping(body) | Message::Pong(body) => append(body, frame),
            Message::Finish | Message::Noop | Message::Kill | Message::Done => frame,
            Message::Start(body) => append(body, frame),
            Message::Operate(body) => append(body, frame),
            Message::Put(body) => append(body, frame),
            Message::Get(body) => append(body, frame),
            Message::Open(body) => append(body, frame),
            Message::Credit(body) => append(body, frame),
            Message::Eof(body) | Message::Closed(body) => append(body, frame),
            Message::Fault(body) => append(body, frame),
            Message::Started(body) => append(body, frame),
            Message::NotStarted(body) => append(body, frame),
            Message::Exit(body) => append(body, frame),
            Message::Opened(body) => append(body, frame),
            Message::Stored(body) => append(body, frame),
            Message::Failed(body) => append(body, frame),
        };
        *out = frame;
        let length = out.len() - start - HEADER_LEN;
        let (tag, limit) = (self.tag(), self.tag().max_body());
        if length > limit {
            out.truncate(start);
            return Err(Oversized { length, limit });
        }
        let header = Header {
            length,
            channel,
            tag,
        }
        .to_bytes();
        if let Some(place) = out.get_mut(start..start + HEADER_LEN) {
            place.copy_from_slice(&header);
        }
        Ok(())
    }
}

/// A message that does not fit its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request needs {length} bytes, the limit is {limit}")]
pub struct Oversized {
    /// The length of its body in bytes.
    pub length: usize,
    /// What its tag allows, in bytes.
    pub limit: usize,
}

fn from_body<T: DeserializeOwned>(tag: Tag, body: &[u8]) -> Result<T, Violation> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        _ => Err(Violation::Malformed { tag: tag.0 }),
    }
}

/// Appends the body. Serialising into a growing vector fails only for types that refuse
/// serialisation, of which a message has none; an empty body would then be refused by the peer.
fn append<T: Serialize>(body: &T, frame: Vec<u8>) -> Vec<u8> {
    let length = frame.len();
    match postcard::to_extend(body, frame) {
        Ok(frame) => frame,
        Err(_) => vec![0; length],
    }
}
