//! What a link asks of the host: requests that are already valid, and bytes for what they began.

use std::time::Duration;

use convoke_proto::command::Start;
use convoke_proto::fault::Violation;
use convoke_proto::file::{Get, NewFile, Open};
use convoke_proto::hello::LinkId;
use convoke_proto::operation::Operation;

/// What the peer's bytes ask of the host. Channels are open and streams exist.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// The link has a name, and the peer may be silent for this long.
    Greeted {
        /// The link.
        link: LinkId,
        /// After this much silence the agent acts as at a closed link.
        give_up: Duration,
    },
    /// Start a process; answered by [`Serve::started`](super::Serve::started) or
    /// [`Serve::not_started`](super::Serve::not_started).
    Start {
        /// Its channel.
        channel: u32,
        /// What to start.
        request: Box<Start>,
    },
    /// Do operations; answered by records on stream 1 and [`Serve::done`](super::Serve::done).
    Operate {
        /// Its channel.
        channel: u32,
        /// What to do.
        operations: Vec<Operation>,
    },
    /// Take in a file; answered by [`Serve::accepted`](super::Serve::accepted), and once its content has come
    /// by [`Serve::stored`](super::Serve::stored); or at any time by [`Serve::failed`](super::Serve::failed).
    Put {
        /// Its channel.
        channel: u32,
        /// Where and how it shall stand.
        file: Box<NewFile>,
    },
    /// Send a file; answered by [`Serve::opened`](super::Serve::opened), its content on stream 1, the end of
    /// that and [`Serve::done`](super::Serve::done); or at any time by [`Serve::failed`](super::Serve::failed).
    Get {
        /// Its channel.
        channel: u32,
        /// Which bytes of which file.
        request: Get,
    },
    /// Open a file for operations; answered by [`Serve::opened`](super::Serve::opened) and, once it is closed,
    /// by [`Serve::done`](super::Serve::done); or else by [`Serve::failed`](super::Serve::failed).
    Open {
        /// Its channel.
        channel: u32,
        /// Which file, and how.
        request: Box<Open>,
    },
    /// End what goes on on this channel.
    Kill {
        /// Its channel.
        channel: u32,
    },
    /// More of an outbound stream may be sent.
    Credit {
        /// Its channel.
        channel: u32,
        /// The stream's number.
        stream: u8,
    },
    /// The peer wants no more of an outbound stream: read it and throw it away.
    Discard {
        /// Its channel.
        channel: u32,
        /// The stream's number.
        stream: u8,
    },
    /// Bytes or the end of an inbound stream arrived.
    Input {
        /// Its channel.
        channel: u32,
        /// The stream's number.
        stream: u8,
    },
    /// The peer speaks another protocol: send what waits, then close.
    Close(Violation),
}

/// What waits on one inbound stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// These bytes, never none.
    Bytes(&'a [u8]),
    /// Nothing now.
    Nothing,
    /// Nothing, ever again.
    Ended,
}
