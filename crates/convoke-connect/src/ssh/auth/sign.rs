//! Signing for a login, with a key of the ssh-agent or of a file.

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey};

use super::identities::{Agent, Holder, Identity};
use crate::ask::Ask;

/// What signs.
pub(super) struct Pen<'a> {
    pub(super) identity: &'a Identity,
    pub(super) agent: Option<&'a mut Agent>,
    pub(super) ask: &'a dyn Ask,
}

/// Why nothing was signed.
#[derive(Debug)]
pub(super) enum Unsigned {
    /// The session is over.
    Gone,
    /// The ssh-agent did not want to, or cannot.
    AgentRefused,
    /// The private key could not be had.
    NoKey,
}

impl From<russh::SendError> for Unsigned {
    fn from(_: russh::SendError) -> Self {
        Unsigned::Gone
    }
}

impl Signer for Pen<'_> {
    type Error = Unsigned;

    /// Adds the signature of `text` to it.
    async fn auth_sign(
        &mut self,
        wanted: &AgentIdentity,
        hash: Option<HashAlg>,
        text: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        match &self.identity.held_by {
            Holder::Agent => {
                let agent = self.agent.as_mut().ok_or(Unsigned::AgentRefused)?;
                let key = agent.signer(wanted);
                let signed = agent.client.sign_request(&key, hash, text).await;
                signed.map_err(|_| Unsigned::AgentRefused)
            }
            Holder::File(file) => {
                let key = file.unlock(self.ask).await.ok_or(Unsigned::NoKey)?;
                sign(&key, hash, text).ok_or(Unsigned::NoKey)
            }
        }
    }
}

fn sign(key: &PrivateKey, hash: Option<HashAlg>, mut text: Vec<u8>) -> Option<Vec<u8>> {
    let signature: Signature = match key.key_data() {
        KeypairData::Rsa(rsa) => (rsa, hash).try_sign(&text).ok()?,
        other => other.try_sign(&text).ok()?,
    };
    signature.encode_prefixed(&mut text).ok()?;
    Some(text)
}
