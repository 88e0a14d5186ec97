//! A request in its frame, ready but for the channel.

use convoke_proto::command::{Direction, Start, Stdin};
use convoke_proto::file::{Get, NewFile, Open};
use convoke_proto::frame::{HEADER_LEN, Header, Tag};
use convoke_proto::message::{Message, Oversized};
use convoke_proto::operation::{Operate, Operation};

/// What an agent counts for a request beside what it says, in bytes.
const PLACE: usize = 512;

/// What an agent counts for each operation beside its length, and more, in bytes.
const OPERATION: usize = 256;

const _: () = assert!(size_of::<Operation>() <= OPERATION);

/// A request, encoded once: whether it fits is known before anything is asked of the link.
#[derive(Debug)]
pub(super) struct Request {
    frame: Vec<u8>,
    pub(super) kind: Kind,
    /// How many operations it asks for.
    operations: usize,
    /// The streams that come from the host.
    pub(super) outputs: Vec<u8>,
    /// The streams that go there.
    pub(super) inputs: Vec<u8>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Operate,
    Put,
    Get,
    Open,
}

impl Kind {
    fn tag(self) -> Tag {
        match self {
            Kind::Start => Tag::START,
            Kind::Operate => Tag::OPERATE,
            Kind::Put => Tag::PUT,
            Kind::Get => Tag::GET,
            Kind::Open => Tag::OPEN,
        }
    }
}

impl Request {
    /// # Errors
    /// [`Oversized`] when it does not fit a frame; so for all of these.
    pub(super) fn start(start: Start) -> Result<Self, Oversized> {
        let stdin = (start.stdin == Stdin::Stream).then_some(0);
        let outputs = [1, 2].into_iter().chain(extra(&start, Direction::Out));
        let outputs = outputs.collect();
        let inputs = stdin.into_iter().chain(extra(&start, Direction::In));
        let inputs = inputs.collect();
        Self::new(Kind::Start, &Message::Start(start), outputs, inputs)
    }

    pub(super) fn operate(operations: Vec<Operation>) -> Result<Self, Oversized> {
        let count = operations.len();
        let message = Message::Operate(Operate { operations });
        let request = Self::new(Kind::Operate, &message, vec![1], Vec::new())?;
        Ok(Request {
            operations: count,
            ..request
        })
    }

    pub(super) fn put(file: NewFile) -> Result<Self, Oversized> {
        Self::new(Kind::Put, &Message::Put(file), Vec::new(), vec![0])
    }

    pub(super) fn get(get: Get) -> Result<Self, Oversized> {
        Self::new(Kind::Get, &Message::Get(get), vec![1], Vec::new())
    }

    pub(super) fn open(open: Open) -> Result<Self, Oversized> {
        Self::new(Kind::Open, &Message::Open(open), Vec::new(), Vec::new())
    }

    fn new(
        kind: Kind,
        message: &Message,
        outputs: Vec<u8>,
        inputs: Vec<u8>,
    ) -> Result<Self, Oversized> {
        let mut frame = Vec::new();
        message.encode(0, &mut frame)?;
        Ok(Request {
            frame,
            kind,
            operations: 0,
            outputs,
            inputs,
        })
    }

    /// The length of its body in bytes.
    pub(super) fn length(&self) -> usize {
        self.frame.len() - HEADER_LEN
    }

    /// No less than what it takes in an agent's memory until it is answered, in bytes.
    pub(super) fn weight(&self) -> usize {
        PLACE + self.length() + self.operations * OPERATION
    }

    /// Appends its frame on `channel` to `out`.
    pub(super) fn append(self, channel: u32, out: &mut Vec<u8>) {
        let header = Header {
            length: self.length(),
            channel,
            tag: self.kind.tag(),
        };
        out.extend_from_slice(&header.to_bytes());
        out.extend_from_slice(self.frame.get(HEADER_LEN..).unwrap_or_default());
    }

    /// Its tag.
    pub(super) fn tag(&self) -> Tag {
        self.kind.tag()
    }
}

/// The streams above 2 of one direction that a start request asks for.
fn extra(start: &Start, direction: Direction) -> impl Iterator<Item = u8> {
    let extra = start.extra.iter();
    extra
        .filter(move |extra| extra.direction == direction)
        .map(|extra| extra.number)
}

#[cfg(test)]
mod tests {
    use convoke_proto::operation::MAX_OPERATIONS;

    use super::*;

    #[test]
    fn a_long_list_of_short_operations_weighs_what_it_takes_in_memory() {
        let request = Request::operate(vec![Operation::Facts; MAX_OPERATIONS]).unwrap();
        assert!(request.length() < 2 * MAX_OPERATIONS);
        assert!(request.weight() >= request.length() + MAX_OPERATIONS * size_of::<Operation>());
        let get = Request::get(Get {
            path: "/x".into(),
            offset: 0,
            limit: None,
        });
        assert_eq!(get.unwrap().weight(), 512 + "/x".len() + 3);
    }
}
