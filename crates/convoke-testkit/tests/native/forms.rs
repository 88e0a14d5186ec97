//! Key files in the forms that there are: read here, left to the system's ssh, or of no effect.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::Fleet;

use crate::login::{authorize, key, only, option};
use crate::{Answers, Client, end};

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

/// Ends the wait of whoever reads a pipe, at the latest after a time in which nothing should wait.
fn let_go(pipe: &Path) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (done, waiting) = mpsc::channel();
    let pipe = pipe.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = waiting.recv_timeout(Duration::from_secs(15));
        // It waits for the reader, who may come later on a busy machine.
        drop(fs::OpenOptions::new().write(true).open(pipe));
    });
    (done, writer)
}

#[tokio::test]
async fn a_file_that_lets_its_reader_wait_holds_up_no_other_host() {
    let fleet = Fleet::start();
    let pipe = fleet.directory().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let quick = Client::new(&fleet);
    for (name, kind, words) in [
        ("IdentityFile", Kind::Configuration, "identityfile"),
        ("CertificateFile", Kind::Configuration, "identityfile"),
        ("UserKnownHostsFile", Kind::HostKeyUnknown, "not known"),
    ] {
        let (done, writer) = let_go(&pipe);
        let slow = Client::with(&fleet, &[&option(name, &pipe), "GlobalKnownHostsFile=none"]);
        let mut refused = std::pin::pin!(slow.refused("h1"));
        tokio::select! {
            biased;
            error = &mut refused => panic!("{name} is not waited for: {error}"),
            said = quick.said("h2", "true") => drop(said.unwrap()),
        }
        if kind == Kind::HostKeyUnknown {
            done.send(()).unwrap();
        }
        let error = refused.await;
        assert_eq!(error.kind, kind, "{name}: {error}");
        assert!(error.text.contains(words), "{name}: {error}");
        drop(done);
        writer.join().unwrap();
    }
}
