//! What known hosts say of a key (`check_host_key` of OpenSSH, in its order).

use std::path::Path;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, PublicKey};

use super::books::Books;
use super::names::{Host, Scope};
use super::version::Version;
use super::{Shown, certificate, fingerprint};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::hints::{CHANGED, REVOKED, UNKNOWN};
use crate::ssh::native::known_hosts::{Known, Mark, Place, plain};
use crate::ssh::printable::printable;
use crate::ssh::rules::{Rules, Strictness};
use crate::trail::Remark;

/// The version that first refuses the key of a certificate if its type was not asked for.
const WANTS_TYPE: Version = Version::new(9, 8);

/// One key before those who know something of the host.
pub(super) struct Hearing<'a> {
    pub(super) books: &'a Books,
    pub(super) host: &'a Host,
    pub(super) rules: &'a Rules,
    pub(super) shown: &'a Shown,
    /// Of the installed ssh; none where it does not matter, or is not known.
    pub(super) version: Option<Version>,
}

/// A key that is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) trust: Trust,
    pub(super) remarks: Vec<Remark>,
    /// What is to be added to known hosts.
    pub(super) addition: Option<Addition>,
}

/// How far a host is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ssh) enum Trust {
    Full,
    /// Somebody may stand between: nothing is done that he could make use of.
    None,
}

/// What is to be added to known hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Addition {
    /// The key of a host, under these names.
    Host(Vec<String>),
    /// The address of a host whose key is known.
    Address([String; 1]),
}

