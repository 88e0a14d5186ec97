//! Slices: a part of the order, `[0:2]`.

use crate::hostlist::HostList;

/// A part of the order: both bounds count from the end when they are negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    from: Option<i64>,
    to: Option<i64>,
}

impl Slice {
    /// Parses what stands between the brackets, `None` if it is no slice.
    pub(super) fn parse(content: &str) -> Option<Self> {
        let bound = |text: &str| match text.trim_ascii() {
            "" => Some(None),
            // Numbers in expressions have no plus sign, although `parse` would take one.
            text if text.starts_with('+') => None,
            text => text.parse::<i64>().ok().map(Some),
        };
        let (from, to) = content.split_once(':')?;
        Some(Self {
            from: bound(from)?,
            to: bound(to)?,
        })
    }

    /// Returns the hosts in this part of the order; places beyond either end hold nothing.
    pub(super) fn of(&self, hosts: &HostList) -> HostList {
        let place = |bound: Option<i64>, default: usize| match bound {
            None => default,
            Some(bound) => {
                let distance = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
                if bound < 0 {
                    hosts.len().saturating_sub(distance)
                } else {
                    distance
                }
            }
        };
        hosts.slice(place(self.from, 0)..place(self.to, hosts.len()))
    }
}
