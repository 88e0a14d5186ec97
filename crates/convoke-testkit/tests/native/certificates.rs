//! Certificates of hosts: taken and refused as ssh does.

use std::fs;
use std::path::{Path, PathBuf};

use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::{Fleet, HostKey};
use tempfile::TempDir;

use crate::verdicts::{key, key_in, keygen, ours, verdict};
use crate::{Client, asks_to_log_in, log_until};

/// A fleet whose sshd shows the certificate in a file, and authorities.
struct Certified {
    fleet: Fleet,
    directory: TempDir,
}

impl Certified {
    fn start() -> Self {
        Self::with("LogLevel INFO")
    }

    fn with(option: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let certificate = directory.path().join("certificate");
        let fleet = Fleet::builder()
            .host_keys(&[HostKey::Ed25519])
            .option(&format!("HostCertificate {}", certificate.display()))
            .option(option)
            .start();
        let certified = Certified { fleet, directory };
        certified.authority("ca", &["-t", "ed25519"]);
        certified.authority("other", &["-t", "ed25519"]);
        certified
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn authority(&self, name: &str, kind: &[&str]) {
        let file = self.file(name);
        let rest = ["-q", "-N", "", "-C", "", "-f", file.to_str().unwrap()];
        keygen(&[kind, &rest].concat());
    }

    /// Lets the host show its key with a certificate of `authority`; an sshd reads it for each connection.
    fn sign(&self, authority: &str, arguments: &[&str]) {
        let public = self.file("host.pub");
        fs::copy(self.fleet.directory().join("host_ed25519.pub"), &public).unwrap();
        let (ca, host) = (self.file(authority), public.to_str().unwrap());
        let begin = ["-q", "-s", ca.to_str().unwrap(), "-I", "host"];
        keygen(&[&begin, arguments, &[host]].concat());
        fs::rename(self.file("host-cert.pub"), self.file("certificate")).unwrap();
    }

    /// Fills in the names and keys of a row.
    fn fill(&self, text: &str) -> String {
        let address = self.fleet.address(1).to_string();
        text.replace("NAME", &format!("[{address}]:{}", self.fleet.port()))
            .replace("ADDRESS", &address)
            .replace("OTHER", &key_in(&self.file("other.pub")))
            .replace("CA", &key_in(&self.file("ca.pub")))
            .replace("KEY", &key(&self.fleet, "host_ed25519.pub"))
    }
}

/// How the key is signed by `CA`, what is known, options, and the verdict.
type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], &'a str);

const PLAIN: &str = "HostKeyAlgorithms=ssh-ed25519";

