//! Which keys of a configuration only the system's ssh can use.

use super::agent::{Agent, Agents};
use crate::ssh::native::keys::{KeyFile, KeyFiles, Private};
use crate::ssh::printable::printable;
use crate::ssh::terms::Login;

/// The first key file that ssh would use and we cannot, in words: it is of a kind that is not known
/// here, and no ssh-agent holds it.
pub(in crate::ssh) async fn beyond(
    login: &Login,
    keys: &KeyFiles,
    agents: &Agents,
) -> Option<String> {
    if !login.methods.iter().any(|method| method == "publickey") {
        return None;
    }
    let certificates = keys.all(&login.certificates).await;
    let files = keys.all(&login.identities).await.into_iter();
    let mut files = files.chain(certificates);
    let (file, kind) = files.find_map(|file| match file.private {
        Private::Foreign(kind) if is_allowed(&file, login) => Some((file, kind)),
        _ => None,
    })?;
    if is_held(&file, login, agents).await {
        return None;
    }
    let path = printable(&file.path.display().to_string());
    Some(format!("identityfile {path} ({kind})"))
}

/// Whether ssh would offer it.
fn is_allowed(file: &KeyFile, login: &Login) -> bool {
    match &file.offer {
        Some(offer) => offer.algorithms().iter().any(|name| login.accepts(name)),
        None => true,
    }
}

/// Whether the ssh-agent signs with it.
async fn is_held(file: &KeyFile, login: &Login, agents: &Agents) -> bool {
    let (Some(socket), Some(offer)) = (&login.agent, &file.offer) else {
        return false;
    };
    let key = offer.key();
    let agent = Agent::connect(agents, socket, None).await;
    agent.is_ok_and(|agent| {
        let mut held = agent.held.iter();
        held.any(|held| held.public_key().key_data() == key.key_data())
    })
}