/// What lines say of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status<'a> {
    Known(&'a Place),
    New,
    /// Another key is known.
    Changed(&'a Place),
    Revoked(&'a Place),
}

impl Heard {
    fn good() -> Self {
        Heard {
            trust: Trust::Full,
            remarks: Vec::new(),
            addition: None,
        }
    }
}

impl Hearing<'_> {
    /// Whether the key is that of the host.
    pub(super) fn hear(&self, scope: Scope) -> Result<Heard, ConnectError> {
        let name = self.host.known_as(self.rules, scope);
        let known = self.books.of(&name, &self.rules.known_hosts);
        let Some(certificate) = self.shown.certificate.as_deref() else {
            // With a certificate nobody asks for the address, even where its key alone counts.
            let address = self.host.address_known_as(self.rules, scope);
            let address = address.map(|name| (self.books.of(&name, &self.rules.known_hosts), name));
            return self.key(scope, &name, &known, address.as_ref(), None);
        };
        let why = match authority(&known, certificate, &self.shown.key) {
            Status::Known(place) => match self.refusal(certificate) {
                None => return Ok(Heard::good()),
                Some(why) => Unfit::Invalid(why, place),
            },
            Status::Revoked(place) => return self.revoked(place, Some(certificate)),
            Status::New if scope == Scope::Whole && self.host.has_port(self.rules) => {
                match self.hear(Scope::WithoutPort) {
                    Ok(heard) => return Ok(heard),
                    Err(error) if error.kind == ConnectErrorKind::HostKeyRevoked => {
                        return Err(error);
                    }
                    Err(_) => Unfit::Stranger(certificate),
                }
            }
            Status::New | Status::Changed(_) => Unfit::Stranger(certificate),
        };
        let is_permitted = self.rules.offered.has(&certificate.algorithm(), false)
            || self.version.is_some_and(|version| version < WANTS_TYPE);
        if !is_permitted {
            let why = format!("{} (HostKeyAlgorithms does not permit it)", why.words());
            return self.unknown(&why);
        }
        self.key(scope, &name, &known, None, Some(&why))
    }

    fn refusal(&self, certificate: &Certificate) -> Option<&'static str> {
        let name = self.rules.alias.as_deref().unwrap_or(&self.host.name);
        certificate::refusal(certificate, name, self.rules, self.version)
    }

    /// The key alone; `unfit` says why its certificate does not count.
    fn key(
        &self,
        scope: Scope,
        name: &str,
        known: &[Known],
        address: Option<&(Vec<Known>, String)>,
        unfit: Option<&Unfit<'_>>,
    ) -> Result<Heard, ConnectError> {
        let status = status(known, &self.shown.key);
        let at_address = address.map(|(known, _)| self::status(known, &self.shown.key));
        let heard = match status {
            Status::Known(_) => {
                let mut heard = Heard::good();
                if let (Some(Status::New), Some((_, address))) = (at_address, address) {
                    self.learn_address(scope, address, &mut heard);
                }
                heard
            }
            Status::New => {
                let by_name = match scope == Scope::Whole && self.host.has_port(self.rules) {
                    true => self.without_port()?,
                    false => None,
                };
                match by_name {
                    Some(heard) => heard,
                    None => {
                        let at_address = at_address.unwrap_or(status);
                        let address = self.host.address_known_as(self.rules, scope);
                        let address = address.filter(|_| at_address == Status::New);
                        self.unfamiliar(scope, name, address, &self.why_unknown(known, unfit))?
                    }
                }
            }
            Status::Revoked(place) => self.revoked(place, None)?,
            Status::Changed(place) => self.changed(scope, place, unfit)?,
        };
        match at_address {
            Some(Status::Changed(place)) if !matches!(status, Status::Changed(_)) => {
                self.elsewhere(heard, place, address.map_or("", |(_, address)| address))
            }
            _ => Ok(heard),
        }
    }

    /// ssh looks for a host at another port by its name alone, too, but only to recognise it. It forgets
    /// that a key was revoked there; that is not done here.
    fn without_port(&self) -> Result<Option<Heard>, ConnectError> {
        let plain = Shown {
            key: self.shown.key.clone(),
            certificate: None,
        };
        let hearing = Hearing {
            shown: &plain,
            ..*self
        };
        match hearing.hear(Scope::WithoutPort) {
            Ok(heard) => Ok(Some(heard)),
            Err(error) if error.kind == ConnectErrorKind::HostKeyRevoked => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The host is known, its address is not.
    fn learn_address(&self, scope: Scope, address: &str, heard: &mut Heard) {
        if self.is_read_only(scope) {
            let kind = kind(&self.shown.key);
            heard.remarks.push(Remark::Note(format!(
                "{kind} host key for IP address '{address}' not in list of known hosts."
            )));
        } else {
            heard.addition = Some(Addition::Address([address.to_owned()]));
        }
    }

    fn is_read_only(&self, scope: Scope) -> bool {
        scope == Scope::WithoutPort || !self.host.is_writable() || self.rules.record.is_none()
    }

    fn unfamiliar(
        &self,
        scope: Scope,
        name: &str,
        address: Option<String>,
        why: &str,
    ) -> Result<Heard, ConnectError> {
        let adds = matches!(self.rules.strictness, Strictness::New | Strictness::Any);
        if !adds || self.is_read_only(scope) {
            return self.unknown(why);
        }
        let names = std::iter::once(name.to_owned()).chain(address);
        Ok(Heard {
            addition: Some(Addition::Host(names.collect())),
            ..Heard::good()
        })
    }

    fn unknown(&self, why: &str) -> Result<Heard, ConnectError> {
        let text = format!(
            "the host key is not known{why}: {}",
            self.shown.fingerprint()
        );
        refuse(ConnectErrorKind::HostKeyUnknown, &text, UNKNOWN)
    }

    /// What is said of an unknown key besides.
    fn why_unknown(&self, known: &[Known], unfit: Option<&Unfit<'_>>) -> String {
        let authority = known.iter().find(|one| one.mark == Mark::Authority);
        match (unfit, authority) {
            (Some(unfit), _) => unfit.words(),
            (None, Some(authority)) => format!(
                ", and it has no certificate of the authority in {}",
                authority.place
            ),
            (None, None) => String::new(),
        }
    }

    fn changed(
        &self,
        scope: Scope,
        place: &Place,
        unfit: Option<&Unfit<'_>>,
    ) -> Result<Heard, ConnectError> {
        let unfit = unfit.map(Unfit::words).unwrap_or_default();
        let print = self.shown.fingerprint();
        let text = format!("the host key is not the known one in {place}{unfit}: {print}");
        match self.rules.strictness {
            Strictness::Any if scope == Scope::Whole => self.distrust(&text, CHANGED),
            _ => refuse(ConnectErrorKind::HostKeyChanged, &text, CHANGED),
        }
    }

    fn revoked(
        &self,
        place: &Place,
        certificate: Option<&Certificate>,
    ) -> Result<Heard, ConnectError> {
        let print = self.shown.fingerprint();
        let authority = certificate.map(|one| fingerprint(one.signature_key()));
        let authority = authority.map(|print| format!(", with a certificate of {print}"));
        let authority = authority.unwrap_or_default();
        let text = format!("the host key was revoked in {place}: {print}{authority}");
        match self.rules.strictness {
            Strictness::Any => self.distrust(&text, REVOKED),
            _ => refuse(ConnectErrorKind::HostKeyRevoked, &text, REVOKED),
        }
    }

    /// The connection goes on, but somebody may stand between.
    fn distrust(&self, text: &str, hint: &str) -> Result<Heard, ConnectError> {
        if self.rules.needs_trust {
            let text = format!("{text} (ExitOnForwardFailure)");
            return refuse(ConnectErrorKind::HostKeyChanged, &text, hint);
        }
        Ok(Heard {
            trust: Trust::None,
            remarks: vec![Remark::Warning(format!(
                "{}; no password is sent, to avoid man-in-the-middle attacks",
                printable(text)
            ))],
            addition: None,
        })
    }

    /// The address is known with another key than the name.
    fn elsewhere(
        &self,
        mut heard: Heard,
        place: &Place,
        address: &str,
    ) -> Result<Heard, ConnectError> {
        let text = format!(
            "the host key is not the known one of its address {address} in {place} (CheckHostIP): {}",
            self.shown.fingerprint()
        );
        match self.rules.strictness {
            Strictness::Any => {
                heard.remarks.push(Remark::Warning(printable(&text)));
                Ok(heard)
            }
            _ => refuse(ConnectErrorKind::HostKeyChanged, &text, CHANGED),
        }
    }
}

fn refuse<T>(kind: ConnectErrorKind, text: &str, hint: &str) -> Result<T, ConnectError> {
    Err(ConnectError {
        hint: Some(hint.to_owned()),
        ..ConnectError::new(kind, printable(text))
    })
}

/// Why a certificate does not count.
enum Unfit<'a> {
    /// An authority of the host has signed it, as the line says, but it is not good.
    Invalid(&'static str, &'a Place),
    /// No authority of the host has.
    Stranger(&'a Certificate),
}

impl Unfit<'_> {
    fn words(&self) -> String {
        match self {
            Unfit::Invalid(why, place) => {
                let why = why.trim_start_matches("Certificate ");
                let why = why.trim_start_matches("invalid: ");
                format!(" and its certificate is invalid ({why}; authority in {place})")
            }
            Unfit::Stranger(certificate) => {
                let print = fingerprint(certificate.signature_key());
                format!(", nor is the authority of its certificate ({print})")
            }
        }
    }
}

impl Addition {
    pub(super) fn names(&self) -> &[String] {
        match self {
            Addition::Host(names) => names,
            Addition::Address(address) => address,
        }
    }

    /// What ssh says when it has added it to `file`, or could not.
    pub(super) fn remark(&self, shown: &Shown, file: &Path, is_added: bool) -> String {
        let kind = kind(&shown.key);
        let (file, names) = (file.display(), self.names().join(","));
        match (self, is_added) {
            (Addition::Host(_), true) => {
                format!("Warning: Permanently added '{names}' ({kind}) to the list of known hosts.")
            }
            (Addition::Host(_), false) => {
                format!("Failed to add the host to the list of known hosts ({file}).")
            }
            (Addition::Address(_), true) => format!(
                "Warning: Permanently added the {kind} host key for IP address '{names}' to the list of known hosts."
            ),
            (Addition::Address(_), false) => format!(
                "Failed to add the {kind} host key for IP address '{names}' to the list of known hosts ({file})."
            ),
        }
    }
}

/// What ssh calls a kind of key.
fn kind(key: &PublicKey) -> &'static str {
    match key.algorithm() {
        Algorithm::Ed25519 => "ED25519",
        Algorithm::Ecdsa { .. } => "ECDSA",
        Algorithm::Rsa { .. } => "RSA",
        _ => "unknown",
    }
}