const ROWS: &[Row<'_>] = &[
    (&["-h"], &["@cert-authority NAME CA"], &[], "good"),
    (&["-h"], &["@cert-authority * CA"], &[], "good"),
    (
        &["-h"],
        &["@cert-authority !NAME,!ADDRESS,* CA"],
        &[],
        "unknown",
    ),
    (&["-h"], &["@cert-authority NAME OTHER"], &[], "unknown"),
    (
        &["-h"],
        &["@cert-authority NAME OTHER", "@cert-authority NAME CA"],
        &[],
        "good",
    ),
    (&["-h"], &["@cert-authority ADDRESS CA"], &[], "good"),
    (
        &["-h"],
        &["@cert-authority NAME OTHER", "@cert-authority ADDRESS CA"],
        &[],
        "good",
    ),
    (&["-h"], &["NAME CA"], &[], "changed"),
    (&["-h"], &[], &[], "unknown"),
    // Without the certificate.
    (&["-h"], &["@cert-authority NAME CA"], &[PLAIN], "unknown"),
    (
        &["-h"],
        &["@cert-authority NAME CA", "NAME KEY"],
        &[PLAIN],
        "good",
    ),
    // The plain key counts when the certificate does not.
    (&["-h"], &["NAME KEY"], &[], "good"),
    (
        &["-h"],
        &["@cert-authority NAME OTHER", "NAME KEY"],
        &[],
        "good",
    ),
    (
        &["-h"],
        &["@cert-authority NAME OTHER", "NAME OTHER"],
        &[],
        "changed",
    ),
    (
        &["-h", "-V", "19990101:20000101"],
        &["@cert-authority NAME CA", "NAME KEY"],
        &[],
        "good",
    ),
    // Principals.
    (
        &["-h", "-n", "ADDRESS"],
        &["@cert-authority NAME CA"],
        &[],
        "good",
    ),
    (
        &["-h", "-n", "other,ADDRESS"],
        &["@cert-authority NAME CA"],
        &[],
        "good",
    ),
    (
        &["-h", "-n", "other"],
        &["@cert-authority NAME CA"],
        &[],
        "unknown",
    ),
    (
        &["-h", "-n", "NAME"],
        &["@cert-authority NAME CA"],
        &[],
        "unknown",
    ),
    (
        &["-h", "-n", "127.*"],
        &["@cert-authority NAME CA"],
        &[],
        "unknown",
    ),
    (
        &["-h", "-n", "alias"],
        &["@cert-authority alias CA"],
        &["HostKeyAlias=Alias"],
        "good",
    ),
    (
        &["-h", "-n", "ADDRESS"],
        &["@cert-authority alias CA"],
        &["HostKeyAlias=alias"],
        "unknown",
    ),
    // Time.
    (
        &["-h", "-V", "19990101:20000101"],
        &["@cert-authority NAME CA"],
        &[],
        "unknown",
    ),
    (
        &["-h", "-V", "29990101:30000101"],
        &["@cert-authority NAME CA"],
        &[],
        "unknown",
    ),
    (
        &["-h", "-V", "-1h:+1h"],
        &["@cert-authority NAME CA"],
        &[],
        "good",
    ),
    // What it is for.
    (&[], &["@cert-authority NAME CA"], &[], "unknown"),
    (
        &["-h", "-O", "critical:x@y=z"],
        &["@cert-authority NAME CA"],
        &[],
        "unknown",
    ),
    (
        &["-h", "-O", "extension:x@y=z"],
        &["@cert-authority NAME CA"],
        &[],
        "good",
    ),
    // Who signs, and how.
    (
        &["-h"],
        &["@cert-authority NAME CA"],
        &["CASignatureAlgorithms=rsa-sha2-512"],
        "unknown",
    ),
    (
        &["-h"],
        &["@cert-authority NAME CA"],
        &["CASignatureAlgorithms=ssh-*"],
        "good",
    ),
    // Revoked: the authority, or the key.
    (
        &["-h"],
        &["@cert-authority NAME CA", "@revoked NAME CA"],
        &[],
        "revoked",
    ),
    (
        &["-h"],
        &["@cert-authority NAME CA", "@revoked NAME KEY"],
        &[],
        "revoked",
    ),
    (&["-h"], &["NAME KEY", "@revoked * CA"], &[], "revoked"),
    (
        &["-h"],
        &["@cert-authority NAME CA", "@revoked other CA"],
        &[],
        "good",
    ),
    // Nobody is believed any more, but a plain key would be.
    (
        &["-h"],
        &["@cert-authority NAME CA"],
        &["StrictHostKeyChecking=accept-new"],
        "good",
    ),
    (
        &["-h"],
        &["@cert-authority NAME OTHER"],
        &["StrictHostKeyChecking=accept-new"],
        "good",
    ),
    (&["-h"], &[], &["StrictHostKeyChecking=accept-new"], "good"),
    (
        &["-h"],
        &["@revoked NAME CA"],
        &["StrictHostKeyChecking=accept-new"],
        "revoked",
    ),
    (
        &["-h"],
        &["@revoked NAME CA"],
        &["StrictHostKeyChecking=no"],
        "good",
    ),
    (
        &["-h", "-V", "19990101:20000101"],
        &["@cert-authority NAME CA"],
        &["StrictHostKeyChecking=no"],
        "good",
    ),
    // A type that was not asked for is taken by versions before 9.8 only.
    (
        &["-h"],
        &["@cert-authority NAME CA"],
        &["HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com"],
        "good",
    ),
];

#[tokio::test]
async fn the_verdict_on_a_certificate_is_that_of_ssh() {
    let certified = Certified::start();
    let address = certified.fleet.address(1).to_string();
    for (signing, known, options, expected) in ROWS {
        let signing: Vec<_> = signing.iter().map(|word| certified.fill(word)).collect();
        let signing: Vec<_> = signing.iter().map(String::as_str).collect();
        certified.sign("ca", &signing);
        let known: String = known
            .iter()
            .map(|line| certified.fill(line) + "\n")
            .collect();
        let verdict = verdict(&certified.fleet, &address, &known, options).await;
        assert_eq!(verdict.word, *expected, "{signing:?} {known} {options:?}");
    }
}

