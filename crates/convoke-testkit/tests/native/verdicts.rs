//! What our client and ssh make of one host key, with the same known hosts and options.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::Fleet;

use crate::Client;

/// What became of a connection, and of the file of known hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) word: &'static str,
    /// With every hashed name as `HASHED`: no two are alike.
    pub(crate) file: String,
}

/// Asks both, each with a file of its own that holds `known`, and expects the same of both.
pub(crate) async fn verdict(fleet: &Fleet, host: &str, known: &str, options: &[&str]) -> Verdict {
    let (ours, _) = ours(fleet, host, known, options).await;
    let (theirs, said) = theirs(fleet, host, known, options);
    assert_eq!(ours, theirs, "{known}\n{options:?}\n{said}");
    ours
}

fn file(fleet: &Fleet, name: &str, known: &str) -> (PathBuf, String) {
    let file = fleet.directory().join(name);
    fs::write(&file, known).unwrap();
    let option = format!("UserKnownHostsFile={}", file.display());
    (file, option)
}

/// With what our client says besides.
pub(crate) async fn ours(
    fleet: &Fleet,
    host: &str,
    known: &str,
    options: &[&str],
) -> (Verdict, String) {
    let (file, option) = file(fleet, "known-ours", known);
    let options: Vec<_> = options.iter().copied().chain([&*option]).collect();
    let client = Client::with(fleet, &options);
    let (word, said) = match client.open(host, "true").await {
        Ok(pipes) => {
            crate::end(pipes).await;
            let remarks = client.trail.take_remarks();
            let lines = remarks.iter().map(|remark| format!("{remark}\n"));
            ("good", lines.collect())
        }
        Err(error) => (word(error.kind), error.to_string()),
    };
    (Verdict::of(word, &file), said)
}

fn theirs(fleet: &Fleet, host: &str, known: &str, options: &[&str]) -> (Verdict, String) {
    let (file, option) = file(fleet, "known-theirs", known);
    let options: Vec<_> = options.iter().copied().chain([&*option]).collect();
    let output = Client::with(fleet, &options).ssh(host).arg("true").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let word = match output.status.code() {
        Some(0) => "good",
        _ if has(&[
            "marked as revoked",
            "revoked by file",
            "in revoked keys file",
        ]) =>
        {
            "revoked"
        }
        _ if has(&["HAS CHANGED", "differs from the key for the IP address"]) => "changed",
        _ if has(&["Host key verification failed"]) => "unknown",
        _ => "closed",
    };
    (Verdict::of(word, &file), said)
}

impl Verdict {
    fn of(word: &'static str, file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().map(|line| match line.split_once(' ') {
            Some((names, key)) if names.starts_with("|1|") => format!("HASHED {key}\n"),
            _ => format!("{line}\n"),
        });
        Verdict {
            word,
            file: lines.collect(),
        }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::HostKeyUnknown => "unknown",
        Kind::HostKeyChanged => "changed",
        Kind::HostKeyRevoked => "revoked",
        Kind::Closed => "closed",
        kind => kind.as_str(),
    }
}

/// Type and key in a file of the fleet, without the comment.
pub(crate) fn key(fleet: &Fleet, name: &str) -> String {
    key_in(&fleet.directory().join(name))
}

pub(crate) fn key_in(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    words.join(" ")
}

pub(crate) fn keygen(arguments: &[&str]) {
    let made = Command::new("ssh-keygen").args(arguments).output().unwrap();
    assert!(made.status.success(), "{arguments:?}: {made:?}");
}
