//! Host keys: nothing is accepted silently, and a host whose key is refused hears nothing of us.

use std::fs;
use std::time::SystemTime;

use convoke_testkit::fleet::{Fleet, Known};
use serde_json::Value;

use crate::connector;
use crate::operator::Operator;

/// How often a server was asked to let somebody in.
fn logins(fleet: &Fleet) -> usize {
    fleet.log().matches("attempt 0 failures 0").count()
}

fn fingerprint(fleet: &Fleet) -> String {
    let key = fleet.directory().join("host_ed25519.pub");
    let mut keygen = std::process::Command::new("ssh-keygen");
    let said = keygen.arg("-lf").arg(key).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    said.split(' ').nth(1).unwrap().to_owned()
}

fn changed(fleet: &Fleet) -> SystemTime {
    fs::metadata(fleet.known_hosts())
        .unwrap()
        .modified()
        .unwrap()
}

#[test]
fn hosts_whose_key_is_refused_are_told_apart_and_hear_nothing() {
    let fleet = Fleet::builder()
        .option("LogLevel DEBUG1")
        .known_of(3, Known::Unknown)
        .known_of(4, Known::Changed)
        .known_of(5, Known::Revoked)
        .known_of(6, Known::Unknown)
        .start();
    let operator = Operator::new();
    let before = (fs::read(fleet.known_hosts()).unwrap(), changed(&fleet));
    let ran = operator.run(&fleet, ["--json", "h[1-6]", "echo", "hi"]);
    assert_eq!(ran.code, Some(3));
    assert_eq!(logins(&fleet), 2, "{}", fleet.log());
    let key = fingerprint(&fleet);
    let known_hosts = fleet.known_hosts();
    // The line of h4 is the second one: those without a key have none.
    let changed_in = format!("{}:2", known_hosts.display());
    for (host, kind, told) in [
        ("h3", "host_key_unknown", "the host key is not known"),
        ("h4", "host_key_changed", changed_in.as_str()),
        ("h5", "host_key_revoked", "the host key was revoked"),
        ("h6", "host_key_unknown", "the host key is not known"),
    ] {
        let outcome = ran.outcome(host);
        assert_eq!(outcome["outcome"], "unreachable", "{outcome}");
        assert_eq!(outcome["kind"], kind, "{outcome}");
        let text = outcome["text"].as_str().unwrap();
        assert!(text.contains(told) && text.contains(&key), "{text}");
        assert_ne!(outcome["hint"], Value::Null);
    }
    for host in ["h1", "h2"] {
        assert_eq!(ran.stream(host, "stdout"), "hi\n");
    }
    assert!(ran.stderr.contains("6 hosts: 2 ok, 4 unreachable\n"));
    let after = (fs::read(fleet.known_hosts()).unwrap(), changed(&fleet));
    assert!(before == after, "known_hosts was written");
    operator.end(&fleet);
}

#[test]
fn unknown_keys_are_counted_once_though_every_host_has_its_own() {
    let (fleet, other) = (
        Fleet::builder().known(Known::Unknown).start(),
        Fleet::start(),
    );
    let (ours, theirs) = (fleet.directory(), other.directory());
    fs::copy(ours.join("identity.pub"), theirs.join("authorized_keys")).unwrap();
    fleet.alias("elsewhere", (other.address(1), other.port()).into());
    let operator = Operator::new();
    let ran = operator.run(&fleet, ["h[1-2],elsewhere", "true"]);
    assert_eq!(ran.code, Some(3));
    let expected = "3 hosts: 3 unreachable\n  \
        elsewhere,h[1-2] (3): unreachable (host_key_unknown): the host key is not known: ssh-ed25519 FINGERPRINT\n\
        hint: `convoke trust HOST`, with the same options, shows the key of a host and asks whether to trust it; -o \
        StrictHostKeyChecking=accept-new accepts every unknown one unseen\n";
    assert_eq!(ran.stderr, expected);
    // What the hint says.
    let accept = ["-o", "StrictHostKeyChecking=accept-new"];
    let ran = operator.run(&fleet, accept.iter().chain(&["h[1-2],elsewhere", "true"]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let ran = operator.run(&fleet, ["h[1-2],elsewhere", "true"]);
    assert_eq!(ran.code, Some(0));
    operator.end(&fleet);
}

#[test]
fn hosts_that_nobody_may_trust_are_warned_of_without_being_asked_to() {
    if connector() != "ssh+native" {
        eprintln!("skipped 1: the system's ssh says it only with -v");
        return;
    }
    let fleet = Fleet::builder().known_of(2, Known::Changed).start();
    let operator = Operator::new();
    let any = ["-o", "StrictHostKeyChecking=no"];
    let ran = operator.run(&fleet, any.iter().chain(&["h[1-2]", "true"]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = "warning: h2: the host key is not the known one in ";
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    let quiet = any.iter().chain(&["-q", "h[1-2]", "true"]);
    assert_eq!(operator.run(&fleet, quiet).stderr, "");
    operator.end(&fleet);
}