#[tokio::test]
async fn authorities_of_every_kind_are_believed() {
    let certified = Certified::start();
    let address = certified.fleet.address(1).to_string();
    for (name, kind) in [
        ("ecdsa", &["-t", "ecdsa", "-b", "384"][..]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ] {
        certified.authority(name, kind);
        certified.sign(name, &["-h"]);
        let key = key_in(&certified.file(&format!("{name}.pub")));
        let known = format!("@cert-authority * {key}");
        let good = verdict(&certified.fleet, &address, &known, &[]).await;
        assert_eq!(good.word, "good", "{name}");
    }
    // One that signs with SHA-1 is not.
    certified.sign("rsa", &["-h", "-t", "ssh-rsa"]);
    let known = format!("@cert-authority * {}", key_in(&certified.file("rsa.pub")));
    let verdict = verdict(&certified.fleet, &address, &known, &[]).await;
    assert_eq!(verdict.word, "unknown");
}

#[tokio::test]
async fn a_certificate_of_each_kind_of_key_is_taken() {
    for kind in [HostKey::Ecdsa, HostKey::Rsa] {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name).display().to_string();
        let option = format!("HostCertificate {}", file("host-cert.pub"));
        let fleet = Fleet::builder().host_keys(&[kind]).option(&option).start();
        let name = match kind {
            HostKey::Rsa => "host_rsa.pub",
            _ => "host_ecdsa.pub",
        };
        fs::copy(fleet.directory().join(name), file("host.pub")).unwrap();
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &file("ca")]);
        keygen(&["-q", "-s", &file("ca"), "-I", "x", "-h", &file("host.pub")]);
        let authority = key_in(Path::new(&file("ca.pub")));
        let known = format!("@cert-authority * {authority}");
        let address = fleet.address(1).to_string();
        let good = verdict(&fleet, &address, &known, &[]).await;
        assert_eq!(good.word, "good", "{name}");
        if kind == HostKey::Rsa {
            let short = verdict(&fleet, &address, &known, &["RequiredRSASize=3072"]).await;
            assert_eq!(short.word, "closed");
        }
    }
}

#[tokio::test]
async fn why_a_certificate_does_not_count_is_said_with_its_place() {
    let certified = Certified::start();
    let address = certified.fleet.address(1).to_string();
    let known = certified.fill("# first\n@cert-authority * CA\n");
    for (signing, words) in [
        (
            &["-h", "-n", "other"][..],
            "its certificate is invalid (name is not a listed principal; ",
        ),
        (
            &["-h", "-V", "19990101:20000101"],
            "its certificate is invalid (expired; ",
        ),
    ] {
        certified.sign("ca", signing);
        let (_, said) = ours(&certified.fleet, &address, &known, &[]).await;
        assert!(said.contains(words), "{said}");
        assert!(said.contains("known-ours:2"), "{said}");
        assert!(said.contains("): ssh-ed25519 SHA256:"), "{said}");
    }
    let (_, said) = ours(&certified.fleet, &address, "", &[]).await;
    assert!(
        said.contains(", nor is the authority of its certificate (ssh-ed25519 SHA256:"),
        "{said}"
    );
}

#[tokio::test]
async fn nothing_is_sent_to_a_host_whose_certificate_is_refused() {
    let certified = Certified::with("LogLevel DEBUG2");
    certified.sign("ca", &["-h", "-n", "other"]);
    let known = certified.file("known");
    fs::write(&known, certified.fill("@cert-authority * CA")).unwrap();
    let option = format!("UserKnownHostsFile={}", known.display());
    let client = Client::with(&certified.fleet, &[&option]);
    let error = client.refused("h1").await;
    assert_eq!(error.kind, Kind::HostKeyUnknown);
    let log = log_until(&certified.fleet, "Connection closed by").await;
    assert!(!asks_to_log_in(&log), "{log}");
    certified.sign("ca", &["-h"]);
    client.said("h1", "true").await.unwrap();
    assert!(asks_to_log_in(&certified.fleet.log()));
}
