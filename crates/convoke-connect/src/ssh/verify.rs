//! The verdict on the key that a server shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg, PublicKey};

use super::known_hosts::{Known, KnownHosts, Mark, Place};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::openssh::diagnose::host_key::{CHANGED, REVOKED, UNKNOWN};
use crate::ssh::openssh::diagnose::printable;

const AUTHORITY: &str =
    "the native client does not read the certificates of hosts; openssh:HOST reaches it";

/// The port whose hosts are known by their name alone.
const PORT: u16 = 22;

/// The `known_hosts` files of a run, each read once.
#[derive(Debug, Default)]
pub(super) struct Books {
    books: Mutex<Vec<(PathBuf, Arc<KnownHosts>)>>,
}

impl Books {
    /// What the files say of a host, in their order. One that cannot be read says nothing, as for ssh.
    pub(super) fn expected(&self, host: &Named<'_>, files: &[PathBuf]) -> Expected {
        let books: Vec<_> = files.iter().map(|file| self.book(file)).collect();
        let find =
            |name: &str| -> Vec<Known> { books.iter().flat_map(|book| book.of(name)).collect() };
        let (name, without_port) = host.names();
        Expected {
            known: find(&name),
            without_port: without_port.map_or_else(Vec::new, |name| find(&name)),
            smallest_rsa: host.smallest_rsa,
        }
    }

    fn book(&self, file: &Path) -> Arc<KnownHosts> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, book)) = books.iter().find(|(path, _)| path == file) {
            return Arc::clone(book);
        }
        let text = fs::read(file).unwrap_or_default();
        let book = Arc::new(KnownHosts::parse(file.to_owned(), text));
        books.push((file.to_owned(), Arc::clone(&book)));
        book
    }
}

/// Under which name the keys of a host are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// `HostKeyAlias`.
    pub(super) alias: Option<&'a str>,
    /// `RequiredRSASize`, in bits.
    pub(super) smallest_rsa: u32,
}

impl Named<'_> {
    /// The name, and the one that ssh looks for when that is not known at all.
    fn names(&self) -> (String, Option<String>) {
        if let Some(alias) = self.alias {
            return (alias.to_ascii_lowercase(), None);
        }
        let host = self.host.to_ascii_lowercase();
        match self.port {
            PORT => (host, None),
            port => (format!("[{host}]:{port}"), Some(host)),
        }
    }
}

/// What is known of the keys of a host.
#[derive(Debug, Default)]
pub(super) struct Expected {
    known: Vec<Known>,
    without_port: Vec<Known>,
    smallest_rsa: u32,
}

/// What the known keys say of the one that was shown.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    Good,
    Unknown,
    /// Another key is known.
    Changed(&'a Place),
    Revoked(&'a Place),
}

impl Expected {
    /// Sorts algorithms: those for which a key is known come first, so that a server with several keys
    /// shows one that can be recognised.
    pub(super) fn order(&self, algorithms: &mut [Algorithm]) {
        let is_known = |algorithm: &Algorithm| {
            let mut keys = self.known.iter().filter(|known| known.mark == Mark::Key);
            keys.any(|known| same_kind(&known.key.algorithm(), algorithm))
        };
        algorithms.sort_by_key(|algorithm| !is_known(algorithm));
    }

    /// Whether the server with this key is the host.
    pub(super) fn judge(&self, key: &PublicKey) -> Result<(), ConnectError> {
        let shown = format!(
            "{} {}",
            key.algorithm().as_str(),
            key.fingerprint(HashAlg::Sha256)
        );
        let refuse = |kind, text: String, hint: &str| {
            Err(ConnectError {
                hint: Some(hint.to_owned()),
                ..ConnectError::new(kind, printable(&text))
            })
        };
        if let Some(bits) = rsa_bits(key).filter(|bits| *bits < self.smallest_rsa) {
            let text = format!("the host key is too short (RequiredRSASize): {shown}, {bits} bits");
            return Err(ConnectError::new(ConnectErrorKind::Closed, text));
        }
        let verdict = match verdict(&self.known, key) {
            // ssh looks for a host at another port by its name alone, too, but only to recognise it.
            Verdict::Unknown => match verdict(&self.without_port, key) {
                Verdict::Changed(_) => Verdict::Unknown,
                other => other,
            },
            verdict => verdict,
        };
        match verdict {
            Verdict::Good => Ok(()),
            Verdict::Revoked(place) => {
                let text = format!("the host key was revoked in {place}: {shown}");
                refuse(ConnectErrorKind::HostKeyRevoked, text, REVOKED)
            }
            Verdict::Changed(place) => {
                let text = format!("the host key is not the known one in {place}: {shown}");
                refuse(ConnectErrorKind::HostKeyChanged, text, CHANGED)
            }
            Verdict::Unknown => match self.authority() {
                Some(place) => {
                    let text =
                        format!("the host key is known only by an authority, in {place}: {shown}");
                    refuse(ConnectErrorKind::HostKeyUnknown, text, AUTHORITY)
                }
                None => {
                    let text = format!("the host key is not known: {shown}");
                    refuse(ConnectErrorKind::HostKeyUnknown, text, UNKNOWN)
                }
            },
        }
    }

    fn authority(&self) -> Option<&Place> {
        let mut authorities = self.known.iter().filter(|one| one.mark == Mark::Authority);
        authorities.next().map(|one| &one.place)
    }
}

/// As hostfile.c decides: revoked wins, then a line with the same key, then the last with another.
fn verdict<'a>(known: &'a [Known], key: &PublicKey) -> Verdict<'a> {
    let is_shown = |one: &&Known| one.key.key_data() == key.key_data();
    let marked = |mark: Mark| known.iter().filter(move |one| one.mark == mark);
    if let Some(revoked) = marked(Mark::Revoked).find(is_shown) {
        return Verdict::Revoked(&revoked.place);
    }
    if marked(Mark::Key).any(|one| is_shown(&one)) {
        return Verdict::Good;
    }
    match marked(Mark::Key).next_back() {
        Some(other) => Verdict::Changed(&other.place),
        None => Verdict::Unknown,
    }
}

/// Whether two algorithms are for keys of one kind: RSA has one kind of key and several of signatures.
fn same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (one, other) => one == other,
    }
}

/// The length of an RSA key.
pub(super) fn rsa_bits(key: &PublicKey) -> Option<u32> {
    match key.key_data() {
        KeyData::Rsa(rsa) => Some(rsa.key_size()),
        _ => None,
    }
}
