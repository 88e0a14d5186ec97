//! The keys that are offered, in ssh's order (pubkey_prepare in sshconnect2.c).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::{Algorithm, Certificate, PrivateKey, PublicKey};
use tokio::net::UnixStream;

use crate::ask::Ask;
use crate::ssh::keys::{KeyFile, KeyFiles, Private, certificate};
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

/// The ssh-agent, for one login.
pub(super) struct Agent {
    pub(super) client: AgentClient<UnixStream>,
    held: Vec<AgentIdentity>,
}

impl Agent {
    /// None when there is none, or it does not answer: ssh goes on without it, too.
    pub(super) async fn connect(
        login: &Login,
        binding: Option<&AgentSessionBinding>,
    ) -> Option<Self> {
        let socket = login.agent.as_ref()?;
        let mut client = AgentClient::connect_uds(socket).await.ok()?;
        if let Some(binding) = binding {
            // For keys that may be used only for some hosts. Older ones do not know it.
            let _ = client.bind_session(binding, false).await;
        }
        let held = client.request_identities().await.ok()?;
        Some(Agent { client, held })
    }

    /// By which name it is asked to sign as `wanted`: it need not know the certificate of its key.
    pub(super) fn signer(&self, wanted: &AgentIdentity) -> AgentIdentity {
        let is_held = |certificate: &Certificate| {
            let mut held = self.held.iter();
            held.any(|one| matches!(one, AgentIdentity::Certificate { certificate: ours, .. } if ours == certificate))
        };
        match wanted {
            AgentIdentity::Certificate { certificate, .. } if !is_held(certificate) => {
                AgentIdentity::from(wanted.public_key().into_owned())
            }
            _ => wanted.clone(),
        }
    }
}

/// A key, or a certificate of one.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) kind: Kind,
    /// None for a file whose format does not tell it.
    public: Option<PublicKey>,
    pub(super) held_by: Holder,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Key,
    Certificate(Box<Certificate>),
}

/// Who has the private key.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    Agent,
    File(Arc<KeyFile>),
}

impl Identity {
    pub(super) fn public(&self) -> Option<PublicKey> {
        self.public.clone()
    }

    /// The name of what it signs with, as in `PubkeyAcceptedAlgorithms`; not for RSA, which has several.
    pub(super) fn algorithm(&self, public: &PublicKey) -> String {
        match &self.kind {
            Kind::Key => public.algorithm().as_str().to_owned(),
            Kind::Certificate(certificate) => certificate.algorithm().to_certificate_type(),
        }
    }

    /// The private key of a file.
    pub(super) async fn unlock(&self, ask: &dyn Ask) -> Option<Arc<PrivateKey>> {
        match &self.held_by {
            Holder::File(file) => file.unlock(ask).await,
            Holder::Agent => None,
        }
    }

    fn is(&self, held: &AgentIdentity) -> bool {
        match (held, &self.kind) {
            (AgentIdentity::PublicKey { key, .. }, Kind::Key) => {
                let public = self.public.as_ref();
                public.is_some_and(|public| public.key_data() == key.key_data())
            }
            (AgentIdentity::Certificate { certificate, .. }, Kind::Certificate(ours)) => {
                *certificate == **ours
            }
            _ => false,
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
    pub(super) fn of(login: &Login, keys: &KeyFiles, agent: Option<&Agent>) -> Self {
        let opened: Vec<_> = login.identities.iter().map(|path| keys.get(path)).collect();
        let mut files: Vec<Identity> = Vec::new();
        for file in &opened {
            files.push(Identity {
                kind: Kind::Key,
                public: file.public.clone(),
                held_by: Holder::File(Arc::clone(file)),
            });
            // Those beside the keys are looked for only if none is named.
            let beside = file
                .certificate
                .iter()
                .filter(|_| login.certificates.is_empty());
            files.extend(beside.map(|certificate| certified(certificate.clone(), &opened, agent)));
        }
        let named = login
            .certificates
            .iter()
            .filter_map(|path| certificate(path));
        let mut all: Vec<_> = named.map(|one| certified(one, &opened, agent)).collect();
        let mut others = Vec::new();
        for held in agent.iter().flat_map(|agent| &agent.held) {
            match files.iter().position(|file| file.is(held)) {
                Some(at) => all.push(Identity {
                    held_by: Holder::Agent,
                    ..files.remove(at)
                }),
                None if login.only_those => {}
                None => others.push(Identity::of_agent(held)),
            }
        }
        all.extend(others);
        all.extend(files.into_iter().filter(Identity::may_sign));
        let find = |is: fn(&KeyFile) -> bool| {
            let found = opened.iter().find(|file| is(file));
            found.map(|file| file.path.clone())
        };
        Identities {
            left: all.iter().cloned().collect(),
            all,
            too_open: find(|file| matches!(file.private, Private::TooOpen)),
            absent: find(|file| {
                let is_default = file
                    .path
                    .file_name()
                    .is_some_and(|name| BY_DEFAULT.iter().any(|one| name == *one));
                matches!(file.private, Private::Absent) && file.public.is_none() && !is_default
            }),
        }
    }

    pub(super) fn next(&mut self) -> Option<Identity> {
        self.left.pop_front()
    }

    pub(super) fn begin_again(&mut self) {
        self.left = self.all.iter().cloned().collect();
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

impl Identity {
    fn of_agent(held: &AgentIdentity) -> Self {
        Identity {
            kind: match held {
                AgentIdentity::PublicKey { .. } => Kind::Key,
                AgentIdentity::Certificate { certificate, .. } => {
                    Kind::Certificate(Box::new(certificate.clone()))
                }
            },
            public: Some(held.public_key().into_owned()),
            held_by: Holder::Agent,
        }
    }

    /// Whether its file has a private key that we can sign with: those of hardware are the ssh-agent's.
    fn may_sign(&self) -> bool {
        let Holder::File(file) = &self.held_by else {
            return true;
        };
        let is_hardware = self.public.as_ref().is_some_and(|public| {
            let algorithm = public.algorithm();
            matches!(
                algorithm,
                Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
            )
        });
        matches!(file.private, Private::Plain(_) | Private::Locked(_)) && !is_hardware
    }
}

/// A certificate, with whoever has its key.
fn certified(certificate: Certificate, files: &[Arc<KeyFile>], agent: Option<&Agent>) -> Identity {
    let public = PublicKey::new(certificate.public_key().clone(), "");
    let is_held = agent.is_some_and(|agent| {
        let mut held = agent.held.iter();
        held.any(|one| one.public_key().key_data() == public.key_data())
    });
    let mut files = files.iter();
    let file = files.find(|file| {
        file.public
            .as_ref()
            .is_some_and(|one| one.key_data() == public.key_data())
    });
    let held_by = match file {
        Some(file) if !is_held => Holder::File(Arc::clone(file)),
        _ => Holder::Agent,
    };
    Identity {
        kind: Kind::Certificate(Box::new(certificate)),
        public: Some(public),
        held_by,
    }
}
