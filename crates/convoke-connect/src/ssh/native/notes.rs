//! What the session has heard of its end, for those who open a connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::keys::Algorithm;
use russh::keys::agent::AgentSessionBinding;

use super::fault::{self, Peer, Stage};
use super::sight::Sight;
use crate::error::ConnectError;

/// What is known of the end of a connection; shared with those who wait for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    /// The verdict on the host key, if it was bad.
    refused: Option<ConnectError>,
    /// The host key, where it was only looked at.
    looked_at: Option<Sight>,
    /// Whether somebody may stand between, and the user wants to go on.
    is_distrusted: bool,
    /// By which kind of host key the server proves itself.
    agreed: Option<Algorithm>,
    /// How the connection ended.
    ended: Option<Ended>,
    /// How the server greeted.
    greeting: String,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server took its leave.
    Said {
        code: u32,
        reason: String,
    },
    Broke(russh::Error),
}

impl Ended {
    /// The same for those behind the hop whose connection it was; `remark` tells of it.
    pub(super) fn through(&self, hop: &str, remark: &str) -> String {
        // What broke may be further away, and is named then.
        let further = match self {
            Ended::Broke(russh::Error::IO(error)) => fault::broken(error),
            Ended::Broke(_) | Ended::Said { .. } => None,
        };
        further.map_or_else(|| format!("through {hop}: {remark}"), |error| error.text)
    }
}

impl Notes {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the server greeted.
    pub(super) fn greet(&self, greeting: &[u8]) {
        self.noted().greeting = String::from_utf8_lossy(greeting).into_owned();
    }

    /// How the server greeted: `SSH-2.0-` and its program.
    pub(super) fn greeting(&self) -> String {
        self.noted().greeting.clone()
    }

    /// Notes the verdict on a host key that is not taken.
    pub(super) fn refuse(&self, refused: ConnectError) {
        self.noted().refused = Some(refused);
    }

    /// Notes a host key that was only looked at.
    pub(super) fn look_at(&self, sight: Sight) {
        self.noted().looked_at = Some(sight);
    }

    /// The host key that was looked at.
    pub(super) fn looked_at(&self) -> Option<Sight> {
        self.noted().looked_at.take()
    }

    /// Notes that somebody may stand between.
    pub(super) fn distrust(&self) {
        self.noted().is_distrusted = true;
    }

    /// Whether somebody may stand between.
    pub(super) fn is_distrusted(&self) -> bool {
        self.noted().is_distrusted
    }

    /// Notes what was agreed on.
    pub(super) fn agree(&self, algorithm: Algorithm) {
        self.noted().agreed = Some(algorithm);
    }

    /// Whether the server has signed the key exchange as was agreed on.
    pub(super) fn agree_with(
        &self,
        binding: Option<&AgentSessionBinding>,
    ) -> Result<(), ConnectError> {
        let noted = self.noted();
        match (&noted.agreed, binding) {
            (Some(agreed), Some(binding)) if !is_signed_with(agreed, binding.signature()) => {
                Err(fault::wrong_signature(agreed))
            }
            _ => Ok(()),
        }
    }

    /// Notes the end.
    pub(super) fn end(&self, ended: Ended) {
        self.noted().ended = Some(ended);
    }

    /// Why a connection came to its end at `stage`; `error` is all that the client itself says.
    pub(super) fn why(&self, peer: &Peer, stage: Stage, error: russh::Error) -> ConnectError {
        let mut noted = self.noted();
        if let Some(refused) = noted.refused.take() {
            return refused;
        }
        match noted.ended.take() {
            Some(Ended::Said { code, reason }) => fault::disconnected(peer, code, &reason),
            Some(Ended::Broke(error)) => fault::protocol(peer, stage, error),
            None => fault::protocol(peer, stage, error),
        }
    }
}

/// Whether a signature names this algorithm: RSA has several for one kind of key.
fn is_signed_with(algorithm: &Algorithm, signature: &[u8]) -> bool {
    let name = algorithm.as_str().as_bytes();
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
    let rest = signature.strip_prefix(&length);
    rest.is_some_and(|rest| rest.starts_with(name))
}

#[cfg(test)]
mod tests {
    use russh::keys::HashAlg;

    use super::*;

    #[test]
    fn a_signature_of_another_kind_is_noticed() {
        let with = |hash| Algorithm::Rsa { hash };
        let signature = b"\0\0\0\x0crsa-sha2-512\0\0\0\x01x";
        assert!(is_signed_with(&with(Some(HashAlg::Sha512)), signature));
        for other in [with(None), with(Some(HashAlg::Sha256)), Algorithm::Ed25519] {
            assert!(!is_signed_with(&other, signature));
        }
        assert!(!is_signed_with(&with(None), b"\0\0\0\x0cssh-rsa"));
        assert!(!is_signed_with(&with(None), b""));
    }
}
