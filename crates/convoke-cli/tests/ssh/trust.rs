//! `convoke trust`: keys are shown, asked about once, and added as ssh would add them.

use std::fs;
use std::time::Duration;

use convoke_testkit::fleet::{Fleet, HostKey, Known};

use crate::connector;
use crate::console::Console;
use crate::live::{Live, Ran};
use crate::operator::Operator;

const CONVOKE: &str = env!("CARGO_BIN_EXE_convoke");

/// The system's ssh cannot be asked for a key alone.
fn is_native() -> bool {
    let is_native = connector() == "ssh+native";
    if !is_native {
        eprintln!("skipped 1: only the native client looks at keys");
    }
    is_native
}

/// Without a terminal.
fn trust(operator: &Operator, fleet: &Fleet, words: &[&str]) -> Ran {
    let mut command = operator.command("setsid");
    command.args(["--wait", CONVOKE, "trust", "-F"]);
    command.arg(fleet.ssh_config()).args(words);
    Live::start(command).finish()
}

fn on_terminal(operator: &Operator, fleet: &Fleet, words: &[&str]) -> Console {
    let config = fleet.ssh_config();
    let begin = [CONVOKE, "trust", "-F", config.to_str().unwrap()];
    Console::start(operator, &[&begin, words].concat())
}

