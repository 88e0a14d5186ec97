//! A descriptor for every host.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::fleet::Unavailable;

/// What there is beside the connections: the listener, the standard streams, the runtime, files of a
/// test.
const BESIDE: u64 = 64;

/// Raises the limit until `hosts` connections fit below it.
pub(super) fn allow(hosts: usize) -> Result<(), Unavailable> {
    let needed = hosts as u64 + BESIDE;
    let limit = getrlimit(Resource::Nofile);
    let holds = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if holds(limit.current) {
        return Ok(());
    }
    let maximum = match holds(limit.maximum) {
        true => limit.maximum,
        // Only root may.
        false => Some(needed),
    };
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|_| Unavailable {
        why: format!(
            "{hosts} hosts take {needed} descriptors, and the limit is {}: `ulimit -n` raises it",
            limit.maximum.unwrap_or(u64::MAX)
        ),
    })
}
