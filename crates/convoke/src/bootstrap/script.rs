//! The command line that finds or receives the agent on a host.

use crate::agents::Agents;
use crate::bootstrap::Nonce;

/// What runs on the host, with comments; `@nonce@` and `@agents@` are filled in.
const SCRIPT: &str = include_str!("script.sh");

/// The directories that the script tries, in its order.
pub(super) const PLACES: [&str; 5] = [
    "$XDG_CACHE_HOME/convoke",
    "$HOME/.cache/convoke",
    "$XDG_RUNTIME_DIR/convoke",
    "/var/tmp/convoke-UID",
    "/dev/shm/convoke-UID",
];

/// Why a directory is no place for the agent, by the number that the script gives, from 1.
pub(super) const REASONS: [&str; 9] = [
    "the variable is not set to an absolute path",
    "the directory above it is missing or belongs to others",
    "it is a symbolic link",
    "something else has its name",
    "it is not ours alone (our uid, mode 700)",
    "it cannot be created",
    "it cannot be written",
    "programs cannot be run from it",
    "it has no room for the agent",
];

/// The line that a host's login shell is given, whichever shell that is.
///
/// It is `exec /bin/sh -c '…'`, and what is quoted holds no newline, single quote, backslash or
/// exclamation mark: those are what shells read differently between single quotes. Under 4 KiB with
/// two agents; old tcsh and dropbear limit a command to about that and twice that.
pub fn command(agents: &Agents, nonce: &Nonce) -> String {
    let script = compact(SCRIPT)
        .replace("@nonce@", nonce.as_str())
        .replace("@agents@", &arms(agents));
    format!("exec /bin/sh -c '{script}'")
}

/// One line without comments and indentation.
fn compact(script: &str) -> String {
    let lines = script.lines().map(str::trim);
    let code: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    code.join(" ")
}

/// The arms of the `case` over `uname -sm`.
fn arms(agents: &Agents) -> String {
    let arms: Vec<_> = agents
        .iter()
        .map(|agent| {
            format!(
                "\"Linux {}\") c_platform={} c_hash={} c_size={} c_gzip={};;",
                agent.machine(),
                agent.platform(),
                agent.sha256(),
                agent.size(),
                agent.gzip().len()
            )
        })
        .collect();
    arms.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::Agent;

    fn line() -> String {
        let agent = |platform| Agent::from_bytes(platform, b"an agent").unwrap();
        let agents = Agents::new(vec![agent("x86_64-linux"), agent("aarch64-linux")]);
        command(&agents, &Nonce::new([0xab; 16]))
    }

    #[test]
    fn nothing_in_the_quoted_text_is_read_differently_by_some_shell() {
        let line = line();
        let quoted = line
            .strip_prefix("exec /bin/sh -c '")
            .and_then(|rest| rest.strip_suffix('\''))
            .unwrap();
        for forbidden in ['\n', '\'', '\\', '!', '\t'] {
            assert!(!quoted.contains(forbidden), "{forbidden:?}");
        }
        assert!(quoted.is_ascii());
    }

    #[test]
    fn the_line_is_short_enough_for_any_shell() {
        assert!(line().len() < 4096, "{} bytes", line().len());
    }

    #[test]
    fn everything_is_filled_in() {
        assert!(!line().contains("@nonce@") && !line().contains("@agents@"));
        assert!(line().contains("\"Linux aarch64\") c_platform=aarch64-linux c_hash="));
    }

    #[test]
    fn an_echo_of_the_line_holds_no_answer() {
        let marker = format!("{} ", Nonce::new([0xab; 16]).as_str());
        assert!(!line().contains(&marker));
    }

    #[test]
    fn every_reason_of_the_script_has_words() {
        for number in 1..=REASONS.len() {
            let (exit, back) = (format!("exit {number};"), format!("return {number};"));
            assert!(SCRIPT.contains(&exit) || SCRIPT.contains(&back), "{number}");
        }
        assert!(!SCRIPT.contains(&format!("exit {};", REASONS.len() + 1)));
    }
}
