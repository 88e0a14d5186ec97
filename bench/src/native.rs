//! The native ssh client, to a real sshd on loopback and to emulated hosts, beside its peers and the
//! barest client that there can be.

mod bare;
pub(crate) mod bulk;
pub(crate) mod fleet;
pub(crate) mod link;
pub(crate) mod memory;
mod peers;
pub(crate) mod start;

pub(crate) use bare::{Echo, WORD as BARE, client as bare_client};
