//! Logging in: which keys are offered, in which order, and what is said when none is taken.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use convoke_connect::error::{Again, ConnectErrorKind as Kind};
use convoke_testkit::fleet::Fleet;

use crate::{Answers, Client, end};

/// A private ssh-agent, as long as it lives.
pub(crate) struct KeyAgent {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl KeyAgent {
    pub(crate) fn start(directory: &Path) -> Self {
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

    pub(crate) fn add(&self, key: &Path) {
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

pub(crate) fn key(fleet: &Fleet, name: &str, arguments: &[&str]) -> PathBuf {
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
pub(crate) fn authorize(fleet: &Fleet, file: &Path) {
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    let list = fleet.directory().join("authorized_keys");
    let before = fs::read_to_string(&list).unwrap();
    fs::write(list, before + &public).unwrap();
}

pub(crate) fn option(name: &str, file: &Path) -> String {
    format!("{name}={}", file.display())
}

/// Without the configured key of the fleet: what is given comes before it, and only one may count.
pub(crate) fn only(fleet: &Fleet, options: &[&str]) -> Client {
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

/// Signs `of` for the account, into the usual file beside it.
fn certify(fleet: &Fleet, authority: &Path, of: &Path) -> PathBuf {
    let signed = Command::new("ssh-keygen")
        .args(["-q", "-I", "somebody", "-n", fleet.account(), "-s"])
        .args([authority, &of.with_extension("pub")])
        .output()
        .unwrap();
    assert!(signed.status.success(), "{signed:?}");
    let name = of.file_name().unwrap().to_str().unwrap();
    of.with_file_name(format!("{name}-cert.pub"))
}

/// Keys in files and in the agent, certificates beside them, named, and in the agent.
#[tokio::test]
async fn keys_are_offered_in_the_order_of_ssh() {
    let fleet = Fleet::builder().option("LogLevel DEBUG2").start();
    let agent = KeyAgent::start(fleet.directory());
    let authority = key(&fleet, "authority", &["-t", "ed25519", "-N", ""]);
    let files: Vec<_> = (1..=6)
        .map(|n| {
            let kind = if n % 3 == 0 { "rsa" } else { "ed25519" };
            key(&fleet, &format!("k{n}"), &["-t", kind, "-N", ""])
        })
        .collect();
    let aside = |number: usize| {
        let certificate = certify(&fleet, &authority, &files[number]);
        let name = fleet.directory().join(format!("c{}.pub", number + 1));
        fs::rename(certificate, &name).unwrap();
        name
    };
    let named = [aside(1), aside(4)];
    certify(&fleet, &authority, &files[2]);
    certify(&fleet, &authority, &files[3]);
    for file in [&files[0], &files[3], &files[1]] {
        agent.add(file);
    }
    let identities: Vec<_> = [1, 2, 3, 4]
        .map(|number| option("IdentityFile", &files[number]))
        .into();
    let certificates = named.map(|name| option("CertificateFile", &name));
    let filter = "PubkeyAcceptedAlgorithms=rsa-sha2-256-cert-v01@openssh.com,ssh-ed25519";
    for more in [
        &[][..],
        &["IdentitiesOnly=yes"],
        &[certificates[0].as_str()],
        &[certificates[0].as_str(), certificates[1].as_str()],
        &[certificates[1].as_str(), "IdentitiesOnly=yes"],
        &[filter],
        &["PubkeyAcceptedAlgorithms=-ssh-ed25519"],
        &["IdentityAgent=none"],
        &["RequiredRSASize=4096"],
    ] {
        let options = identities.iter().map(String::as_str);
        let options: Vec<&str> = options.chain(more.iter().copied()).collect();
        let client = only(&fleet, &options).agent(&agent.socket);
        let before = fleet.log().len();
        client.refused("h1").await;
        let ours = offered(&fleet, before).await;
        let before = fleet.log().len();
        let output = client.ssh("h1").arg("true").output().unwrap();
        assert_eq!(output.status.code(), Some(255));
        assert_eq!(ours, offered(&fleet, before).await, "{more:?}");
        assert!(ours.len() >= 3, "{more:?}: {ours:?}");
    }
}

/// What the sshd was offered since then.
async fn offered(fleet: &Fleet, before: usize) -> Vec<String> {
    let mut log = fleet.log();
    while !log[before..].contains("Connection closed by") {
        tokio::task::yield_now().await;
        log = fleet.log();
    }
    let lines = log[before..].lines();
    let lines = lines.filter(|line| line.contains("Failed publickey"));
    lines
        .filter_map(|line| Some(line.split_once(" ssh2: ")?.1.to_owned()))
        .collect()
}

#[tokio::test]
async fn with_a_key_at_hand_nothing_else_is_tried_first() {
    let fleet = Fleet::builder().option("LogLevel DEBUG2").start();
    Client::new(&fleet).said("h1", "true").await.unwrap();
    let log = fleet.log();
    assert_eq!(
        log.matches("ssh-connection method none").count(),
        0,
        "{log}"
    );
    assert_eq!(
        log.matches("ssh-connection method publickey").count(),
        2,
        "{log}"
    );
    // Without one it is.
    let client = only(&fleet, &["IdentityFile=none"]);
    client.refused("h1").await;
    let log = fleet.log();
    assert_eq!(
        log.matches("ssh-connection method none").count(),
        1,
        "{log}"
    );
}

#[tokio::test]
async fn the_right_one_of_many_keys_can_be_named() {
    let fleet = Fleet::builder().max_auth_tries(3).start();
    let agent = KeyAgent::start(fleet.directory());
    let keys: Vec<_> = (1..=6)
        .map(|n| key(&fleet, &format!("k{n}"), &["-t", "ed25519", "-N", ""]))
        .collect();
    keys.iter().for_each(|key| agent.add(key));
    authorize(&fleet, &keys[5]);
    let right = option("IdentityFile", &keys[5].with_extension("pub"));
    for options in [&[right.as_str()][..], &[&right, "IdentitiesOnly=yes"]] {
        let client = only(&fleet, options).agent(&agent.socket);
        client.said("h1", "true").await.unwrap();
    }
    let client = only(&fleet, &["IdentitiesOnly=yes"]).agent(&agent.socket);
    let error = client.refused("h1").await;
    assert!(!error.text.contains("Too many"), "{error}");
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
    let public = fs::read_to_string(authority.with_extension("pub")).unwrap();
    let list = fleet.directory().join("authorized_keys");
    fs::write(list, format!("cert-authority {public}")).unwrap();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let user = key(&fleet, &format!("user-{kind}"), &["-t", kind, "-N", ""]);
        let beside = certify(&fleet, &authority, &user);
        let agent = KeyAgent::start(tempfile::tempdir().unwrap().keep().as_path());
        let identity = option("IdentityFile", &user);
        only(&fleet, &[&identity]).said("h1", "true").await.unwrap();
        agent.add(&user);
        let aside = fleet.directory().join(format!("named-{kind}.pub"));
        fs::rename(&beside, &aside).unwrap();
        let named = option("CertificateFile", &aside);
        // The key in a file, and in the agent, which has the certificate, too.
        let client = only(&fleet, &[&identity, &named, "IdentityAgent=none"]);
        client.said("h1", "true").await.unwrap();
        fs::remove_file(&user).unwrap();
        let client = only(&fleet, &[&named]).agent(&agent.socket);
        client.said("h1", "true").await.unwrap();
        let client = only(&fleet, &[]).agent(&agent.socket);
        client.said("h1", "true").await.unwrap();
        fs::remove_dir_all(agent.socket.parent().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_done_without() {
    let fleet = Fleet::start();
    let socket = fleet.directory().join("hung");
    let _hung = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let right = option("IdentityFile", &fleet.identity());
    only(&fleet, &[&right])
        .agent(&socket)
        .said("h1", "true")
        .await
        .unwrap();
    let error = only(&fleet, &["IdentityFile=none"])
        .agent(&socket)
        .refused("h1")
        .await;
    let hint = error.hint.unwrap();
    assert!(hint.contains("does not answer"), "{hint}");
}
