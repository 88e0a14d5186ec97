//! The verdict on the key that a server shows: that of ssh (`verify_host_key` of OpenSSH's sshconnect.c).

mod books;
mod certificate;
mod hearing;
mod names;
mod revoked;
mod version;

use std::sync::{Arc, OnceLock};

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};
use tokio::sync::OnceCell;

use super::known_hosts::{Mark, rsa_bits as bits_of, same_kind};
use super::sight::Standing;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::SshOptions;
use crate::ssh::hints::REVOKED;
use crate::ssh::printable::printable;
use crate::ssh::rules::{Rules, Strictness};
use crate::surroundings::Surroundings;
use crate::trail::Remark;

use books::{Books, make_directory};
use hearing::{Addition, Heard, Hearing};
use names::Scope;
use revoked::{Blacklists, Word};
use version::Version;

pub(super) use hearing::Trust;
pub(super) use names::Host;
pub(in crate::ssh) use revoked::is_for_ssh_alone;

/// What is known of the keys of hosts: read once a run, and added to.
#[derive(Debug)]
pub(super) struct Verifier {
    options: SshOptions,
    books: Books,
    blacklists: Blacklists,
    version: OnceCell<Option<Version>>,
    surroundings: OnceLock<Surroundings>,
}

/// Judges the key of one host.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    verifier: Arc<Verifier>,
    rules: Arc<Rules>,
    host: Host,
}

/// What a server shows: its key, alone or in a certificate.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) key: PublicKey,
    pub(super) certificate: Option<Box<Certificate>>,
}

/// A key that is taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) trust: Trust,
    /// What ssh would say.
    pub(super) remarks: Vec<Remark>,
}

impl Verifier {
    pub(super) fn new(options: SshOptions) -> Self {
        Verifier {
            options,
            books: Books::default(),
            blacklists: Blacklists::default(),
            version: OnceCell::new(),
            surroundings: OnceLock::new(),
        }
    }

    /// Who judges the key of `host` by `rules`.
    pub(super) fn judge(
        self: &Arc<Self>,
        host: Host,
        rules: &Arc<Rules>,
        surroundings: &Surroundings,
    ) -> Judge {
        // They are the same for all hosts of a run.
        self.surroundings.get_or_init(|| surroundings.clone());
        Judge {
            verifier: Arc::clone(self),
            rules: Arc::clone(rules),
            host,
        }
    }

    async fn version(&self) -> Option<Version> {
        let surroundings = self.surroundings.get()?;
        let installed = || Version::installed(&self.options, surroundings);
        *self.version.get_or_init(installed).await
    }
}

impl Shown {
    pub(super) fn new(shown: &PublicKeyOrCertificate) -> Self {
        Shown {
            key: shown.public_key(),
            certificate: shown.certificate().cloned().map(Box::new),
        }
    }

    /// Its type and fingerprint, as ssh shows them.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(self.key.key_data())
    }

    /// Whether it is of the kind that was agreed on.
    pub(super) fn is_of(&self, algorithm: &Algorithm) -> bool {
        same_kind(&self.key.algorithm(), algorithm)
    }

    /// The key, and that of the authority of its certificate.
    fn keys(&self) -> impl Iterator<Item = &KeyData> {
        let authority = self.certificate.iter().map(|one| one.signature_key());
        std::iter::once(self.key.key_data()).chain(authority)
    }
}

impl Judge {
    /// Reads what is known of keys, unless somebody else has: nothing below waits for a file that was.
    pub(super) async fn read(&self) {
        let Verifier {
            books, blacklists, ..
        } = &*self.verifier;
        for file in self.rules.known_hosts.iter().chain(&self.rules.record) {
            books.open(file).await;
        }
        for file in &self.rules.revoked {
            blacklists.open(file).await;
        }
    }

    /// The types of keys to ask for, certificates and plain keys, the best first.
    pub(super) fn preferred(&self) -> (Vec<Algorithm>, Vec<Algorithm>) {
        let name = self.host.known_as(&self.rules, Scope::Whole);
        let known = self.verifier.books.of(&name, &self.rules.known_hosts);
        let is_known = |algorithm: &Algorithm| {
            let mut keys = known.iter().filter(|one| one.mark == Mark::Key);
            keys.any(|one| same_kind(&one.key.algorithm(), algorithm))
        };
        let has_authority = known.iter().any(|one| one.mark == Mark::Authority);
        self.rules.offered.ordered(is_known, has_authority)
    }

    /// Whether the server that shows this is the host. What is to be added to known hosts is added.
    ///
    /// # Errors
    /// It is not, or that is not known.
    pub(super) async fn judge(&self, shown: &Shown) -> Result<Taken, ConnectError> {
        self.examine(shown)?;
        if self.rules.trusts_loopback && self.rules.alias.is_none() && self.host.is_loopback() {
            return Ok(Taken {
                trust: Trust::Full,
                remarks: Vec::new(),
            });
        }
        let hearing = self.hearing(shown, &self.rules).await;
        let heard = hearing.hear(Scope::Whole)?;
        let heard = match heard.addition {
            None => heard,
            Some(_) => self.written(shown, hearing.version).await?,
        };
        Ok(Taken {
            trust: heard.trust,
            remarks: heard.remarks,
        })
    }

