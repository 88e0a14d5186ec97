//! Key files in the forms that there are: read here, left to the system's ssh, or of no effect.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::Fleet;

use crate::login::{authorize, key, only, option};
use crate::{Answers, end};

/// Who reads a key in some form, as `ssh-keygen` and `openssl` write it.
#[tokio::test]
async fn a_key_that_only_ssh_reads_is_left_to_it() {
    let fleet = Fleet::start();
    let plain = key(
        &fleet,
        "plain",
        &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
    );
    let curve = key(&fleet, "curve", &["-t", "ecdsa", "-m", "PEM", "-N", ""]);
    authorize(&fleet, &plain);
    authorize(&fleet, &curve);
    let written = |name: &str, arguments: &[&str], of: &Path| {
        let file = fleet.directory().join(name);
        let mut openssl = Command::new("openssl");
        openssl
            .args(arguments)
            .arg("-in")
            .arg(of)
            .arg("-out")
            .arg(&file);
        let made = openssl.output().unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file
    };
    let pass = ["-passout", "pass:secret"];
    let mut forms = Vec::new();
    for (name, arguments, of, is_native) in [
        (
            "old-128",
            &["rsa", "-aes128", "-traditional"][..],
            &plain,
            true,
        ),
        (
            "old-256",
            &["rsa", "-aes256", "-traditional"],
            &plain,
            false,
        ),
        ("old-3des", &["rsa", "-des3", "-traditional"], &plain, false),
        ("old-ec", &["ec", "-aes128"], &curve, false),
        (
            "new-128",
            &["pkcs8", "-topk8", "-v2", "aes-128-cbc"],
            &plain,
            true,
        ),
        (
            "new-256",
            &["pkcs8", "-topk8", "-v2", "aes-256-cbc"],
            &curve,
            true,
        ),
        (
            "new-3des",
            &["pkcs8", "-topk8", "-v2", "des3"],
            &plain,
            false,
        ),
    ] {
        let arguments = [arguments, &pass[..]].concat();
        forms.push((written(name, &arguments, of), is_native));
    }
    let ciphers = Command::new("ssh").args(["-Q", "cipher"]).output().unwrap();
    let ciphers = String::from_utf8(ciphers.stdout).unwrap();
    for (number, cipher) in ciphers.lines().enumerate() {
        let arguments = ["-t", "ed25519", "-Z", cipher, "-N", "secret"];
        let file = key(&fleet, &format!("cipher{number}"), &arguments);
        authorize(&fleet, &file);
        forms.push((file, cipher != "3des-cbc"));
    }
    for (file, is_native) in forms {
        let client = only(
            &fleet,
            &[&option("IdentityFile", &file), "IdentityAgent=none"],
        );
        let what = format!("Enter passphrase for key '{}'", file.display());
        let ask = Answers::of(&[(&what, "secret")]);
        let opened = client.asking("h1", "true", &ask).await;
        match (opened, is_native) {
            (Ok(pipes), true) => drop(end(pipes).await),
            (Err(error), false) => {
                assert_eq!(error.kind, Kind::Configuration, "{file:?}");
                assert!(error.text.contains("identityfile"), "{file:?}: {error}");
            }
            (opened, _) => panic!("{file:?}: {:?}", opened.map(drop)),
        }
    }
}

#[tokio::test]
async fn a_key_that_ssh_would_not_use_changes_nothing() {
    let fleet = Fleet::start();
    let old = key(&fleet, "old", &["-t", "dsa", "-N", ""]);
    let (old, right) = (
        option("IdentityFile", &old),
        option("IdentityFile", &fleet.identity()),
    );
    only(&fleet, &[&old, &right])
        .said("h1", "true")
        .await
        .unwrap();
    let allowed = "PubkeyAcceptedAlgorithms=+ssh-dss";
    let error = only(&fleet, &[&old, &right, allowed]).refused("h1").await;
    assert!(error.text.contains("(a DSA key)"), "{error}");
}

/// The public half is enough for it to be known as what it is.
#[tokio::test]
async fn a_key_on_a_token_is_left_to_ssh_unless_the_agent_has_it() {
    use russh::keys::ssh_key::private::{KeypairData, SkEd25519};
    use russh::keys::ssh_key::public;
    let fleet = Fleet::start();
    let point = public::Ed25519PublicKey::try_from(&[7; 32][..]).unwrap();
    let token = public::SkEd25519::new(point, "ssh:");
    let token = SkEd25519::new(token, 1, vec![1, 2, 3]).unwrap();
    let token = russh::keys::PrivateKey::new(KeypairData::SkEd25519(token), "token").unwrap();
    let text = token.to_openssh(Default::default()).unwrap();
    let file = fleet.directory().join("token");
    fs::write(&file, text.as_bytes()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let client = only(&fleet, &[&option("IdentityFile", &file)]);
    let error = client.refused("h1").await;
    assert!(error.text.contains("(a key on a token)"), "{error}");
}
