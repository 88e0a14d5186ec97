//! Logging in: which keys are offered, in which order, and what is said when none is taken.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use convoke_connect::error::{Again, ConnectErrorKind as Kind};
use convoke_testkit::fleet::Fleet;

use crate::{Answers, Client, end};

/// A private ssh-agent, as long as it lives.
struct KeyAgent {
    child: Child,
    socket: PathBuf,
}

impl KeyAgent {
    fn start(directory: &Path) -> Self {
        let socket = directory.join("agent");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent is missing");
        while !socket.exists() {
            std::thread::yield_now();
        }
        KeyAgent { child, socket }
    }

    fn add(&self, key: &Path) {
        let added = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .output()
            .unwrap();
        assert!(added.status.success(), "{added:?}");
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn key(fleet: &Fleet, name: &str, arguments: &[&str]) -> PathBuf {
    let file = fleet.directory().join(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-C", name, "-f"])
        .arg(&file)
        .args(arguments)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    file
}

/// Lets a key in.
fn authorize(fleet: &Fleet, file: &Path) {
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    let list = fleet.directory().join("authorized_keys");
    let before = fs::read_to_string(&list).unwrap();
    fs::write(list, before + &public).unwrap();
}

fn option(name: &str, file: &Path) -> String {
    format!("{name}={}", file.display())
}

/// Without the configured key of the fleet: what is given comes before it, and only one may count.
fn only(fleet: &Fleet, options: &[&str]) -> Client {
    let text = fs::read_to_string(fleet.ssh_config()).unwrap();
    let kept = text.lines().filter(|line| {
        let option = line.trim_start();
        !option.starts_with("Identit")
    });
    let kept: Vec<_> = kept.collect();
    let file = fleet.directory().join("bare_config");
    fs::write(&file, kept.join("\n")).unwrap();
    let mut client = Client::with(fleet, options);
    client.options.config = Some(file);
    client.native = convoke_connect::ssh::Native::new(client.options.clone());
    client
}

#[tokio::test]
async fn every_kind_and_format_of_key_is_used() {
    let fleet = Fleet::start();
    for (name, arguments) in [
        ("ed", &["-t", "ed25519", "-N", ""][..]),
        ("ec256", &["-t", "ecdsa", "-b", "256", "-N", ""]),
        ("ec521", &["-t", "ecdsa", "-b", "521", "-N", ""]),
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]),
        (
            "rsa-pem",
            &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
        ),
        (
            "rsa-pkcs8",
            &["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""],
        ),
        ("ec-pem", &["-t", "ecdsa", "-m", "PEM", "-N", ""]),
    ] {
        let file = key(&fleet, name, arguments);
        authorize(&fleet, &file);
        let client = only(
            &fleet,
            &[&option("IdentityFile", &file), "IdentityAgent=none"],
        );
        let said = client.said("h1", "echo in").await;
        assert_eq!(
            said.unwrap_or_else(|error| panic!("{name}: {error}")).0,
            "in\n"
        );
    }
}

#[tokio::test]
async fn a_passphrase_is_asked_for_once_for_all_hosts() {
    let fleet = Fleet::start();
    for (name, arguments) in [
        ("locked", &["-t", "ed25519", "-N", "open sesame"][..]),
        (
            "locked-pem",
            &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"],
        ),
    ] {
        let file = key(&fleet, name, arguments);
        authorize(&fleet, &file);
        let client = only(
            &fleet,
            &[&option("IdentityFile", &file), "IdentityAgent=none"],
        );
        let what = format!("Enter passphrase for key '{}'", file.display());
        let ask = Answers::of(&[(&what, "open sesame")]);
        for host in ["h1", "h2", "h3"] {
            let pipes = client.asking(host, "true", &ask).await;
            end(pipes.unwrap_or_else(|error| panic!("{name}: {error}"))).await;
        }
        assert_eq!(ask.asked(), [what]);
    }
}

#[tokio::test]
async fn a_passphrase_is_not_asked_for_a_key_that_the_server_does_not_take() {
    let fleet = Fleet::start();
    let file = key(&fleet, "foreign", &["-t", "ed25519", "-N", "open sesame"]);
    let client = only(
        &fleet,
        &[&option("IdentityFile", &file), "IdentityAgent=none"],
    );
    let ask = Answers::default();
    let error = client.asking("h1", "true", &ask).await.unwrap_err();
    assert_eq!(
        (error.kind, error.again),
        (Kind::Authentication, Again::Pointless)
    );
    assert_eq!(ask.asked(), [""; 0]);
}

#[tokio::test]
async fn a_denied_login_says_who_by_what_and_why() {
    let fleet = Fleet::start();
    let wrong = key(&fleet, "wrong", &["-t", "ed25519", "-N", ""]);
    let open = key(&fleet, "open", &["-t", "ed25519", "-N", ""]);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let address = fleet.address(1).to_string();
    for (file, hint) in [
        (wrong, "SSH_AUTH_SOCK"),
        (open, "chmod 600"),
        (PathBuf::from("/no/such/key"), "no key file /no/such/key"),
    ] {
        let client = only(&fleet, &[&option("IdentityFile", &file)]);
        let error = client.refused(&address).await;
        let who = format!(
            "permission denied to {}@{address}; the server takes publickey",
            fleet.account()
        );
        assert_eq!(
            (error.kind, error.text.as_str()),
            (Kind::Authentication, who.as_str())
        );
        let given = error.hint.unwrap();
        assert!(given.contains(hint), "{given}");
    }
}

#[tokio::test]
async fn the_agent_signs() {
    let fleet = Fleet::start();
    let agent = KeyAgent::start(fleet.directory());
    for (name, arguments) in [
        ("ed", &["-t", "ed25519", "-N", ""][..]),
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]),
        ("ec", &["-t", "ecdsa", "-N", ""]),
    ] {
        let file = key(&fleet, name, arguments);
        authorize(&fleet, &file);
        agent.add(&file);
        fs::remove_file(&file).unwrap();
        let public = option("IdentityFile", &file.with_extension("pub"));
        let client = only(&fleet, &[&public, "IdentitiesOnly=yes"]).agent(&agent.socket);
        let said = client.said("h1", "echo in").await;
        assert_eq!(
            said.unwrap_or_else(|error| panic!("{name}: {error}")).0,
            "in\n"
        );
    }
    let client = only(&fleet, &[]).agent(&agent.socket);
    client.said("h1", "true").await.unwrap();
    let client = only(&fleet, &["IdentityAgent=none"]).agent(&agent.socket);
    assert_eq!(client.refused("h1").await.kind, Kind::Authentication);
}

