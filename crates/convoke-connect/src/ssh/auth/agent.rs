//! The ssh-agent, for one login.
//!
//! Each login has a connection of its own: the agent is told over it which server it signs for.

use std::path::Path;
use std::time::Duration;

use russh::keys::HashAlg;
use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use tokio::net::UnixStream;

/// How long it may take to say what it holds. For a signature it may wait for a person.
const LIMIT: Duration = Duration::from_secs(5);

/// The ssh-agent, and what it holds.
pub(super) struct Agent {
    client: AgentClient<UnixStream>,
    pub(super) held: Vec<AgentIdentity>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing listens there.
    Absent,
    /// It does not answer in time.
    Hung,
}

impl Agent {
    /// Asks the one at `socket` what it holds, for the server of `binding`.
    pub(super) async fn connect(
        socket: &Path,
        binding: Option<&AgentSessionBinding>,
    ) -> Result<Self, Silence> {
        let opened = async {
            let mut client = AgentClient::connect_uds(socket).await.ok()?;
            if let Some(binding) = binding {
                // For keys that may be used only for some hosts. Older ones do not know it.
                let _ = client.bind_session(binding, false).await;
            }
            let held = client.request_identities().await.ok()?;
            Some(Agent { client, held })
        };
        match tokio::time::timeout(LIMIT, opened).await {
            Ok(opened) => opened.ok_or(Silence::Absent),
            Err(_) => Err(Silence::Hung),
        }
    }

    /// Adds the signature of `text` to it.
    pub(super) async fn sign(
        &mut self,
        held: &AgentIdentity,
        hash: Option<HashAlg>,
        text: Vec<u8>,
    ) -> Option<Vec<u8>> {
        self.client.sign_request(held, hash, text).await.ok()
    }
}
