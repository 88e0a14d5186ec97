//! Why a connection failed, in the words and kinds that the system's ssh has for it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use russh::keys::Algorithm;
use russh::{AlgorithmKind, ChannelOpenFailure};
use rustix::io::Errno;

use super::greeting::Ungreeted;
use super::lane::Broken;
use crate::connector::Ending;
use crate::error::{Again, ConnectError, ConnectErrorKind as Kind};
use crate::ssh::hints::UNKNOWN_BEYOND;
use crate::ssh::hints::{CROWDED, NO_FORWARDING, NO_SESSION, NOT_SSH, TOO_MANY, old};
use crate::ssh::openssh::child::Chatter;
use crate::ssh::openssh::diagnose::{KeyAgent, diagnose};
use crate::ssh::printable::printable;

/// What sshd says when too many keys were offered.
const TOO_MANY_FAILURES: &str = "Too many authentication failures";

/// The far end of a connection. Shown as ssh shows it.
#[derive(Debug, Clone)]
pub(super) struct Peer(String);

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Self {
        Peer(format!("{} port {}", address.ip(), address.port()))
    }

    /// One that we have no connection of our own to, as ssh calls it.
    pub(super) fn unknown() -> Self {
        Peer("UNKNOWN port 65535".to_owned())
    }
}

/// How far a connection came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Exchange,
    Authentication,
    /// It was in.
    Session,
}

fn plain(kind: Kind, text: &str) -> ConnectError {
    ConnectError::new(kind, printable(text))
}

fn again(error: ConnectError) -> ConnectError {
    ConnectError {
        again: Again::MayHelp,
        ..error
    }
}

fn hinted(error: ConnectError, hint: &str) -> ConnectError {
    ConnectError {
        hint: Some(hint.to_owned()),
        ..error
    }
}

/// The words of the system for an error, without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// A name without an address.
pub(super) fn name(host: &str, error: &io::Error) -> ConnectError {
    let text = words(error);
    let text = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    plain(
        Kind::Name,
        &format!("ssh: Could not resolve hostname {host}: {text}"),
    )
}

/// `BindAddress` is none of ours.
pub(super) fn binding(from: IpAddr, error: io::Error) -> ConnectError {
    let text = format!("BindAddress {from}: {}", words(&error));
    let failed = match Errno::from_io_error(&error) {
        Some(Errno::ADDRINUSE | Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
            plain(Kind::Resources, &text)
        }
        _ => plain(Kind::Configuration, &text),
    };
    ConnectError {
        source: Some(error),
        ..failed
    }
}

/// `BindAddress` leads to no address of the host.
pub(super) fn unbound(from: IpAddr, host: &str) -> ConnectError {
    let text = format!("BindAddress {from}: no address of {host} is of its family");
    plain(Kind::Configuration, &text)
}

/// No connection came about.
pub(super) fn connecting(host: &str, peer: &Peer, error: io::Error) -> ConnectError {
    let port = peer.0.rsplit(' ').next().unwrap_or_default();
    let text = format!("ssh: connect to host {host} port {port}: {}", words(&error));
    let failed = match Errno::from_io_error(&error) {
        Some(Errno::CONNREFUSED) => again(plain(Kind::Refused, &text)),
        Some(Errno::CONNRESET) => again(plain(Kind::Closed, &text)),
        Some(Errno::TIMEDOUT) => again(plain(Kind::Timeout, &text)),
        Some(Errno::ADDRNOTAVAIL | Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
            plain(Kind::Resources, &text)
        }
        _ => plain(Kind::NoRoute, &text),
    };
    ConnectError {
        source: Some(error),
        ..failed
    }
}

/// There was no greeting.
pub(super) fn ungreeted(peer: &Peer, why: Ungreeted) -> ConnectError {
    match why {
        Ungreeted::Ended(said, error) => before_greeting(peer, &said, error),
        Ungreeted::NotSsh(said) => not_ssh(peer, &said),
    }
}

/// The connection ended before the server had greeted.
fn before_greeting(peer: &Peer, said: &[u8], error: io::Error) -> ConnectError {
    if let Some(broken) = broken(&error) {
        return again(broken);
    }
    let ended = ended(peer, &error);
    let said = String::from_utf8_lossy(said);
    let said = said
        .lines()
        .map(str::trim_end)
        .rfind(|line| !line.is_empty());
    let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
    let text = format!("{ended} before its banner{said}");
    let failed = hinted(again(plain(Kind::Closed, &text)), CROWDED);
    ConnectError {
        source: Some(error),
        ..failed
    }
}

/// Something else than a server of this protocol answered.
fn not_ssh(peer: &Peer, said: &[u8]) -> ConnectError {
    let said = String::from_utf8_lossy(said);
    let first = said.lines().next().unwrap_or_default();
    let text = format!("{} is not an SSH 2 server: {first}", peer.0);
    hinted(plain(Kind::Closed, &text), NOT_SSH)
}

