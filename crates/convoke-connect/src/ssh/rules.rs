//! What the configuration of a host says of its keys.

use std::path::PathBuf;

use russh::keys::Algorithm;

use super::algorithms::{self, HostKeys};
use super::settings::Settings;
use super::words::{Unserved, is_set, listed_files};

/// `RequiredRSASize` of an ssh that does not know the option.
const SMALLEST_RSA: u32 = 1024;

/// Which host keys are taken, and what is written down of them.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) strictness: Strictness,
    /// `UserKnownHostsFile`, then `GlobalKnownHostsFile`.
    pub(super) known_hosts: Vec<PathBuf>,
    /// The first `UserKnownHostsFile`: where keys are added.
    pub(super) record: Option<PathBuf>,
    pub(super) names: NamesWritten,
    /// Our home directory, whose `.ssh` is made when it is needed.
    pub(super) home: Option<PathBuf>,
    /// `HostKeyAlias`, in lower case.
    pub(super) alias: Option<String>,
    /// `RequiredRSASize`, in bits.
    pub(super) smallest_rsa: u32,
    /// The types that are asked for.
    pub(super) offered: HostKeys,
    /// `CASignatureAlgorithms`; none from an ssh that does not know the option.
    pub(super) ca_signatures: Option<Vec<String>>,
    /// `RevokedHostKeys`.
    pub(super) revoked: Vec<PathBuf>,
    /// `CheckHostIP`.
    pub(super) checks_address: bool,
    /// `NoHostAuthenticationForLocalhost`.
    pub(super) trusts_loopback: bool,
    /// `ExitOnForwardFailure`, and something that a key that is not trusted turns off.
    pub(super) needs_trust: bool,
}

/// `StrictHostKeyChecking`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// `yes`: only known keys are taken.
    Known,
    /// `ask`: the operator is asked, if there is one.
    Ask,
    /// `accept-new`: unknown keys are added.
    New,
    /// `no`: besides, a wrong key only turns off what somebody in between could make use of.
    Any,
}

/// How names are written into known hosts: `HashKnownHosts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamesWritten {
    Plain,
    Hashed,
}

impl Rules {
    /// Reads them. `defaults` are those of the installed ssh.
    ///
    /// # Errors
    /// The name of a file is not understood.
    pub(super) fn read(
        settings: &Settings,
        defaults: &Settings,
        home: &str,
    ) -> Result<Self, Unserved> {
        let is_on = |name: &str| is_set(settings.get(name));
        let users = listed_files(settings, "userknownhostsfile", home)?;
        let all = listed_files(settings, "globalknownhostsfile", home)?;
        let smallest_rsa = settings.get("requiredrsasize");
        let smallest_rsa = smallest_rsa.and_then(|bits| bits.parse().ok());
        let ca_signatures = settings.get("casignaturealgorithms");
        let loses = [
            "passwordauthentication",
            "kbdinteractiveauthentication",
            "challengeresponseauthentication",
            "forwardx11",
        ];
        Ok(Rules {
            strictness: match settings.get("stricthostkeychecking") {
                Some("accept-new") => Strictness::New,
                Some("no" | "off" | "false") => Strictness::Any,
                Some("yes" | "true") => Strictness::Known,
                _ => Strictness::Ask,
            },
            record: users.first().cloned(),
            known_hosts: users.into_iter().chain(all).collect(),
            names: match is_on("hashknownhosts") {
                true => NamesWritten::Hashed,
                false => NamesWritten::Plain,
            },
            home: Some(home.into()),
            alias: settings.get("hostkeyalias").map(str::to_ascii_lowercase),
            smallest_rsa: smallest_rsa.unwrap_or(SMALLEST_RSA),
            offered: algorithms::host_keys(settings, defaults)?,
            ca_signatures: ca_signatures.map(|list| list.split(',').map(str::to_owned).collect()),
            revoked: listed_files(settings, "revokedhostkeys", home)?,
            checks_address: is_on("checkhostip"),
            trusts_loopback: is_on("nohostauthenticationforlocalhost"),
            needs_trust: is_on("exitonforwardfailure") && loses.into_iter().any(is_on),
        })
    }

    /// Whether the authority's way to sign is permitted.
    pub(super) fn permits_signature(&self, algorithm: &Algorithm) -> bool {
        let list = self.ca_signatures.as_ref();
        list.is_none_or(|list| list.iter().any(|one| one == algorithm.as_str()))
    }
}
