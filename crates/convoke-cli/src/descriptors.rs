//! How many descriptors we may have, and what that means for the number of hosts at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Usage;

/// What a host costs while it is connected: the three pipes of its connection and the handle of the
/// process behind it.
const PER_HOST: usize = 4;

/// What a host costs in addition while its connection is being made, and what we have anyway: the three
/// standard streams, the runtimes, the signals, a spill file, a spool.
const RESERVE: usize = 32;

/// With fewer not even one host can be reached: what a run on one was seen to need.
const LEAST: u64 = 20;

/// Raises the soft limit to the hard one, and returns how many hosts fit below it beside so many descriptors for
/// something else.
///
/// # Errors
/// Not even one does.
pub(crate) fn hosts_that_fit(beside: usize) -> Result<usize, Usage> {
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
        _ => Ok(fit(left)),
    }
}

fn fit(limit: Option<u64>) -> usize {
    let descriptors = limit.and_then(|limit| usize::try_from(limit).ok());
    descriptors.map_or(usize::MAX, |limit| {
        (limit.saturating_sub(RESERVE) / PER_HOST).max(1)
    })
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn at_least_one_host_fits() {
        for (limit, hosts) in [
            (Some(0), 1),
            (Some(64), 8),
            (Some(1024), 248),
            (None, usize::MAX),
        ] {
            assert_eq!(fit(limit), hosts);
        }
    }
}
