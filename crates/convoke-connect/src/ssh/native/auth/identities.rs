//! The keys that are offered, in ssh's order (pubkey_prepare in OpenSSH's sshconnect2.c).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_key::certificate::CertType;

use super::agent::Agent;
use crate::ssh::native::keys::{KeyFile, KeyFiles, Offer, Private};
use crate::ssh::native::verify::rsa_bits;
use crate::ssh::terms::Login;

/// The key files that ssh looks for by itself; nobody asked for them, so nobody misses them.
const BY_DEFAULT: [&str; 7] = [
    "id_rsa",
    "id_ecdsa",
    "id_ecdsa_sk",
    "id_ed25519",
    "id_ed25519_sk",
    "id_xmss",
    "id_dsa",
];

/// A key, or a certificate of one.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// None for a file whose form does not tell it.
    pub(super) offer: Option<Offer>,
    pub(super) holder: Holder,
    /// Where it was found.
    path: PathBuf,
}

/// Who has the private key.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    Agent(Box<AgentIdentity>),
    File(Arc<KeyFile>),
}

impl Identity {
    fn of_agent(held: &AgentIdentity) -> Self {
        Identity {
            offer: Some(offered(held)),
            holder: Holder::Agent(Box::new(held.clone())),
            path: PathBuf::new(),
        }
    }

    fn of_file(offer: Option<Offer>, file: &Arc<KeyFile>) -> Self {
        Identity {
            offer,
            holder: Holder::File(Arc::clone(file)),
            path: file.path.clone(),
        }
    }

    /// Whether it is what the agent holds: the same key, or the same certificate.
    fn is(&self, held: &AgentIdentity) -> bool {
        match (&self.offer, held) {
            (Some(Offer::Key(ours)), AgentIdentity::PublicKey { key, .. }) => {
                ours.key_data() == key.key_data()
            }
            (Some(Offer::Certificate(ours)), AgentIdentity::Certificate { certificate, .. }) => {
                // What is written beside it in a file does not belong to it.
                ours.to_bytes()
                    .is_ok_and(|ours| Ok(ours) == certificate.to_bytes())
            }
            _ => false,
        }
    }

    /// Whether it can come to a signature. What cannot is not offered: the server would be kept waiting.
    fn may_sign(&self) -> bool {
        match &self.holder {
            Holder::Agent(_) => true,
            Holder::File(file) => file.may_sign(),
        }
    }

    /// Whether the configuration lets it be used.
    fn is_allowed(&self, login: &Login) -> bool {
        let Some(offer) = &self.offer else {
            return true;
        };
        if let Offer::Certificate(certificate) = offer
            && certificate.cert_type() != CertType::User
        {
            return false;
        }
        let is_short = rsa_bits(&offer.key()).is_some_and(|bits| bits < login.smallest_rsa);
        let names = offer.algorithms();
        !is_short && names.iter().any(|name| login.accepts(name))
    }
}

fn offered(held: &AgentIdentity) -> Offer {
    match held {
        AgentIdentity::PublicKey { key, .. } => Offer::Key(key.clone()),
        AgentIdentity::Certificate { certificate, .. } => {
            Offer::Certificate(Box::new(certificate.clone()))
        }
    }
}

/// The identities of one login, and which of them were offered.
pub(super) struct Identities {
    all: Vec<Identity>,
    left: VecDeque<Identity>,
    too_open: Option<PathBuf>,
    absent: Option<PathBuf>,
}

