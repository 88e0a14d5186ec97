//! Host keys that ssh refuses, in its own words.

use convoke_testkit::fleet::{Fleet, HostKey, Known};

use crate::{run, said};

fn refusal(fleet: &Fleet, host: &str) -> String {
    let refused = run(fleet.ssh(host).arg("true"));
    assert_eq!(refused.status.code(), Some(255), "{refused:?}");
    String::from_utf8_lossy(&refused.stderr).into_owned()
}

#[test]
fn every_variant_is_refused_as_ssh_does() {
    for (known, words) in [
        (Known::Unknown, "No ED25519 host key is known"),
        (Known::Changed, "REMOTE HOST IDENTIFICATION HAS CHANGED"),
        (Known::Revoked, "marked as revoked"),
    ] {
        let fleet = Fleet::builder().known(known).start();
        let stderr = refusal(&fleet, "h1");
        assert!(stderr.contains(words), "{known:?}: {stderr}");
    }
}

#[test]
fn one_host_differs_from_the_others() {
    let fleet = Fleet::builder()
        .known_of(2, Known::Changed)
        .known_of(3, Known::Unknown)
        .known_of(4, Known::Revoked)
        .start();
    for n in [1, 5, 22] {
        assert_eq!(said(fleet.ssh(&format!("h{n}")).arg("echo in")), "in\n");
    }
    for (host, words) in [("h2", "CHANGED"), ("h3", "is known for"), ("h4", "revoked")] {
        let stderr = refusal(&fleet, host);
        assert!(stderr.contains(words), "{host}: {stderr}");
    }
}

#[test]
fn each_kind_of_host_key_is_offered() {
    let kinds = [HostKey::Ed25519, HostKey::Ecdsa, HostKey::Rsa];
    let fleet = Fleet::builder().host_keys(&kinds).start();
    for algorithm in ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"] {
        let option = format!("HostKeyAlgorithms={algorithm}");
        let text = said(fleet.ssh("h1").args(["-o", &option, "echo in"]));
        assert_eq!(text, "in\n", "{algorithm}");
    }
}
