//! The reasons why no agent runs on a host, in words.

use std::fmt::Write as _;
use std::io;

use super::Silence;
use super::scan::{Reply, Scan};
use super::script::{PLACES, REASONS};
use crate::agents::{Agent, Agents};
use crate::error::BootstrapError;
use crate::outcome::UnreachableKind;

/// No answer came before the end, or before too much else.
pub(super) fn no_shell(scan: &Scan, silence: Silence) -> BootstrapError {
    let said = match scan.last_words() {
        Some(words) => format!("it said last: {words}"),
        None => "it said nothing".to_owned(),
    };
    let is_early = !matches!(silence, Silence::Noise);
    let new = |text| BootstrapError {
        is_early,
        ..BootstrapError::new(UnreachableKind::NoShell, text)
    };
    match silence {
        Silence::End => new(format!("the host's shell ended without an answer; {said}")),
        Silence::Failed(error) => new(format!(
            "the connection failed before the host's shell answered; {said}"
        ))
        .source(error),
        Silence::Noise => new(format!(
            "the host's shell said 64 KiB of other things and no answer; {said}"
        ))
        .hint(
            "let the start-up files of the account's shell print less when it is not interactive",
        ),
    }
}

/// The build has no agent for the platform, or for what `uname -sm` says in its place.
pub(super) fn no_agent(platform: &str, agents: &Agents) -> BootstrapError {
    let ours: Vec<_> = agents.iter().map(Agent::platform).collect();
    let ours = match ours.is_empty() {
        true => "none at all".to_owned(),
        false => format!("those for {}", ours.join(", ")),
    };
    let text =
        format!("this build has no agent for the host's platform, {platform:?}; it has {ours}");
    BootstrapError::new(UnreachableKind::NoAgent, text).hint(
        "build convoke with CONVOKE_AGENT_DIR set to a directory that holds convoke-agent-PLATFORM, \
         with a PLATFORM such as x86_64-linux",
    )
}

/// No directory may hold the agent; a reason for each, by number.
pub(super) fn no_place(reasons: &[usize]) -> BootstrapError {
    let mut text = "no directory of the host may hold the agent".to_owned();
    for (place, reason) in PLACES.iter().zip(reasons) {
        let words = reason.checked_sub(1).and_then(|index| REASONS.get(index));
        let words = words.unwrap_or(&"it is unusable");
        // Writing to a string cannot fail.
        let _ = write!(text, "; {place}: {words}");
    }
    BootstrapError::new(UnreachableKind::NoPlace, text).hint(
        "set XDG_CACHE_HOME on the host to a directory of the account where programs can be run",
    )
}

/// What was stored is not the agent.
pub(super) fn damaged(agent: &Agent, stored: &str) -> BootstrapError {
    let size = agent.size();
    upload(format!(
        "the agent did not arrive whole: {stored} bytes were stored, and it has {size}"
    ))
}

/// The connection ended, or something else writes to it.
pub(super) fn cut(silence: Silence) -> BootstrapError {
    match silence {
        Silence::End => upload("the connection ended while the agent was sent"),
        Silence::Failed(error) => {
            upload("the connection failed while the agent was sent").source(error)
        }
        Silence::Noise => upload("something else writes to the connection"),
    }
}

/// The script gave an answer that is none to an upload.
pub(super) fn astray(reply: &Reply) -> BootstrapError {
    upload(format!("the host's script lost its way: it said {reply:?}"))
}

/// The agent that this build carries cannot be inflated.
pub(super) fn embedded(error: io::Error) -> BootstrapError {
    upload("the agent of this build is damaged").source(error)
}

fn upload(text: impl Into<String>) -> BootstrapError {
    BootstrapError::new(UnreachableKind::Upload, text)
}
