//! Which host keys are taken: as ssh decides, and before anything of ours is sent.

use std::fs;

use convoke_connect::error::{Again, ConnectErrorKind as Kind};
use convoke_testkit::fleet::{Fleet, HostKey, Known};

use crate::verdicts::{key, verdict};
use crate::{Client, asks_to_log_in, log_until};

#[tokio::test]
async fn every_variant_is_refused_with_its_kind() {
    for (known, kind, words) in [
        (
            Known::Unknown,
            Kind::HostKeyUnknown,
            "is not known: ssh-ed25519 SHA256:",
        ),
        (
            Known::Changed,
            Kind::HostKeyChanged,
            "/known_hosts:1: ssh-ed25519 SHA256:",
        ),
        (
            Known::Revoked,
            Kind::HostKeyRevoked,
            "/known_hosts:1: ssh-ed25519 SHA256:",
        ),
    ] {
        let fleet = Fleet::builder().known(known).start();
        let error = Client::new(&fleet).refused("h1").await;
        assert_eq!((error.kind, error.again), (kind, Again::Pointless));
        assert!(error.text.contains(words), "{error}");
        assert!(error.hint.is_some());
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_host_whose_key_is_refused() {
    let fleet = Fleet::builder()
        .known_of(2, Known::Changed)
        .option("LogLevel DEBUG2")
        .start();
    let client = Client::new(&fleet);
    let error = client.refused("h2").await;
    assert_eq!(error.kind, Kind::HostKeyChanged);
    let log = log_until(&fleet, "Connection closed by").await;
    assert!(!asks_to_log_in(&log), "{log}");
    client.said("h1", "true").await.unwrap();
    assert!(asks_to_log_in(&fleet.log()));
}

#[tokio::test]
async fn a_key_that_is_known_is_asked_for_first() {
    let kinds = [HostKey::Ed25519, HostKey::Ecdsa, HostKey::Rsa];
    let fleet = Fleet::builder().host_keys(&kinds).start();
    let all = fs::read_to_string(fleet.known_hosts()).unwrap();
    for kind in ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"] {
        let only: String = all.lines().filter(|line| line.contains(kind)).collect();
        let file = fleet.directory().join(format!("only-{kind}"));
        fs::write(&file, only).unwrap();
        let option = format!("UserKnownHostsFile={}", file.display());
        let client = Client::with(&fleet, &[&option]);
        assert_eq!(
            client.said("h1", "echo in").await.unwrap().0,
            "in\n",
            "{kind}"
        );
    }
}

/// What may stand in known_hosts; `NAME` is the host's, `KEY` its key, `OTHER` another of its kind.
const TABLE: &[&[&str]] = &[
    &[],
    &["NAME KEY"],
    &["NAME OTHER"],
    &["NAME OTHER", "NAME KEY"],
    &["NAME KEY", "NAME OTHER"],
    &["# NAME KEY"],
    &["", "  NAME   KEY  a comment"],
    &["NAME KEY\r"],
    &["* KEY"],
    &["!NAME,* KEY"],
    &["*,!NAME KEY"],
    &["[127.*]:* KEY"],
    &["other,NAME,more KEY"],
    &["[ADDRESS]:1 KEY"],
    &["ADDRESS KEY"],
    &["ADDRESS OTHER"],
    &["@revoked ADDRESS KEY"],
    &["@revoked NAME KEY"],
    &["@revoked NAME OTHER"],
    &["NAME KEY", "@revoked NAME KEY"],
    &["@revoked * KEY", "NAME KEY"],
    &["NAME KEY", "@revoked NAME OTHER"],
    &["@cert-authority NAME KEY"],
    &["@cert-authority NAME OTHER", "NAME KEY"],
    &["@nonsense NAME KEY"],
    &["@revoked @cert-authority NAME KEY"],
    &["NAME", "NAME KEY"],
    &["NAME ssh-ed25519 nonsense", "NAME KEY"],
    &["NAME ssh-rsa AAAA", "NAME OTHER"],
    &["HASHED KEY"],
    &["HASHED OTHER"],
    &["@revoked HASHED KEY"],
    &["NAME RSA"],
];

#[tokio::test]
async fn the_verdict_is_that_of_ssh() {
    // The other fleet is only for its keys.
    let fleet = Fleet::start();
    let other = Fleet::builder()
        .host_keys(&[HostKey::Ed25519, HostKey::Rsa])
        .start();
    let address = fleet.address(1).to_string();
    let name = format!("[{address}]:{}", fleet.port());
    let hashed = hashed(&fleet, &name);
    for lines in TABLE {
        let text = lines.join("\n");
        let text = text
            .replace("HASHED", &hashed)
            .replace("NAME", &name)
            .replace("ADDRESS", &address)
            .replace("KEY", &key(&fleet, "host_ed25519.pub"))
            .replace("OTHER", &key(&other, "host_ed25519.pub"))
            .replace("RSA", &key(&other, "host_rsa.pub"));
        verdict(&fleet, &address, &text, &[]).await;
    }
}

/// The name as `ssh-keygen -H` writes it.
fn hashed(fleet: &Fleet, name: &str) -> String {
    let file = fleet.directory().join("to-hash");
    let key = fs::read_to_string(fleet.directory().join("host_ed25519.pub")).unwrap();
    fs::write(&file, format!("{name} {key}")).unwrap();
    let keygen = std::process::Command::new("ssh-keygen")
        .args(["-H", "-f"])
        .arg(&file)
        .output();
    assert!(keygen.unwrap().status.success());
    let text = fs::read_to_string(&file).unwrap();
    text.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn an_alias_is_the_name_that_counts() {
    let fleet = Fleet::start();
    let file = fleet.directory().join("aliased");
    let key = fs::read_to_string(fleet.directory().join("host_ed25519.pub")).unwrap();
    fs::write(&file, format!("the-alias {key}")).unwrap();
    let option = format!("UserKnownHostsFile={}", file.display());
    let unknown = Client::with(&fleet, &[&option]).refused("h1").await;
    assert_eq!(unknown.kind, Kind::HostKeyUnknown);
    let client = Client::with(&fleet, &[&option, "HostKeyAlias=The-Alias"]);
    client.said("h1", "true").await.unwrap();
}

#[tokio::test]
async fn a_host_without_the_certificate_of_its_authority_is_unknown() {
    let fleet = Fleet::start();
    let file = fleet.directory().join("authority");
    let key = fs::read_to_string(fleet.directory().join("host_ed25519.pub")).unwrap();
    fs::write(&file, format!("@cert-authority * {key}")).unwrap();
    let option = format!("UserKnownHostsFile={}", file.display());
    let error = Client::with(&fleet, &[&option]).refused("h1").await;
    assert_eq!(error.kind, Kind::HostKeyUnknown);
    assert!(
        error.text.contains("no certificate of the authority in "),
        "{error}"
    );
    assert!(
        error.text.contains("authority:1: ssh-ed25519 SHA256:"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_left_to_ssh_is_refused_as_not_served() {
    let fleet = Fleet::start();
    for option in [
        "VerifyHostKeyDNS=yes",
        "RevokedHostKeys=/of/%h",
        "KnownHostsCommand=/bin/echo %H",
    ] {
        let error = Client::with(&fleet, &[option]).refused("h1").await;
        assert_eq!(error.kind, Kind::Configuration, "{option}: {error}");
    }
}