/// No answer within `ConnectTimeout`.
pub(super) fn timeout(host: &str, port: u16, limit: Duration) -> ConnectError {
    let text = format!("ssh: connect to host {host} port {port}: no answer within {limit:?}");
    again(plain(Kind::Timeout, &text))
}

/// No greeting from beyond a program within `ConnectTimeout`. Not tried again: nobody knows whether
/// the program has logged in somewhere.
pub(super) fn greeting_timeout() -> ConnectError {
    plain(Kind::Timeout, "Connection timed out during banner exchange")
}

/// No end of the key exchange within it. Not tried again: the server is there, and works.
pub(super) fn late_timeout(peer: &Peer) -> ConnectError {
    plain(
        Kind::Timeout,
        &format!("Connection to {} timed out", peer.0),
    )
}

fn ended(peer: &Peer, error: &io::Error) -> String {
    let how = match Errno::from_io_error(error) {
        Some(Errno::CONNRESET | Errno::PIPE) => "reset",
        _ => "closed",
    };
    format!("Connection {how} by {}", peer.0)
}

/// A stream that broke because a hop did.
pub(super) fn broken(error: &io::Error) -> Option<ConnectError> {
    let broken: &Broken = error.get_ref()?.downcast_ref()?;
    Some(plain(Kind::Closed, &broken.to_string()))
}

/// The connection to a hop had ended.
pub(super) fn hop_gone(cause: &str) -> ConnectError {
    again(plain(Kind::Closed, cause))
}

/// The hops of a host are not those of its settings.
pub(super) fn without_hop(hop: &str) -> ConnectError {
    let text = format!("nothing led to the jump host {hop}");
    plain(Kind::Configuration, &text)
}

/// A failure of a hop.
pub(in crate::ssh) fn through(hop: &str, error: ConnectError) -> ConnectError {
    let text = match error.text.starts_with("through ") {
        // What broke is further away than this hop, and is named already.
        true => error.text,
        false => format!("through {}: {}", printable(hop), error.text),
    };
    ConnectError { text, ..error }
}

/// A hop did not connect further.
///
/// Another attempt costs no login there, so it may be made as for a connection of our own.
pub(super) fn not_further(reason: &ChannelOpenFailure, why: &str) -> ConnectError {
    let text = format!("open failed: {}: {why}", reason_of(reason));
    let text = text.trim_end_matches([' ', ':']);
    match why {
        _ if matches!(reason, ChannelOpenFailure::AdministrativelyProhibited) => {
            hinted(plain(Kind::NoRoute, text), NO_FORWARDING)
        }
        "Connection refused" => again(plain(Kind::Refused, text)),
        "Connection reset by peer" => again(plain(Kind::Closed, text)),
        "Connection timed out" => again(plain(Kind::Timeout, text)),
        _ => plain(Kind::NoRoute, text),
    }
}

/// The program of a `ProxyCommand` ended, or the server beyond it did. What it said last is the cause,
/// and is read as what the system's ssh would have said.
pub(super) fn by_command(error: ConnectError, noise: &[u8]) -> ConnectError {
    let said = String::from_utf8_lossy(noise);
    match error.kind {
        Kind::Closed if error.source.is_some() => {
            let ended = "Connection closed by UNKNOWN port 65535";
            let words = format!("{said}\n{ended}\n");
            let ending = Ending::Unknown {
                remark: String::new(),
            };
            let read = diagnose(
                Some(&ending),
                words.as_bytes(),
                KeyAgent::Named,
                Chatter::Ours,
            );
            read.map_or(error, |read| beyond(read, &said))
        }
        Kind::Timeout => match said.lines().rfind(|line| !line.trim().is_empty()) {
            Some(last) => ConnectError {
                text: format!("{} ({})", error.text, printable(last.trim_end())),
                ..error
            },
            None => error,
        },
        _ => error,
    }
}

/// What the ssh of a `ProxyCommand` made of a host key: of another host than the one behind it.
fn beyond(read: ConnectError, said: &str) -> ConnectError {
    let is_key = matches!(
        read.kind,
        Kind::HostKeyUnknown | Kind::HostKeyChanged | Kind::HostKeyRevoked
    );
    if !is_key {
        return read;
    }
    // It names the host, if it says so much.
    let mut lines = said.lines().map(str::trim_end);
    let named =
        lines.find(|line| line.starts_with("No ") && line.contains(" host key is known for "));
    let named = named.map(|line| format!(" ({})", printable(line)));
    let hint = match read.kind {
        Kind::HostKeyUnknown => Some(UNKNOWN_BEYOND.to_owned()),
        _ => read.hint,
    };
    ConnectError {
        text: format!(
            "through the ProxyCommand: {}{}",
            read.text,
            named.unwrap_or_default()
        ),
        hint,
        ..read
    }
}