fn marked(known: &[Known], mark: Mark) -> impl DoubleEndedIterator<Item = &Known> {
    known.iter().filter(move |one| one.mark == mark)
}

fn revocation<'a>(known: &'a [Known], key: &KeyData) -> Option<&'a Place> {
    let mut revoked = marked(known, Mark::Revoked);
    let found = revoked.find(|one| plain(one.key.key_data()) == key);
    found.map(|one| &one.place)
}

/// As hostfile.c decides: revoked wins, then a line with the same key, then the last with another.
fn status<'a>(known: &'a [Known], key: &PublicKey) -> Status<'a> {
    if let Some(place) = revocation(known, key.key_data()) {
        return Status::Revoked(place);
    }
    let mut keys = marked(known, Mark::Key);
    if let Some(same) = keys.find(|one| one.key.key_data() == key.key_data()) {
        return Status::Known(&same.place);
    }
    match marked(known, Mark::Key).next_back() {
        Some(other) => Status::Changed(&other.place),
        None => Status::New,
    }
}

/// The same for a certificate, of which the authority must be known.
fn authority<'a>(known: &'a [Known], certificate: &Certificate, key: &PublicKey) -> Status<'a> {
    let authority = certificate.signature_key();
    let revoked = revocation(known, key.key_data()).or_else(|| revocation(known, authority));
    if let Some(place) = revoked {
        return Status::Revoked(place);
    }
    let mut authorities = marked(known, Mark::Authority);
    let same = authorities.find(|one| plain(one.key.key_data()) == authority);
    // Others say nothing: one may be meant for a part of the hosts of a pattern.
    same.map_or(Status::New, |same| Status::Known(&same.place))
}
