//! With which hash an RSA key signs (key_sig_algorithm in OpenSSH's sshconnect2.c).

use russh::client::Handle;
use russh::keys::HashAlg;

use crate::ssh::native::handler::Handler;
use crate::ssh::native::keys::{CERTIFICATE, Offer};

/// The hash of a signature; none is SHA-1.
pub(super) type Hash = Option<HashAlg>;

/// Servers that never say which signatures they know, as they are older than that message (RFC 8308).
/// Nobody need wait for it.
const SILENT: [&str; 8] = [
    "OpenSSH_2",
    "OpenSSH_3",
    "OpenSSH_4",
    "OpenSSH_5",
    "OpenSSH_6",
    "OpenSSH_7.0",
    "OpenSSH_7.1",
    "Sun_SSH_",
];

/// It knows SHA-2, and says that it does not (SSH_BUG_SIGTYPE74 in OpenSSH's compat.c).
const MISTAKEN: &str = "OpenSSH_7.4";

/// They take SHA-2 from keys, and not from certificates (SSH_BUG_SIGTYPE in OpenSSH's compat.c).
const NOT_FOR_CERTIFICATES: [&str; 8] = [
    "OpenSSH_7.0",
    "OpenSSH_7.1",
    "OpenSSH_7.2",
    "OpenSSH_7.3",
    "OpenSSH_7.4",
    "OpenSSH_7.5",
    "OpenSSH_7.6",
    "OpenSSH_7.7",
];

/// What a server told of the signatures that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    of_keys: Known,
    of_certificates: Known,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing, so it is taken for one that knows only SHA-1.
    Nothing,
    /// The best.
    Best(Hash),
}

/// Asks the session what a server that calls itself `greeting` told; waits a second for it at most.
pub(super) async fn told(session: &Handle<Handler>, greeting: &str) -> Result<Told, russh::Error> {
    let best = match is_one_of(&SILENT, greeting) {
        true => None,
        false => session.best_supported_rsa_hash().await?,
    };
    Ok(Told::new(best, greeting))
}

fn is_one_of(programs: &[&str], greeting: &str) -> bool {
    let program = greeting.strip_prefix("SSH-2.0-").unwrap_or(greeting);
    programs.iter().any(|one| program.starts_with(one))
}

impl Told {
    fn new(best: Option<Hash>, greeting: &str) -> Self {
        let told = best.map_or(Known::Nothing, Known::Best);
        Told {
            of_keys: match told {
                Known::Best(_) if is_one_of(&[MISTAKEN], greeting) => {
                    Known::Best(Some(HashAlg::Sha512))
                }
                told => told,
            },
            of_certificates: match is_one_of(&NOT_FOR_CERTIFICATES, greeting) {
                true => Known::Nothing,
                false => told,
            },
        }
    }

    /// The first of the `accepted` algorithms that the server takes.
    pub(super) fn hash(self, offer: &Offer, accepted: &[String]) -> Option<Hash> {
        let (known, suffix) = match offer {
            Offer::Key(_) => (self.of_keys, ""),
            Offer::Certificate(_) => (self.of_certificates, CERTIFICATE),
        };
        known.first_of(accepted, suffix)
    }
}

impl Known {
    fn first_of(self, accepted: &[String], suffix: &str) -> Option<Hash> {
        accepted.iter().find_map(|name| {
            let hash = match name.strip_suffix(suffix)? {
                "rsa-sha2-512" => Some(HashAlg::Sha512),
                "rsa-sha2-256" => Some(HashAlg::Sha256),
                "ssh-rsa" => None,
                _ => return None,
            };
            self.takes(hash).then_some(hash)
        })
    }

    /// What is less than the best is taken, too, as far as anybody knows.
    fn takes(self, hash: Hash) -> bool {
        match (self, hash) {
            (_, None) => true,
            (Known::Nothing, _) => false,
            (Known::Best(best), Some(HashAlg::Sha512)) => best == Some(HashAlg::Sha512),
            (Known::Best(best), _) => best.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA512: Hash = Some(HashAlg::Sha512);
    const SHA256: Hash = Some(HashAlg::Sha256);
    const NOW: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2";
    const USUAL: &str = "ssh-ed25519,rsa-sha2-512,rsa-sha2-256";

    #[test]
    fn the_first_accepted_hash_that_the_server_takes_is_used() {
        for (best, greeting, accepted, expected) in [
            (Some(SHA512), NOW, USUAL, Some(SHA512)),
            (Some(SHA256), NOW, USUAL, Some(SHA256)),
            (Some(SHA512), NOW, "rsa-sha2-256,rsa-sha2-512", Some(SHA256)),
            (Some(SHA512), NOW, "rsa-sha2-256", Some(SHA256)),
            (Some(SHA256), NOW, "rsa-sha2-512", None),
            (Some(SHA512), NOW, "ssh-ed25519", None),
            // An old one is not asked for SHA-2, and SHA-1 must be allowed.
            (None, "SSH-2.0-OpenSSH_6.6.1", USUAL, None),
            (None, NOW, "rsa-sha2-512,ssh-rsa", Some(None)),
            (Some(None), NOW, USUAL, None),
            (Some(None), NOW, "rsa-sha2-512,ssh-rsa", Some(None)),
            // This one knows better than it says.
            (Some(None), "SSH-2.0-OpenSSH_7.4", USUAL, Some(SHA512)),
        ] {
            let accepted: Vec<_> = accepted.split(',').map(str::to_owned).collect();
            let told = Told::new(best, greeting);
            let hash = told.of_keys.first_of(&accepted, "");
            assert_eq!(hash, expected, "{best:?} {greeting} {accepted:?}");
        }
    }

    #[test]
    fn certificates_need_a_server_that_takes_sha2_for_them() {
        let accepted = ["rsa-sha2-512-cert-v01@openssh.com".to_owned()];
        for (greeting, expected) in [
            (NOW, Some(SHA512)),
            ("SSH-2.0-OpenSSH_7.4", None),
            ("SSH-2.0-OpenSSH_7.7p1 Debian", None),
            ("SSH-2.0-OpenSSH_7.8", Some(SHA512)),
        ] {
            let told = Told::new(Some(SHA512), greeting);
            let hash = told.of_certificates.first_of(&accepted, CERTIFICATE);
            assert_eq!(hash, expected, "{greeting}");
        }
    }

    #[test]
    fn only_servers_of_old_are_silent() {
        assert!(is_one_of(&SILENT, "SSH-2.0-OpenSSH_6.6.1p1 Ubuntu"));
        assert!(!is_one_of(&SILENT, NOW));
        assert!(!is_one_of(&SILENT, "SSH-2.0-OpenSSH_10.0"));
    }
}