    /// Adds what is to be added, by a thread that may wait for the file.
    async fn written(
        &self,
        shown: &Shown,
        version: Option<Version>,
    ) -> Result<Heard, ConnectError> {
        let (judge, shown) = (self.clone(), shown.clone());
        let writing = tokio::task::spawn_blocking(move || {
            let _pen = judge.verifier.books.pen();
            // Others may have added something meanwhile.
            let heard = Hearing {
                books: &judge.verifier.books,
                host: &judge.host,
                rules: &judge.rules,
                shown: &shown,
                version,
            };
            Ok(judge.add(heard.hear(Scope::Whole)?, &shown))
        });
        match writing.await {
            Ok(heard) => heard,
            // It has panicked, or the run is over.
            Err(_) => std::future::pending().await,
        }
    }

    /// What is known of a key, for somebody who wants to decide, and under which names it would be
    /// added. Nothing is.
    pub(super) async fn look(&self, shown: &Shown) -> (Standing, Vec<String>) {
        if let Err(refused) = self.examine(shown) {
            return (Standing::Refused(refused), Vec::new());
        }
        let rules = Rules {
            strictness: Strictness::New,
            ..(*self.rules).clone()
        };
        let heard = self.hearing(shown, &rules).await.hear(Scope::Whole);
        match heard.map(|heard| heard.addition) {
            Ok(Some(Addition::Host(names))) => (Standing::New, names),
            Ok(_) => (Standing::Known, Vec::new()),
            Err(refused) => (Standing::Refused(refused), Vec::new()),
        }
    }

    /// Adds a key under these names to known hosts; says where.
    pub(super) fn trust(
        &self,
        names: &[String],
        key: &PublicKey,
    ) -> std::io::Result<std::path::PathBuf> {
        let file = self.rules.record.as_deref();
        let file = file.ok_or_else(|| std::io::Error::other("UserKnownHostsFile is none"))?;
        let _pen = self.verifier.books.pen();
        make_directory(file, self.rules.home.as_deref());
        let books = &self.verifier.books;
        let is_there = |name: &String| {
            let known = books.of(name, std::slice::from_ref(&file.to_owned()));
            known
                .iter()
                .any(|one| one.mark == Mark::Key && one.key.key_data() == key.key_data())
        };
        if !names.iter().all(is_there) {
            books.add(names, key, &self.rules, file)?;
        }
        Ok(file.to_owned())
    }

    async fn hearing<'a>(&'a self, shown: &'a Shown, rules: &'a Rules) -> Hearing<'a> {
        let asks = shown.certificate.as_deref().is_some_and(|certificate| {
            let is_usual = rules.offered.has(&certificate.algorithm(), false);
            certificate::asks_for_version(certificate) || !is_usual
        });
        Hearing {
            books: &self.verifier.books,
            host: &self.host,
            rules,
            shown,
            version: match asks {
                true => self.verifier.version().await,
                false => None,
            },
        }
    }

    /// What makes a key bad whatever is known of it.
    fn examine(&self, shown: &Shown) -> Result<(), ConnectError> {
        let print = shown.fingerprint();
        let closed = |text: String| {
            let text = printable(&text);
            Err(ConnectError::new(ConnectErrorKind::Closed, text))
        };
        let is_certified = shown.certificate.is_some();
        if !self.rules.offered.has(&shown.key.algorithm(), is_certified) {
            return closed(format!(
                "the host key is of a type that was not asked for: {print}"
            ));
        }
        if let Some(certificate) = shown.certificate.as_deref()
            && !certificate::is_signed(certificate)
        {
            let authority = fingerprint(certificate.signature_key());
            return closed(format!(
                "the certificate of the host is not signed by its authority {authority}: {print}"
            ));
        }
        let bits = rsa_bits(&shown.key);
        if let Some(bits) = bits.filter(|bits| *bits < self.rules.smallest_rsa) {
            return closed(format!(
                "the host key is too short (RequiredRSASize): {print}, {bits} bits"
            ));
        }
        for file in &self.rules.revoked {
            let text = match self.verifier.blacklists.of(file, shown.keys()) {
                Word::Nothing => continue,
                Word::Revoked => format!("the host key was revoked by {}: {print}", file.display()),
                Word::Broken(why) => format!(
                    "whether the host key was revoked is not known, {} cannot be read ({why}): {print}",
                    file.display()
                ),
            };
            return Err(ConnectError {
                hint: Some(REVOKED.to_owned()),
                ..ConnectError::new(ConnectErrorKind::HostKeyRevoked, printable(&text))
            });
        }
        Ok(())
    }

    /// Adds what is to be added. That it cannot be written is said and changes nothing, as for ssh.
    fn add(&self, mut heard: Heard, shown: &Shown) -> Heard {
        let (Some(addition), Some(file)) = (heard.addition.take(), &self.rules.record) else {
            return heard;
        };
        make_directory(file, self.rules.home.as_deref());
        let books = &self.verifier.books;
        let added = books.add(addition.names(), &shown.key, &self.rules, file);
        let remark = addition.remark(shown, file, added.is_ok());
        heard.remarks.push(Remark::Note(printable(&remark)));
        heard
    }
}

/// The type and fingerprint of a key, as ssh shows them.
fn fingerprint(key: &KeyData) -> String {
    let print = key.fingerprint(HashAlg::Sha256);
    format!("{} {print}", key.algorithm().as_str())
}

/// The length of an RSA key, in bits.
pub(super) fn rsa_bits(key: &PublicKey) -> Option<u32> {
    bits_of(key.key_data())
}
