//! What ssh found wrong with the host key of a server.

use super::matches;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::hints::{CHANGED, REVOKED, UNKNOWN};
use crate::ssh::printable::printable;

/// The error for a host key that ssh did not accept; `key` is its type and fingerprint.
///
/// An ssh that must not ask says nothing more of an unknown key than that the verification failed.
pub(super) fn error(lines: &[&str], key: Option<&str>) -> ConnectError {
    let find = |pattern: &str| {
        let mut found = lines.iter().rev().filter_map(|line| matches(pattern, line));
        found.next()
    };
    let offending = find("Offending * in *").and_then(|parts| parts.get(1).copied());
    let revoked_by = find("Host key * revoked by file *").and_then(|parts| parts.get(1).copied());
    let is_revoked =
        revoked_by.is_some() || find("The * host key for * is marked as revoked.").is_some();
    let is_changed = offending.is_some()
        || find("Host key for * has changed and you have requested strict checking.").is_some();
    let unusable = find("host key * not permitted by HostkeyAlgorithms").is_some();
    let certificate = find("Certificate invalid: *").and_then(|parts| parts.first().copied());

    let key = key.or_else(|| sent(lines)).map(|key| format!(": {key}"));
    let key = key.unwrap_or_default();
    let (kind, text, hint) = if is_revoked {
        let by = revoked_by.map(|file| format!(" by {file}"));
        let text = format!("the host key was revoked{}{key}", by.unwrap_or_default());
        (ConnectErrorKind::HostKeyRevoked, text, REVOKED)
    } else if is_changed {
        let known = offending.map(|place| format!(" in {place}"));
        let known = known.unwrap_or_default();
        let text = format!("the host key is not the known one{known}{key}");
        (ConnectErrorKind::HostKeyChanged, text, CHANGED)
    } else {
        let why = match certificate {
            Some(why) => format!(" and its certificate is invalid ({why})"),
            None if unusable => " (HostKeyAlgorithms does not permit it)".into(),
            None => String::new(),
        };
        let text = format!("the host key is not known{why}{key}");
        (ConnectErrorKind::HostKeyUnknown, text, UNKNOWN)
    };
    ConnectError {
        hint: Some(hint.into()),
        ..ConnectError::new(kind, printable(&text))
    }
}

/// The fingerprint in ssh's warning of a changed key, on the line after its announcement.
fn sent<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let announced = "The fingerprint for the * key sent by the remote host is";
    let at = lines
        .iter()
        .position(|line| matches(announced, line).is_some())?;
    Some(lines.get(at + 1)?.trim_end_matches('.'))
}
