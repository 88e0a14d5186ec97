//! What a link asks of the host: requests that are already valid, and bytes for its processes.

use std::time::Duration;

use convoke_proto::command::Start;
use convoke_proto::fault::Violation;
use convoke_proto::hello::LinkId;

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
    /// End the process of this channel.
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

/// What waits for a process on one inbound stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// These bytes, never none.
    Bytes(&'a [u8]),
    /// Nothing now.
    Nothing,
    /// Nothing, ever again.
    Ended,
}
