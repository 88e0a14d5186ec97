//! Where a fleet lives: its directory, its port and its addresses.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// Ports below those that the kernel gives to outgoing connections, so that none is taken while the
/// sshd is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many hosts there are below one third byte of a loopback address.
const ROW: usize = 250;

/// The directory, port and addresses of one fleet.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) directory: PathBuf,
    pub(crate) port: u16,
    /// A word that only this fleet's sshd says and only its processes carry.
    pub(crate) mark: String,
    pub(crate) range: Range,
}

/// The addresses of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// `127.A.*`.
    Loopback(u8),
    /// `10.A.B.*`, in a network namespace.
    Private(u8, u8),
}

impl Site {
    pub(crate) fn new(directory: &Path, range: Option<Range>) -> Self {
        let random = random();
        let port = free_port(random);
        // From 16 on, so that it is never 127.0.*, which every machine uses itself.
        let loopback = Range::Loopback(16 + (port % 239) as u8);
        Site {
            directory: directory.to_owned(),
            port,
            mark: format!("{random:016x}"),
            range: range.unwrap_or(loopback),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The home that hosts share.
    pub(crate) fn home(&self) -> PathBuf {
        self.file("homes/all")
    }

    /// Where the disk is mounted that is soon full, when there is one.
    pub(crate) fn small_disk(&self) -> PathBuf {
        self.file("disk")
    }

    /// The home of one host, when each has its own.
    pub(crate) fn home_of(&self, n: usize) -> PathBuf {
        self.file("homes").join(self.range.address(n).to_string())
    }
}

impl Range {
    pub(crate) fn address(self, n: usize) -> Ipv4Addr {
        let last = self.last();
        assert!(
            (1..=last).contains(&n),
            "hosts are numbered from 1 to {last}"
        );
        match self {
            Range::Loopback(a) => {
                let (row, place) = ((n - 1) / ROW, (n - 1) % ROW + 1);
                Ipv4Addr::new(127, a, row as u8, place as u8)
            }
            Range::Private(a, b) => Ipv4Addr::new(10, a, b, n as u8),
        }
    }

    /// The number of the host with this address.
    pub(crate) fn number(self, address: Ipv4Addr) -> Option<usize> {
        let [_, _, row, place] = address.octets();
        let (row, place) = (usize::from(row), usize::from(place));
        let n = match self {
            Range::Loopback(_) => row * ROW + place,
            Range::Private(..) => place,
        };
        let is_one = (1..=self.last()).contains(&n);
        (is_one && self.address(n) == address).then_some(n)
    }

    /// The number of the last host that there can be.
    pub(crate) fn last(self) -> usize {
        match self {
            // The last rows are for proxies and other listeners.
            Range::Loopback(_) => 200 * ROW,
            Range::Private(..) => 126,
        }
    }

    /// An address that is no host's, for a listener that stands in front of one.
    pub(crate) fn beside(self) -> Ipv4Addr {
        match self {
            Range::Loopback(a) => Ipv4Addr::new(127, a, 255, 1),
            Range::Private(a, b) => Ipv4Addr::new(127, a, b, 1),
        }
    }

    /// The patterns that all addresses match, as ssh writes patterns.
    pub(crate) fn patterns(self) -> Vec<String> {
        match self {
            Range::Loopback(a) => vec![format!("127.{a}.*")],
            Range::Private(a, b) => vec![format!("10.{a}.{b}.*"), format!("127.{a}.{b}.*")],
        }
    }

    /// The first `n` hosts as a host expression.
    pub(crate) fn expression(self, n: usize) -> String {
        let one = |row: usize, to: usize| match self {
            Range::Loopback(a) => format!("127.{a}.{row}.[1-{to}]"),
            Range::Private(a, b) => format!("10.{a}.{b}.[1-{to}]"),
        };
        let whole = (0..n / ROW).map(|row| one(row, ROW));
        let rest = (!n.is_multiple_of(ROW)).then(|| one(n / ROW, n % ROW));
        let all: Vec<_> = whole.chain(rest).collect();
        all.join(",")
    }
}

pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}

/// A port that nobody listens on, at the moment.
fn free_port(random: u64) -> u16 {
    let count = u64::from(PORTS.end - PORTS.start);
    let ports = (0..count).map(|n| PORTS.start + ((random + n) % count) as u16);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    ports.into_iter().find(free).expect("a port is free")
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn hosts_are_told_apart_by_address() {
        let range = Range::Loopback(77);
        for (n, address) in [
            (1, "127.77.0.1"),
            (250, "127.77.0.250"),
            (251, "127.77.1.1"),
        ] {
            assert_eq!(range.address(n).to_string(), address);
            assert_eq!(range.number(address.parse().unwrap()), Some(n));
        }
        for no_host in ["127.78.0.1", "127.77.0.0", "127.77.0.251", "127.77.255.1"] {
            assert_eq!(range.number(no_host.parse().unwrap()), None, "{no_host}");
        }
    }

    #[test]
    fn the_expression_names_every_host_once() {
        for (n, text) in [
            (40, "127.77.0.[1-40]"),
            (250, "127.77.0.[1-250]"),
            (251, "127.77.0.[1-250],127.77.1.[1-1]"),
        ] {
            assert_eq!(Range::Loopback(77).expression(n), text);
        }
    }
}
