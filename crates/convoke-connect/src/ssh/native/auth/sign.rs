//! Signing for a login, with a key of the ssh-agent or of a file.

use std::sync::Arc;

use russh::Signer;
use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode as _;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey, PublicKey};

use super::agent::{Agent, Silence};
use super::identities::Holder;
use crate::ssh::native::asking::Asking;
use crate::ssh::native::keys::Closed;

/// What signs.
pub(super) struct Pen<'a> {
    pub(super) holder: Holder,
    /// The public half of what signs.
    pub(super) public: PublicKey,
    pub(super) agent: Option<&'a Agent>,
    pub(super) asking: &'a Asking<'a>,
}

/// Why nothing was signed.
#[derive(Debug)]
pub(super) enum Unsigned {
    /// The session is over.
    Gone,
    /// The ssh-agent did not.
    Agent(Silence),
    /// The private key could not be had.
    Closed(Closed),
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
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        text: Vec<u8>,
    ) -> Result<Vec<u8>, Unsigned> {
        match &self.holder {
            Holder::Agent(held) => {
                let agent = self.agent.ok_or(Unsigned::Agent(Silence::Absent))?;
                let signed = agent.sign(held, hash, text).await;
                signed.map_err(Unsigned::Agent)
            }
            Holder::File(file) => {
                let key = file.unlock(self.asking).await;
                let signed = key.and_then(|key| match self.fits(&key) {
                    true => sign(&key, hash, text).ok_or(Closed::NoKey),
                    false => Err(Closed::NoKey),
                });
                signed.map_err(Unsigned::Closed)
            }
        }
    }
}

impl Pen<'_> {
    /// The public half that was offered may have come from another file.
    fn fits(&self, key: &Arc<PrivateKey>) -> bool {
        key.public_key().key_data() == self.public.key_data()
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
