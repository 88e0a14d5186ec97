//! From bytes to frames: fed bytes, does no I/O, allocates nothing that a length field asks for.

use bytes::{Buf, Bytes, BytesMut};

use crate::fault::Violation;
use crate::frame::{Family, HEADER_LEN, Header, Tag};
use crate::message::Message;

/// Bodies below this size are copied out of the read buffer, so that a few bytes in a queue do not
/// keep a whole buffer alive.
const COPY_BELOW: usize = 32 * 1024;

/// After a body beyond this size the buffer is made anew: the memory of one large request is not kept
/// for the life of the link.
const LARGE: usize = 256 * 1024;

/// What arrived on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message this build knows.
    Message(Message),
    /// Raw bytes of a stream.
    Data {
        /// The stream's number.
        stream: u8,
        /// The bytes, at most [`MAX_DATA`](crate::frame::MAX_DATA).
        body: Bytes,
    },
    /// A frame whose tag this build does not know or does not take; its body is skipped.
    Unknown(Tag),
}

/// Splits a stream of bytes into frames.
///
/// Bytes are appended to [`Decoder::buffer`]; [`Decoder::next`] takes frames off its front. After an
/// error the stream is out of step for good, and every later call repeats the error.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    skip: usize,
    skips_requests: bool,
    length: usize,
    broken: Option<Violation>,
}

impl Decoder {
    /// A decoder at the border of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder for what an agent says, which asks for nothing: requests are reported as unknown,
    /// so that their bodies, up to 4 MiB each, are neither waited for nor decoded.
    pub fn of_answers() -> Self {
        Decoder {
            skips_requests: true,
            ..Self::default()
        }
    }

    /// The place where the reader appends what it has read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Appends bytes; the same as extending [`Decoder::buffer`].
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// [`Decoder::buffer`] with room for `room` more bytes.
    ///
    /// Memory of bodies that were let go of is used again, so that a link that carries much stays in the
    /// processor's caches.
    pub fn buffer_with_room(&mut self, room: usize) -> &mut BytesMut {
        if self.buffer.is_empty() && self.buffer.capacity() > LARGE.max(2 * room) {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(room);
        &mut self.buffer
    }

    /// Takes the next frame off the buffer; `None` when more bytes are needed.
    ///
    /// Needs nothing but the buffered bytes: an announced length is checked before any of the body
    /// is waited for, and an unknown tag is reported at once while its body is skipped as it comes.
    ///
    /// # Errors
    /// Those of [`Header::parse`] and [`Message::decode`].
    #[allow(clippy::should_implement_trait)] // An iterator's `None` is final; this one means "not yet".
    pub fn next(&mut self) -> Result<Option<(u32, Incoming)>, Violation> {
        if let Some(violation) = &self.broken {
            return Err(violation.clone());
        }
        let frame = self.take_frame();
        if let Err(violation) = &frame {
            self.broken = Some(violation.clone());
            self.buffer = BytesMut::new();
        }
        frame
    }

    fn take_frame(&mut self) -> Result<Option<(u32, Incoming)>, Violation> {
        let skipped = self.skip.min(self.buffer.len());
        self.buffer.advance(skipped);
        self.skip -= skipped;
        let Some(header) = self.peek_header()? else {
            return Ok(None);
        };
        self.length = header.length;
        if self.skips(header.tag) {
            self.buffer.advance(HEADER_LEN);
            self.skip = header.length;
            return Ok(Some((header.channel, Incoming::Unknown(header.tag))));
        }
        if self.buffer.len() < HEADER_LEN + header.length {
            return Ok(None);
        }
        self.buffer.advance(HEADER_LEN);
        let body = self.buffer.split_to(header.length);
        if header.length > LARGE {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        let incoming = match header.tag.stream() {
            Some(stream) => Incoming::Data {
                stream,
                body: owned(body),
            },
            None => match Message::decode(header.tag, &body)? {
                Some(message) => Incoming::Message(message),
                None => Incoming::Unknown(header.tag),
            },
        };
        Ok(Some((header.channel, incoming)))
    }

    /// The length in bytes of the body of the frame that [`Decoder::next`] returned last.
    pub fn length(&self) -> usize {
        self.length
    }

    fn skips(&self, tag: Tag) -> bool {
        !tag.is_known() || (self.skips_requests && tag.family() == Family::Request)
    }

    fn peek_header(&self) -> Result<Option<Header>, Violation> {
        match self.buffer.first_chunk::<HEADER_LEN>() {
            Some(bytes) => Header::parse(bytes).map(Some),
            None if self.buffer.first().is_some_and(|first| *first != 0) => Err(self.foreign()),
            None => Ok(None),
        }
        .map_err(|violation| match violation {
            Violation::NotAFrame { .. } => self.foreign(),
            other => other,
        })
    }

    /// The violation for a buffer that does not begin with a frame, quoting what stands there.
    fn foreign(&self) -> Violation {
        let bytes = self.buffer.iter().take(Violation::MAX_BYTES);
        Violation::NotAFrame {
            bytes: bytes.copied().collect::<Vec<u8>>().into(),
        }
    }
}

fn owned(body: BytesMut) -> Bytes {
    if body.len() < COPY_BELOW {
        Bytes::copy_from_slice(&body)
    } else {
        body.freeze()
    }
}
