//! Which hosts do not work, and how.

/// How many of every hundred hosts do not work.
///
/// The first of every hundred refuse, the next hang, the next drop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// A connection to these is reset before their greeting.
    pub refuse: usize,
    /// These take a connection and never say anything.
    pub hang: usize,
    /// These close the connection when the first command is to be started.
    pub drop: usize,
}

/// What becomes of a connection to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Works,
    Refused,
    Hangs,
    Dropped,
}

impl Faults {
    /// What becomes of a connection to host `n`, from 1.
    pub(super) fn of(self, n: usize) -> Fate {
        let place = n.saturating_sub(1) % 100;
        let hanging = self.refuse + self.hang;
        match place {
            _ if place < self.refuse => Fate::Refused,
            _ if place < hanging => Fate::Hangs,
            _ if place < hanging + self.drop => Fate::Dropped,
            _ => Fate::Works,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fate, Faults};

    #[test]
    fn of_every_hundred_hosts_so_many_do_not_work() {
        let faults = Faults {
            refuse: 2,
            hang: 1,
            drop: 3,
        };
        let fates: Vec<_> = (1..=200).map(|n| faults.of(n)).collect();
        for (fate, count) in [
            (Fate::Refused, 4),
            (Fate::Hangs, 2),
            (Fate::Dropped, 6),
            (Fate::Works, 188),
        ] {
            let found = fates.iter().filter(|one| **one == fate).count();
            assert_eq!(found, count, "{fate:?}");
        }
        assert_eq!(fates[0], Fate::Refused);
        assert_eq!(fates[102], Fate::Hangs);
    }
}
