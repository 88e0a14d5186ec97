//! The keys of a fleet, and what the client is told about those of its hosts.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::site::Site;

/// A kind of host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKey {
    /// `ssh-ed25519`.
    Ed25519,
    /// `ecdsa-sha2-nistp256`.
    Ecdsa,
    /// RSA with 2048 bits; takes up to a second to make.
    Rsa,
}

/// What `known_hosts` says of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Known {
    /// Its key.
    #[default]
    Right,
    /// Nothing.
    Unknown,
    /// Another key.
    Changed,
    /// Its key, as revoked.
    Revoked,
}

impl HostKey {
    /// Its name for `ssh-keygen -t`.
    pub(super) fn name(self) -> &'static str {
        match self {
            HostKey::Ed25519 => "ed25519",
            HostKey::Ecdsa => "ecdsa",
            HostKey::Rsa => "rsa",
        }
    }

    /// Its private key in the directory of the fleet.
    pub(super) fn file(self) -> String {
        format!("host_{}", self.name())
    }
}

/// Makes the key of the user, those of the hosts, and one that no host has.
pub(super) fn make(site: &Site, kinds: &[HostKey], known: &KnownHosts) {
    make_one(&site.file("identity"), HostKey::Ed25519);
    fs::copy(
        site.file("identity.pub"),
        site.directory.join("authorized_keys"),
    )
    .unwrap();
    for kind in kinds {
        make_one(&site.file(&kind.file()), *kind);
        if known.holds(Known::Changed) {
            make_one(&site.file(&format!("other_{}", kind.name())), *kind);
        }
    }
}

fn make_one(path: &Path, kind: HostKey) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-N", "", "-C", "fleet", "-t", kind.name()]);
    if kind == HostKey::Rsa {
        keygen.args(["-b", "2048"]);
    }
    let made = keygen.arg("-f").arg(path).output();
    let made = made.expect("ssh-keygen is missing: install the Debian package openssh-client");
    assert!(made.status.success(), "ssh-keygen failed: {made:?}");
}

/// What is known of all hosts, and of those that differ.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownHosts {
    pub(super) all: Known,
    pub(super) but: Vec<(usize, Known)>,
}

impl KnownHosts {
    fn holds(&self, known: Known) -> bool {
        self.all == known || self.but.iter().any(|(_, one)| *one == known)
    }

    /// The text of the file.
    pub(super) fn text(&self, site: &Site, kinds: &[HostKey]) -> String {
        let mut lines = String::new();
        let mut add = |names: &str, known: Known| {
            for kind in kinds {
                let key = |file: String| {
                    let public = fs::read_to_string(site.file(&format!("{file}.pub"))).unwrap();
                    let words: Vec<_> = public.split_whitespace().take(2).collect();
                    words.join(" ")
                };
                lines += &match known {
                    Known::Unknown => continue,
                    Known::Right => format!("{names} {}\n", key(kind.file())),
                    Known::Revoked => format!("@revoked {names} {}\n", key(kind.file())),
                    Known::Changed => {
                        format!("{names} {}\n", key(format!("other_{}", kind.name())))
                    }
                };
            }
        };
        let named = |n: &usize| format!("[{}]:*", site.range.address(*n));
        // The port of a host is that of the sshd or of a proxy.
        let patterns = site.range.patterns();
        let mut names: Vec<String> = patterns.iter().map(|one| format!("[{one}]:*")).collect();
        for own in ["127.0.0.1", "::1", "localhost"] {
            names.push(format!("[{own}]:{}", site.port));
        }
        names.extend(self.but.iter().map(|(n, _)| format!("!{}", named(n))));
        add(&names.join(","), self.all);
        for (n, known) in &self.but {
            add(&named(n), *known);
        }
        lines
    }
}