/// What is said of the end of a connection to `host` that was in use.
pub(super) fn words_of(error: &russh::Error, host: &str) -> String {
    match error {
        russh::Error::KeepaliveTimeout => format!("Timeout, server {host} not responding."),
        russh::Error::Disconnect | russh::Error::HUP => {
            format!("Connection to {host} closed by remote host.")
        }
        russh::Error::IO(error) => words(error),
        error => error.to_string(),
    }
}

/// The protocol ended at some stage.
pub(super) fn protocol(peer: &Peer, stage: Stage, error: russh::Error) -> ConnectError {
    let broken = |error: &dyn std::fmt::Display| {
        let text = format!("Connection to {} broke: {error}", peer.0);
        plain(Kind::Closed, &text)
    };
    match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            let (what, option) = match kind {
                AlgorithmKind::Kex => (
                    "key exchange method",
                    "KexAlgorithms=+diffie-hellman-group14-sha1",
                ),
                AlgorithmKind::Key => ("host key type", "HostKeyAlgorithms=+ssh-rsa"),
                AlgorithmKind::Cipher => ("cipher", "Ciphers=+aes128-cbc"),
                AlgorithmKind::Compression => ("compression method", "Compression=yes"),
                AlgorithmKind::Mac => ("MAC", "MACs=+hmac-sha1"),
            };
            let theirs = theirs.join(",");
            let text = format!(
                "Unable to negotiate with {}: no matching {what} found. Their offer: {theirs}",
                peer.0
            );
            hinted(plain(Kind::Closed, &text), &old(option))
        }
        russh::Error::ChannelOpenFailure(reason) => no_session(peer, &reason),
        russh::Error::IO(error) => closed(peer, stage, Some(error)),
        russh::Error::Disconnect
        | russh::Error::HUP
        | russh::Error::RecvError
        | russh::Error::SendError => closed(peer, stage, None),
        russh::Error::KeepaliveTimeout => plain(
            Kind::Timeout,
            &format!("Timeout, server {} not responding.", peer.0),
        ),
        error => broken(&error),
    }
}

/// We are in, and may not run anything.
fn no_session(peer: &Peer, reason: &ChannelOpenFailure) -> ConnectError {
    let text = format!("{} opens no session: {}", peer.0, reason_of(reason));
    hinted(plain(Kind::Closed, &text), NO_SESSION)
}

/// Why no channel was opened, in the words of ssh.
fn reason_of(reason: &ChannelOpenFailure) -> &'static str {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => "administratively prohibited",
        ChannelOpenFailure::ConnectFailed => "connect failed",
        ChannelOpenFailure::UnknownChannelType => "unknown channel type",
        ChannelOpenFailure::ResourceShortage => "resource shortage",
        _ => "open failed",
    }
}

/// The server showed another kind of key than was agreed on.
pub(super) fn wrong_kind(agreed: &Algorithm, found: &Algorithm) -> ConnectError {
    let text = format!("the host shows a key of {found} where {agreed} was agreed on");
    plain(Kind::Closed, &text)
}

/// The server signed the key exchange in another way than was agreed on.
pub(super) fn wrong_signature(agreed: &Algorithm) -> ConnectError {
    let text = format!("the host did not sign the key exchange with {agreed}, as was agreed on");
    plain(Kind::Closed, &text)
}

/// The server closed the connection, or it was reset.
pub(super) fn closed(peer: &Peer, stage: Stage, error: Option<io::Error>) -> ConnectError {
    let error = error.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
    if let Some(broken) = broken(&error) {
        return match stage {
            Stage::Exchange => again(broken),
            Stage::Authentication | Stage::Session => broken,
        };
    }
    let (when, may_help) = match stage {
        Stage::Exchange => (" during the key exchange", true),
        Stage::Authentication => (" during authentication", false),
        Stage::Session => ("", false),
    };
    let text = format!("{}{when}", ended(peer, &error));
    let failed = plain(Kind::Closed, &text);
    let failed = if may_help { again(failed) } else { failed };
    ConnectError {
        source: Some(error),
        ..failed
    }
}

/// The server took its leave, with a reason.
pub(super) fn disconnected(peer: &Peer, code: u32, reason: &str) -> ConnectError {
    let text = format!("Received disconnect from {}:{code}: {reason}", peer.0);
    if reason.starts_with(TOO_MANY_FAILURES) {
        return hinted(plain(Kind::Authentication, &text), TOO_MANY);
    }
    plain(Kind::Closed, &text)
}
