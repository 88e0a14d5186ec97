//! The first message in each direction.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The protocol this build speaks.
///
/// Another number on the other end closes the link: the bootstrap brings the right agent, so the
/// two differ only when something is wrong.
pub const PROTOCOL: u16 = 1;

/// The first message in each direction, on channel 0. Its layout is the same in every protocol
/// number, so that two ends that cannot speak can still say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The sender's protocol number.
    pub protocol: u16,
    /// What the sender can do beyond the protocol number.
    pub capabilities: Capabilities,
    /// The sender's platform, such as `x86_64-linux`.
    pub platform: String,
    /// The link: chosen at random by the controller, repeated by the agent.
    pub link: LinkId,
    /// How long silence is tolerated.
    pub liveness: Liveness,
}

/// What one end can do beyond the protocol number; unknown bits are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capabilities(pub u64);

/// The random name of a link: 16 bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkId(pub [u8; 16]);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkId({self})")
    }
}

/// How long the controller wants silence to be tolerated, in milliseconds. Any byte counts as life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Liveness {
    /// After this much silence, in either direction, the controller sends a ping.
    pub ping_ms: u32,
    /// After this much silence the controller calls the link lost.
    pub lost_ms: u32,
    /// After this much silence the agent acts as at a closed link.
    pub give_up_ms: u32,
}

impl Liveness {
    /// The shortest time after which an agent may give up: 30 s, so that a short sleep of the
    /// controller's machine or a Ctrl-Z survives.
    pub const MIN_GIVE_UP_MS: u32 = 30_000;
}

impl Default for Liveness {
    fn default() -> Self {
        Liveness {
            ping_ms: 10_000,
            lost_ms: 30_000,
            give_up_ms: 600_000,
        }
    }
}
