//! A start request in its frame, ready but for the channel.

use convoke_proto::command::{Direction, Start, Stdin};
use convoke_proto::frame::{HEADER_LEN, Header, Tag};
use convoke_proto::message::{Message, Oversized};

/// A start request, encoded once: whether it fits is known before anything is asked of the link.
#[derive(Debug)]
pub(super) struct Request {
    frame: Vec<u8>,
    /// The streams that the process writes.
    pub(super) outputs: Vec<u8>,
    /// The streams that it reads.
    pub(super) inputs: Vec<u8>,
}

impl Request {
    /// # Errors
    /// [`Oversized`] when it does not fit a frame.
    pub(super) fn new(start: Start) -> Result<Self, Oversized> {
        let stdin = (start.stdin == Stdin::Stream).then_some(0);
        let outputs = [1, 2].into_iter().chain(extra(&start, Direction::Out));
        let outputs = outputs.collect();
        let inputs = stdin.into_iter().chain(extra(&start, Direction::In));
        let inputs = inputs.collect();
        let mut frame = Vec::new();
        Message::Start(start).encode(0, &mut frame)?;
        Ok(Request {
            frame,
            outputs,
            inputs,
        })
    }

    /// The length of its body in bytes.
    pub(super) fn length(&self) -> usize {
        self.frame.len() - HEADER_LEN
    }

    /// Appends its frame on `channel` to `out`.
    pub(super) fn append(self, channel: u32, out: &mut Vec<u8>) {
        let header = Header {
            length: self.length(),
            channel,
            tag: Tag::START,
        };
        out.extend_from_slice(&header.to_bytes());
        out.extend_from_slice(self.frame.get(HEADER_LEN..).unwrap_or_default());
    }
}

/// The streams above 2 of one direction that a start request asks for.
fn extra(start: &Start, direction: Direction) -> impl Iterator<Item = u8> {
    let extra = start.extra.iter();
    extra
        .filter(move |extra| extra.direction == direction)
        .map(|extra| extra.number)
}
