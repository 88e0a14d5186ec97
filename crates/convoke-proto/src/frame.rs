//! The unit on the wire: length, channel, tag, body.
//!
//! All numbers are big-endian, so the first byte of every frame is zero: bodies stay below 16 MiB.
//! Text that something else writes to the connection is noticed at its first byte.

use crate::fault::Violation;

/// The number of bytes before a body: length (4), channel (4), tag (1).
pub const HEADER_LEN: usize = 9;

/// The longest body of a data frame in bytes.
pub const MAX_DATA: usize = 64 * 1024;

/// The longest body of a request, and of a frame with an unknown tag, in bytes.
pub const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// The longest body of any other message in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The channel of messages about the link itself.
pub const LINK_CHANNEL: u32 = 0;

pub use crate::command::MAX_STREAM;

/// What a frame is; never reused for another layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u8);

/// The families of tags. A peer can act on a tag it does not know by its family alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `0x00`–`0x0f`: about the link itself.
    Link,
    /// `0x10`–`0x3f`: opens a channel; an unknown one gets an error reply.
    Request,
    /// `0x40`–`0x5f`: about an open channel, in either direction.
    Control,
    /// `0x60`–`0x7f`: answers a request.
    Reply,
    /// `0x80`–`0xff`: raw bytes of the stream `tag - 0x80`.
    Data,
}

impl Tag {
    /// See [`Message::Hello`](crate::message::Message::Hello).
    pub const HELLO: Tag = Tag(0x01);
    /// See [`Message::Ping`](crate::message::Message::Ping).
    pub const PING: Tag = Tag(0x02);
    /// See [`Message::Pong`](crate::message::Message::Pong).
    pub const PONG: Tag = Tag(0x03);
    /// See [`Message::Finish`](crate::message::Message::Finish).
    pub const FINISH: Tag = Tag(0x04);
    /// See [`Message::Noop`](crate::message::Message::Noop).
    pub const NOOP: Tag = Tag(0x10);
    /// See [`Message::Start`](crate::message::Message::Start).
    pub const START: Tag = Tag(0x12);
    /// See [`Message::Operate`](crate::message::Message::Operate).
    pub const OPERATE: Tag = Tag(0x13);
    /// See [`Message::Put`](crate::message::Message::Put).
    pub const PUT: Tag = Tag(0x14);
    /// See [`Message::Get`](crate::message::Message::Get).
    pub const GET: Tag = Tag(0x15);
    /// See [`Message::Open`](crate::message::Message::Open).
    pub const OPEN: Tag = Tag(0x16);
    /// See [`Message::Credit`](crate::message::Message::Credit).
    pub const CREDIT: Tag = Tag(0x40);
    /// See [`Message::Eof`](crate::message::Message::Eof).
    pub const EOF: Tag = Tag(0x41);
    /// See [`Message::Closed`](crate::message::Message::Closed).
    pub const CLOSED: Tag = Tag(0x42);
    /// See [`Message::Kill`](crate::message::Message::Kill).
    pub const KILL: Tag = Tag(0x43);
    /// See [`Message::Done`](crate::message::Message::Done).
    pub const DONE: Tag = Tag(0x60);
    /// See [`Message::Fault`](crate::message::Message::Fault).
    pub const FAULT: Tag = Tag(0x61);
    /// See [`Message::Started`](crate::message::Message::Started).
    pub const STARTED: Tag = Tag(0x62);
    /// See [`Message::NotStarted`](crate::message::Message::NotStarted).
    pub const NOT_STARTED: Tag = Tag(0x63);
    /// See [`Message::Exit`](crate::message::Message::Exit).
    pub const EXIT: Tag = Tag(0x64);
    /// See [`Message::Opened`](crate::message::Message::Opened).
    pub const OPENED: Tag = Tag(0x65);
    /// See [`Message::Stored`](crate::message::Message::Stored).
    pub const STORED: Tag = Tag(0x66);
    /// See [`Message::Failed`](crate::message::Message::Failed).
    pub const FAILED: Tag = Tag(0x67);

    /// The tag of raw bytes on `stream`, which is at most [`MAX_STREAM`]; the high bit is ignored.
    pub const fn data(stream: u8) -> Tag {
        Tag(0x80 | stream)
    }

    /// The stream whose bytes this tag announces, if it does.
    pub const fn stream(self) -> Option<u8> {
        if self.0 & 0x80 != 0 {
            Some(self.0 & 0x7f)
        } else {
            None
        }
    }

    /// The family of this tag.
    pub const fn family(self) -> Family {
        match self.0 {
            0x00..=0x0f => Family::Link,
            0x10..=0x3f => Family::Request,
            0x40..=0x5f => Family::Control,
            0x60..=0x7f => Family::Reply,
            0x80..=0xff => Family::Data,
        }
    }

    /// Whether this build knows the tag.
    pub const fn is_known(self) -> bool {
        matches!(
            self,
            Tag::HELLO
                | Tag::PING
                | Tag::PONG
                | Tag::FINISH
                | Tag::NOOP
                | Tag::START
                | Tag::OPERATE
                | Tag::PUT
                | Tag::GET
                | Tag::OPEN
                | Tag::CREDIT
                | Tag::EOF
                | Tag::CLOSED
                | Tag::KILL
                | Tag::DONE
                | Tag::FAULT
                | Tag::STARTED
                | Tag::NOT_STARTED
                | Tag::EXIT
                | Tag::OPENED
                | Tag::STORED
                | Tag::FAILED
        ) || self.stream().is_some()
    }

    /// The longest body a frame with this tag may have, in bytes.
    pub const fn max_body(self) -> usize {
        match self.family() {
            Family::Data => MAX_DATA,
            Family::Request => MAX_REQUEST,
            _ if !self.is_known() => MAX_REQUEST,
            _ => MAX_MESSAGE,
        }
    }
}

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The length of the body in bytes, already checked against [`Tag::max_body`].
    pub length: usize,
    /// The channel.
    pub channel: u32,
    /// The tag.
    pub tag: Tag,
}

impl Header {
    /// Reads a header and checks the announced length before anybody allocates for it.
    ///
    /// # Errors
    /// [`Violation::NotAFrame`] when the first byte is not zero, [`Violation::TooLong`] when the
    /// length is beyond what the tag allows.
    pub fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Header, Violation> {
        let [l0, l1, l2, l3, c0, c1, c2, c3, tag] = *bytes;
        if l0 != 0 {
            return Err(Violation::NotAFrame {
                bytes: bytes.as_slice().into(),
            });
        }
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let tag = Tag(tag);
        let limit = tag.max_body();
        if length as usize > limit {
            return Err(Violation::TooLong {
                tag: tag.0,
                length,
                limit: limit as u32,
            });
        }
        Ok(Header {
            length: length as usize,
            channel: u32::from_be_bytes([c0, c1, c2, c3]),
            tag,
        })
    }

    /// The header as bytes. `length` is at most [`Tag::max_body`].
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        debug_assert!(self.length <= self.tag.max_body());
        let [l0, l1, l2, l3] = (self.length as u32).to_be_bytes();
        let [c0, c1, c2, c3] = self.channel.to_be_bytes();
        [l0, l1, l2, l3, c0, c1, c2, c3, self.tag.0]
    }
}