fn known(fleet: &Fleet) -> Vec<String> {
    let text = fs::read_to_string(fleet.known_hosts()).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What ssh-keygen calls a key of the fleet.
fn fingerprint(fleet: &Fleet) -> String {
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen
        .arg("-lf")
        .arg(fleet.directory().join("host_ed25519.pub"));
    let said = String::from_utf8(keygen.output().unwrap().stdout).unwrap();
    said.split_whitespace().nth(1).unwrap().to_owned()
}

/// The line that ssh writes for a host.
fn line(fleet: &Fleet, n: usize) -> String {
    let key = fs::read_to_string(fleet.directory().join("host_ed25519.pub")).unwrap();
    let words: Vec<_> = key.split_whitespace().take(2).collect();
    format!(
        "[{}]:{} {}",
        fleet.address(n),
        fleet.port(),
        words.join(" ")
    )
}

#[test]
fn unknown_keys_are_added_and_the_hosts_are_reached() {
    if !is_native() {
        return;
    }
    let fleet = Fleet::builder().known(Known::Unknown).start();
    let operator = Operator::new();
    let ran = trust(&operator, &fleet, &["--yes", "h[1-3]"]);
    let print = fingerprint(&fleet);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(said, format!("h[1-3] (3): unknown ssh-ed25519 {print}\n"));
    let file = fleet.known_hosts();
    assert_eq!(
        ran.stderr,
        format!("added 3 hosts to {}: h[1-3]\n", file.display())
    );
    let mut lines = known(&fleet);
    lines.sort();
    assert_eq!(lines, [1, 2, 3].map(|n| line(&fleet, n)));
    // Now they are known, to us and to ssh, and nothing is added again.
    let ran = trust(&operator, &fleet, &["h[1-3]", "--yes"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(String::from_utf8(ran.stdout).unwrap().contains("known"));
    assert_eq!(known(&fleet).len(), 3);
    assert_eq!(operator.run(&fleet, ["h[1-3]", "true"]).code, Some(0));
    assert!(fleet.ssh("h1").arg("true").status().unwrap().success());
    operator.end(&fleet);
}

#[test]
fn it_is_asked_once_and_the_fingerprint_is_an_answer() {
    if !is_native() {
        return;
    }
    let fleet = Fleet::builder().known(Known::Unknown).start();
    let operator = Operator::new();
    for (keys, code, lines) in [
        ("no\r".to_owned(), Some(1), 0),
        ("\r".to_owned(), Some(1), 0),
        (format!("{}\r", fingerprint(&fleet)), Some(0), 2),
    ] {
        let mut console = on_terminal(&operator, &fleet, &["h[1-2]"]);
        console.until("Trust 1 unknown key of 2 hosts (yes/no/[fingerprint])? ");
        console.press(&keys);
        let (text, ended) = console.finish();
        assert_eq!(ended, code, "{keys:?}");
        assert_eq!(text.matches("yes/no").count(), 1);
        assert_eq!(known(&fleet).len(), lines, "{keys:?}");
    }
    // Anything else is asked again.
    let mut console = on_terminal(&operator, &fleet, &["h3"]);
    console.until("(yes/no/[fingerprint])? ");
    console.press("y\r");
    console.until("Please type yes, no, [fingerprint]: ");
    console.press("YES\r");
    assert_eq!(console.finish().1, Some(0));
    assert_eq!(known(&fleet).len(), 3);
    operator.end(&fleet);
}

#[test]
fn the_operator_has_more_time_than_the_hosts() {
    if !is_native() {
        return;
    }
    let fleet = Fleet::builder()
        .known(Known::Unknown)
        .known_of(1, Known::Right)
        .start();
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]);
    assert!(keygen.arg(fleet.identity()).status().unwrap().success());
    let operator = Operator::new();
    let limit = Duration::from_secs(2);
    let words = ["--connect-timeout", "2s", "-o", "ProxyJump=h1", "h[2-3]"];
    let mut console = on_terminal(&operator, &fleet, &words);
    console.until("Enter passphrase for key '");
    // Longer than hosts have.
    std::thread::sleep(limit + Duration::from_millis(500));
    console.press("secret\r");
    console.until("of 2 hosts (yes/no/[fingerprint])? ");
    console.press("yes\r");
    let (text, code) = console.finish();
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(known(&fleet).len(), 3);
    operator.end(&fleet);
}

#[test]
fn keys_that_are_changed_or_revoked_are_left_alone() {
    if !is_native() {
        return;
    }
    let fleet = Fleet::builder()
        .known(Known::Unknown)
        .known_of(2, Known::Changed)
        .known_of(3, Known::Revoked)
        .known_of(4, Known::Right)
        .option("LogLevel DEBUG2")
        .start();
    let operator = Operator::new();
    let before = known(&fleet);
    let ran = trust(&operator, &fleet, &["--yes", "h[1-4]"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = String::from_utf8(ran.stdout).unwrap();
    let print = fingerprint(&fleet);
    assert_eq!(
        said,
        format!("h1: unknown ssh-ed25519 {print}\nh4: known ssh-ed25519 {print}\n")
    );
    let file = fleet.known_hosts().display().to_string();
    for words in [
        format!(
            "h2: not trusted (host_key_changed): the host key is not the known one in {file}:1: ssh-ed25519 {print}\n"
        ),
        format!(
            "h3: not trusted (host_key_revoked): the host key was revoked in {file}:2: ssh-ed25519 {print}\n"
        ),
        format!("added 1 host to {file}: h1\n"),
    ] {
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    }
    let after = known(&fleet);
    assert_eq!(after[..3], before[..]);
    assert_eq!(after[3..], [line(&fleet, 1)]);
    // Nobody began to log in.
    assert!(!fleet.log().contains("userauth-request"), "{}", fleet.log());
    operator.end(&fleet);
}

#[test]
fn names_are_hashed_and_types_chosen_as_ssh_would() {
    if !is_native() {
        return;
    }
    let kinds = [HostKey::Ecdsa, HostKey::Ed25519];
    let fleet = Fleet::builder()
        .host_keys(&kinds)
        .known(Known::Unknown)
        .start();
    let operator = Operator::new();
    let hashed = ["--yes", "-o", "HashKnownHosts=yes", "h1"];
    let ran = trust(&operator, &fleet, &hashed);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines = known(&fleet);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("|1|") && lines[0].contains(" ssh-ed25519 "),
        "{lines:?}"
    );
    assert!(fleet.ssh("h1").arg("true").status().unwrap().success());
    let other = ["--yes", "-o", "HostKeyAlgorithms=ecdsa-sha2-nistp256", "h2"];
    let ran = trust(&operator, &fleet, &other);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(known(&fleet)[1].contains(" ecdsa-sha2-nistp256 "));
    operator.end(&fleet);
}

#[test]
fn the_way_leads_over_jump_hosts() {
    if !is_native() {
        return;
    }
    let fleet = Fleet::builder()
        .known(Known::Unknown)
        .known_of(1, Known::Right)
        .start();
    let operator = Operator::new();
    // ssh hands its file, but none of these options, to the ssh of a jump.
    let ran = trust(
        &operator,
        &fleet,
        &["--yes", "-o", "ProxyJump=h1", "h[2-3]"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(known(&fleet)[1..].len(), 2);
    // The key of the jump host itself must be known.
    let ran = trust(&operator, &fleet, &["--yes", "-o", "ProxyJump=h4", "h5"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("through h4: "), "{}", ran.stderr);
    operator.end(&fleet);
}

#[test]
fn what_cannot_be_trusted_here_is_said_beforehand() {
    let fleet = Fleet::builder().known(Known::Unknown).start();
    let operator = Operator::new();
    for (words, told) in [
        (&["h1"][..], "there is no terminal to ask on"),
        (&["--yes", "local:a"], "local:a has no host key"),
        (&["--yes", "openssh:h1"], "is reached by the system's ssh"),
        (
            &["--yes", "h1", "-o", "VerifyHostKeyDNS=yes"],
            "does not serve ",
        ),
    ] {
        let ran = trust(&operator, &fleet, words);
        assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    assert!(known(&fleet).is_empty());
    operator.end(&fleet);
}

#[test]
fn a_file_that_cannot_be_written_is_a_failure() {
    if !is_native() {
        return;
    }
    let fleet = Fleet::builder().known(Known::Unknown).start();
    let operator = Operator::new();
    let option = "UserKnownHostsFile=/nonexistent/known_hosts";
    let ran = trust(&operator, &fleet, &["--yes", "-o", option, "h1"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("h1: failed to add the key"),
        "{}",
        ran.stderr
    );
    operator.end(&fleet);
}
