//! Why none of the addresses of a server led to its greeting.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::super::fault::{self, Peer};
use super::super::greeting::Ungreeted;
use crate::error::{Again, ConnectError};

/// An attempt that did not lead to a greeting.
pub(super) struct Failed {
    pub(super) address: SocketAddr,
    pub(super) moment: Moment,
}

/// When it failed.
pub(super) enum Moment {
    /// It was to come from that address.
    Binding(IpAddr, io::Error),
    Connecting(io::Error),
    /// After the connection stood.
    Greeting(Ungreeted),
}

impl Failed {
    fn error(self, host: &str) -> ConnectError {
        let peer = Peer::new(self.address);
        match self.moment {
            Moment::Binding(from, error) => fault::binding(from, error),
            Moment::Connecting(error) => fault::connecting(host, &peer, error),
            Moment::Greeting(ungreeted) => fault::ungreeted(&peer, ungreeted),
        }
    }
}

/// What is said of attempts at addresses of `host`, which have all failed. The first that may go better
/// another time counts, or else the last; all are named.
pub(super) fn why(failed: Vec<Failed>, host: &str, port: u16) -> ConnectError {
    let errors = failed.into_iter();
    let errors = errors.map(|failed| (failed.address.ip(), failed.error(host)));
    let mut errors: Vec<_> = errors.collect();
    let may_help = |(_, error): &(IpAddr, ConnectError)| error.again == Again::MayHelp;
    let counts = errors.iter().position(may_help);
    let Some(counts) = counts.or_else(|| errors.len().checked_sub(1)) else {
        // Nobody even said why.
        let nobody = Peer::new(([0, 0, 0, 0], port).into());
        return fault::connecting(host, &nobody, io::ErrorKind::NotConnected.into());
    };
    let (ip, error) = errors.remove(counts);
    if errors.is_empty() {
        return error;
    }
    let before = format!("ssh: connect to host {host} port {port}: ");
    let others = errors.iter().map(|(ip, error)| (*ip, error.text.as_str()));
    let said = std::iter::once((ip, error.text.as_str())).chain(others);
    let said = said.map(|(ip, text)| (ip, text.strip_prefix(&before).unwrap_or(text)));
    ConnectError {
        text: format!("{before}{}", gathered(said)),
        ..error
    }
}

/// What is said of which addresses, each thing once.
fn gathered<'a>(said: impl Iterator<Item = (IpAddr, &'a str)>) -> String {
    let mut all: Vec<(&str, Vec<String>)> = Vec::new();
    for (ip, words) in said {
        match all.iter_mut().find(|(same, _)| *same == words) {
            Some((_, addresses)) if addresses.contains(&ip.to_string()) => {}
            Some((_, addresses)) => addresses.push(ip.to_string()),
            None => all.push((words, vec![ip.to_string()])),
        }
    }
    let all = all.into_iter();
    let all = all.map(|(words, addresses)| format!("{words} ({})", addresses.join(", ")));
    all.collect::<Vec<_>>().join("; ")
}
