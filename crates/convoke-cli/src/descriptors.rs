//! How many descriptors we may have, and what that means for the number of hosts at once.

use convoke::inventory::{HostList, HostName};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Usage;

/// What a host costs while it is connected: the three pipes of its connection and the handle of the
/// process behind it. Which client serves a host of ssh is not known beforehand.
const PER_HOST: usize = 4;

/// What hosts cost while they are being connected to without a process: 64 of them at once, each with
/// an ssh-agent and a name service. Once they are connected it is one descriptor each.
const CONNECTING: usize = 256;

/// What we have anyway: the three standard streams, the runtimes, the signals, a spill file, a spool.
const RESERVE: usize = 32;

/// With fewer not even one host can be reached: what a run on one was seen to need.
const LEAST: u64 = 20;

/// Raises the soft limit to the hard one, and returns how many of these hosts fit below it at once, beside
/// so many descriptors for something else.
///
/// # Errors
/// Not even one does.
pub(crate) fn hosts_that_fit(hosts: &HostList, beside: usize) -> Result<usize, Usage> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        // Some systems refuse a hard limit that is no number; the soft one holds then.
        Err(_) => limit.current,
    };
    let left = limit.map(|limit| limit.saturating_sub(beside as u64));
    match (limit, left) {
        (Some(limit), Some(left)) if left < LEAST => Err(Usage::new(format!(
            "the descriptor limit {limit} is too low"
        ))
        .hint("`ulimit -n` raises it")),
        _ => Ok(fit(left, hosts.iter().all(is_native))),
    }
}

/// Whether a host is surely reached without a process.
fn is_native(name: HostName) -> bool {
    name.as_str().starts_with("ssh+native:")
}

fn fit(limit: Option<u64>, are_native: bool) -> usize {
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
        return usize::MAX;
    };
    let room = limit.saturating_sub(RESERVE);
    let native = match are_native {
        true => room.saturating_sub(CONNECTING),
        false => 0,
    };
    native.max(room / PER_HOST).max(1)
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn at_least_one_host_fits() {
        for (limit, hosts, native) in [
            (Some(0), 1, 1),
            (Some(64), 8, 8),
            (Some(1024), 248, 736),
            (Some(20_000), 4_992, 19_712),
            (None, usize::MAX, usize::MAX),
        ] {
            assert_eq!(fit(limit, false), hosts);
            assert_eq!(fit(limit, true), native);
        }
    }
}