impl Identities {
    /// Certificates that were named; keys of the agent that were named as files; its other keys, unless
    /// only those named count; the other files.
    pub(super) async fn of(login: &Login, keys: &KeyFiles, agent: Option<&Agent>) -> Self {
        let opened = keys.all(&login.identities).await;
        let named = keys.all(&login.certificates).await;
        let mut files: Vec<Identity> = Vec::new();
        for file in &opened {
            files.push(Identity::of_file(file.offer.clone(), file));
            // Those beside the keys are looked for only if none is named.
            let beside = file.certificate.iter();
            let beside = beside.filter(|_| login.certificates.is_empty());
            let beside = beside.map(|one| Offer::Certificate(Box::new(one.clone())));
            files.extend(beside.map(|offer| Identity::of_file(Some(offer), file)));
        }
        let mut all = certificates(&named);
        let mut others = Vec::new();
        for held in agent.iter().flat_map(|agent| &agent.held) {
            match files.iter().position(|file| file.is(held)) {
                Some(at) => all.push(Identity {
                    holder: Holder::Agent(Box::new(held.clone())),
                    ..files.remove(at)
                }),
                None if login.only_those => {}
                None => others.push(Identity::of_agent(held)),
            }
        }
        all.extend(others);
        all.extend(files);
        all.retain(|identity| identity.is_allowed(login));
        let signed = |identity: &&Identity| signer(&all, identity).may_sign();
        let find = |is: fn(&KeyFile) -> bool| {
            let found = opened.iter().find(|file| is(file));
            found.map(|file| file.path.clone())
        };
        Identities {
            left: all.iter().filter(signed).cloned().collect(),
            too_open: find(|file| matches!(file.private, Private::TooOpen)),
            absent: find(is_missed),
            all,
        }
    }

    /// Whether the next is known without a passphrase.
    pub(super) fn begins_in_the_clear(&self) -> bool {
        self.left.front().is_some_and(|next| next.offer.is_some())
    }

    pub(super) fn next(&mut self) -> Option<Identity> {
        self.left.pop_front()
    }

    pub(super) fn begin_again(&mut self) {
        let signed = |identity: &&Identity| self.signer(identity).may_sign();
        self.left = self.all.iter().filter(signed).cloned().collect();
    }

    /// Who signs for an identity: of a certificate, whoever has its key.
    pub(super) fn signer(&self, identity: &Identity) -> Identity {
        signer(&self.all, identity).clone()
    }

    /// A key that was not used because others can read it.
    pub(super) fn too_open(&self) -> Option<&Path> {
        self.too_open.as_deref()
    }

    /// A key file that was asked for and is not there.
    pub(super) fn absent(&self) -> Option<&Path> {
        self.absent.as_deref()
    }
}

/// The certificates of `CertificateFile`.
fn certificates(named: &[Arc<KeyFile>]) -> Vec<Identity> {
    let files = named.iter();
    let certificates = files.filter(|file| matches!(file.offer, Some(Offer::Certificate(_))));
    certificates
        .map(|file| Identity::of_file(file.offer.clone(), file))
        .collect()
}

/// Who signs for an identity (sign_and_send_pubkey in sshconnect2.c).
fn signer<'a>(all: &'a [Identity], identity: &'a Identity) -> &'a Identity {
    let Some(Offer::Certificate(certificate)) = &identity.offer else {
        return identity;
    };
    let key = PublicKey::from(certificate.public_key().clone());
    let is_its_key = |other: &&Identity| match &other.offer {
        Some(Offer::Key(public)) => public.key_data() == key.key_data(),
        _ => false,
    };
    let is_beside = |other: &&Identity| {
        !matches!(identity.holder, Holder::Agent(_))
            && other.offer.is_none()
            && is_beside(&identity.path, &other.path)
    };
    let own = all.iter().find(is_its_key);
    own.or_else(|| all.iter().find(is_beside))
        .unwrap_or(identity)
}

/// Whether a certificate has the name of a key, with an ending or without.
fn is_beside(certificate: &Path, key: &Path) -> bool {
    let (certificate, key) = (certificate.as_os_str(), key.as_os_str());
    ["", ".pub", "-cert.pub"].iter().any(|ending| {
        let mut name = key.to_owned();
        name.push(ending);
        name == certificate
    })
}

/// Whether a file was asked for and is not there.
fn is_missed(file: &KeyFile) -> bool {
    let name = file.path.file_name();
    let is_default = name.is_some_and(|name| BY_DEFAULT.iter().any(|one| name == *one));
    matches!(file.private, Private::Absent) && file.offer.is_none() && !is_default
}
