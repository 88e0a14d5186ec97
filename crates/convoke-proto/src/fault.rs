//! What can be wrong with bytes from a peer, and the error reply to a request.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// An error reply: the last message of the channel whose request it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of error it is.
    pub kind: FaultKind,
    /// The facts, in words.
    pub text: String,
}

/// The kinds of error replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// The peer does not know this request.
    Unsupported,
    /// The request contradicts itself or a limit.
    Invalid,
}

/// Why a link cannot go on: the peer broke the protocol, or something else wrote to the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Bytes that cannot begin a frame; something else wrote to the connection.
    #[error("something that is not a frame arrived: \"{}\"", .bytes.escape_ascii())]
    NotAFrame {
        /// The first of them, at most [`Violation::MAX_BYTES`].
        bytes: BString,
    },
    /// A frame longer than its tag allows.
    #[error("a frame with tag {tag:#04x} announced {length} bytes, the limit is {limit}")]
    TooLong {
        /// The frame's tag.
        tag: u8,
        /// The announced length of its body in bytes.
        length: u32,
        /// What this tag allows, in bytes.
        limit: u32,
    },
    /// A body that does not decode as its tag says.
    #[error("the body of a frame with tag {tag:#04x} does not decode")]
    Malformed {
        /// The frame's tag.
        tag: u8,
    },
    /// The peer speaks another protocol number.
    #[error("the other end speaks protocol {theirs}, this one speaks {ours}")]
    Protocol {
        /// The number the peer announced.
        theirs: u16,
        /// Our own number.
        ours: u16,
    },
    /// A hello that answers another link than this.
    #[error("the hello belongs to another link")]
    WrongLink,
    /// A frame that may not come at this moment.
    #[error("a frame with tag {tag:#04x} on channel {channel} came out of order: {why}")]
    OutOfOrder {
        /// The frame's channel.
        channel: u32,
        /// The frame's tag.
        tag: u8,
        /// Which rule it broke.
        why: &'static str,
    },
    /// More data than was granted.
    #[error("stream {stream} of channel {channel} carried more bytes than its credit")]
    Overrun {
        /// The channel.
        channel: u32,
        /// The stream.
        stream: u8,
    },
}

impl Violation {
    /// How many bytes of foreign output a violation quotes: enough to recognise a message in it.
    pub const MAX_BYTES: usize = 200;
}