#[tokio::test]
async fn keys_are_offered_in_the_order_of_ssh() {
    let fleet = Fleet::builder().option("LogLevel DEBUG2").start();
    let agent = KeyAgent::start(fleet.directory());
    let files: Vec<_> = (1..=5)
        .map(|n| key(&fleet, &format!("k{n}"), &["-t", "ed25519", "-N", ""]))
        .collect();
    for file in [&files[0], &files[3], &files[1]] {
        agent.add(file);
    }
    let options: Vec<_> = [&files[1], &files[2], &files[3]]
        .iter()
        .map(|file| option("IdentityFile", file))
        .collect();
    for more in [&[][..], &["IdentitiesOnly=yes"]] {
        let options: Vec<&str> = options
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        let client = only(&fleet, &options).agent(&agent.socket);
        let before = fleet.log().len();
        client.refused("h1").await;
        let ours = offered(&fleet, before).await;
        let before = fleet.log().len();
        let output = client.ssh("h1").arg("true").output().unwrap();
        assert_eq!(output.status.code(), Some(255));
        assert_eq!(ours, offered(&fleet, before).await, "{options:?}");
        assert!(ours.len() >= 3, "{ours:?}");
    }
}

/// The fingerprints that the sshd was offered since then.
async fn offered(fleet: &Fleet, before: usize) -> Vec<String> {
    let mut log = fleet.log();
    while !log[before..].contains("Connection closed by") {
        tokio::task::yield_now().await;
        log = fleet.log();
    }
    let lines = log[before..]
        .lines()
        .filter(|line| line.contains("Failed publickey"));
    let prints = lines.filter_map(|line| line.split("SHA256:").nth(1));
    prints
        .map(|print| print.split(' ').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn too_many_keys_are_said_to_be_too_many() {
    let fleet = Fleet::builder().max_auth_tries(3).start();
    let agent = KeyAgent::start(fleet.directory());
    for n in 1..=6 {
        agent.add(&key(&fleet, &format!("k{n}"), &["-t", "ed25519", "-N", ""]));
    }
    let client = only(&fleet, &[]).agent(&agent.socket);
    let error = client.refused("h1").await;
    assert_eq!(
        (error.kind, error.again),
        (Kind::Authentication, Again::Pointless)
    );
    assert!(
        error.text.contains("Too many authentication failures"),
        "{error}"
    );
    assert!(error.hint.unwrap().contains("IdentitiesOnly"));
}

#[tokio::test]
async fn a_certificate_lets_in() {
    let fleet = Fleet::start();
    let authority = key(&fleet, "authority", &["-t", "ed25519", "-N", ""]);
    let user = key(&fleet, "user", &["-t", "ed25519", "-N", ""]);
    let signed = Command::new("ssh-keygen")
        .args(["-q", "-I", "somebody", "-n", fleet.account(), "-s"])
        .args([&authority, &user.with_extension("pub")])
        .output()
        .unwrap();
    assert!(signed.status.success(), "{signed:?}");
    let public = fs::read_to_string(authority.with_extension("pub")).unwrap();
    let list = fleet.directory().join("authorized_keys");
    fs::write(list, format!("cert-authority {public}")).unwrap();
    let client = only(
        &fleet,
        &[&option("IdentityFile", &user), "IdentityAgent=none"],
    );
    client.said("h1", "true").await.unwrap();
    let agent = KeyAgent::start(fleet.directory());
    agent.add(&user);
    fs::remove_file(&user).unwrap();
    let client = only(&fleet, &[]).agent(&agent.socket);
    client.said("h1", "true").await.unwrap();
}
