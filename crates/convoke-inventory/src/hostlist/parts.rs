//! The parts of a host name: a user, a host and a port are there when the marks beside them are.
//!
//! Only what goes to `ssh` has parts that are known here; what follows another scheme is a matter of its connector.

use crate::error::{Error, excerpt};

/// The schemes whose rest is a name of any form, also none at all and one of digits: `local:` is this machine.
const NAMING: [&str; 4] = ["local", "docker", "podman", "k8s"];

/// Checks the parts of a text that is otherwise a host name; `at` is where it stands, for errors.
pub(super) fn check_parts(text: &str, at: usize) -> Result<(), Error> {
    const URL: &str = "ssh://";
    if !text.contains([':', '@']) {
        return Ok(());
    }
    if text
        .get(..URL.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(URL))
    {
        let rest = text.get(URL.len()..).unwrap_or_default();
        return check_authority(rest, at + URL.len());
    }
    match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme, rest) => Ok(()),
        _ => check_authority(text, at),
    }
}

/// Says whether what stands before the first colon is a scheme: not when a port, an address or nothing follows.
fn is_scheme(scheme: &str, rest: &str) -> bool {
    let is_word = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let names = NAMING
        .iter()
        .any(|naming| scheme.eq_ignore_ascii_case(naming));
    // Digits are a port, and so is what is missing.
    is_word && (names || !rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Checks `user@host:port`, of which a path of hops may follow.
fn check_authority(text: &str, at: usize) -> Result<(), Error> {
    let text = text.split_once('/').map_or(text, |(before, _)| before);
    let (host, at) = match text.rsplit_once('@') {
        Some(("", _)) => return Err(Error::MissingPart { at, part: "user" }),
        Some((user, host)) => (host, at + user.len() + 1),
        None => (text, at),
    };
    let (host, port) = match host.strip_prefix('[') {
        // An address is closed, and only a colon follows it: that has been checked.
        Some(_) => {
            let end = host.find(']').map_or(host.len(), |end| end + 1);
            let (host, after) = host.split_at(end);
            (host, after.strip_prefix(':'))
        }
        // More colons make an address without brackets, which has no port.
        None if host.matches(':').count() > 1 => (host, None),
        None => match host.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host, None),
        },
    };
    if host.is_empty() {
        return Err(Error::MissingPart { at, part: "host" });
    }
    let at = at + host.len() + 1;
    match port {
        Some("") => Err(Error::MissingPart { at, part: "port" }),
        Some(port) if !is_port(port) => Err(Error::BadPort {
            at,
            text: excerpt(port),
        }),
        _ => Ok(()),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok_and(|number| number > 0)
}
