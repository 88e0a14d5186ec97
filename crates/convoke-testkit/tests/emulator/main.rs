//! Emulated hosts are what they say: tried with the native client and with the system's `ssh`.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::agents::Agents;
use convoke::host::{Connection, Host, Reach};
use convoke_connect::connector::Connector;
use convoke_connect::registry::Registry;
use convoke_connect::ssh::{Native, SshOptions};
use convoke_connect::surroundings::Surroundings;
use convoke_testkit::conformance::{self, CHECKS, FarEnd, Needs, Subject};
use convoke_testkit::emulator::{Emulator, Faults};
use convoke_testkit::leak::Leaks;

/// How long a busy machine may take for what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(emulator: &Emulator) -> SshOptions {
    SshOptions {
        config: Some(emulator.ssh_config()),
        ..SshOptions::default()
    }
}

fn ssh(emulator: &Emulator, words: &[&str]) -> Output {
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(emulator.ssh_config()).args(words);
    ssh.stdin(Stdio::null()).output().unwrap()
}

/// Waits until every connection has ended on the hosts' side, too.
fn alone(emulator: &Emulator) {
    let deadline = Instant::now() + PATIENCE;
    while emulator.counts().open > 0 {
        assert!(Instant::now() < deadline, "{:?}", emulator.counts());
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn an_emulated_host_conforms_where_no_shell_is_needed() {
    let emulator = Emulator::builder().start().unwrap();
    let native: Arc<dyn Connector> = Arc::new(Native::new(options(&emulator)));
    let subject = Subject {
        connector: native,
        endpoint: "ssh+native:h1".parse().unwrap(),
        far_end: FarEnd::Cat,
    };
    let skipped = conformance::all(&subject).await;
    let with_cat = CHECKS.iter().filter(|check| check.needs == Needs::Cat);
    assert_eq!(skipped.len(), CHECKS.len() - with_cat.count());
    drop(subject);
    alone(&emulator);
}

#[test]
fn every_host_has_its_own_name_for_ssh() {
    let emulator = Emulator::builder().hosts(600).start().unwrap();
    for host in ["h1", "h251", "h600"] {
        let output = ssh(&emulator, &[host, "hostname"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!((said, output.status.code()), (format!("{host}\n"), Some(0)));
    }
    alone(&emulator);
}

#[test]
fn ssh_is_told_what_a_host_does_not_have() {
    let emulator = Emulator::builder().start().unwrap();
    for (words, code, text) in [
        (&["h1", "uptime"][..], 127, "uptime: not found"),
        (&["h1"], 1, "it has no shell, give it a command"),
        (&["h1", "exit 7"], 7, ""),
    ] {
        let output = ssh(&emulator, words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(text), "{words:?}: {stderr}");
    }
}

#[test]
fn another_key_is_not_let_in_unless_everybody_is() {
    let closed = Emulator::builder().start().unwrap();
    let open = Emulator::builder().open().start().unwrap();
    // Each would like the key of the other.
    for (emulator, other, text) in [
        (&closed, &open, "Permission denied (publickey"),
        (&open, &closed, ""),
    ] {
        let mut ssh = Command::new("ssh");
        ssh.arg("-i").arg(other.directory().join("identity"));
        ssh.args([
            "-F",
            "none",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
        ]);
        ssh.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ]);
        ssh.arg("-p").arg(emulator.port().to_string());
        let address = emulator.address(1).to_string();
        let output = ssh.args([&address, "exit 7"]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = if text.is_empty() { 7 } else { 255 };
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(text), "{stderr}");
    }
}

#[test]
fn a_delay_is_felt_in_each_direction() {
    let delay = Duration::from_millis(40);
    let emulator = Emulator::builder().delay(delay).start().unwrap();
    let began = Instant::now();
    assert_eq!(ssh(&emulator, &["h1", "hostname"]).stdout, b"h1\n");
    // Greeting, two for the keys, service, key, channel, command.
    assert!(began.elapsed() > 12 * delay, "{:?}", began.elapsed());
}

#[test]
fn hosts_fail_as_they_are_told_to() {
    let faults = Faults {
        refuse: 1,
        hang: 1,
        drop: 0,
    };
    let emulator = Emulator::builder().faults(faults).start().unwrap();
    let patience = ["-o", "ConnectTimeout=1"];
    for (host, text) in [("h1", "reset by peer"), ("h2", "timed out")] {
        let output = ssh(&emulator, &[&patience[..], &[host, "true"]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(text), "{host}: {stderr}");
    }
    assert_eq!(ssh(&emulator, &["h3", "hostname"]).stdout, b"h3\n");
}

#[tokio::test]
async fn an_emulated_agent_answers_requests_and_leaves_when_it_is_told() {
    let leaks = Leaks::begin();
    let emulator = Emulator::builder().start().unwrap();
    let mut reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
    reach.registry = Registry::with_ssh(options(&emulator));
    let host = Host::new("ssh+native:h9").unwrap();
    let connection = Connection::open(&host, &reach).await.unwrap();
    for _ in 0..100 {
        connection.link().noop().await.unwrap();
    }
    connection.close().await;
    alone(&emulator);
    drop((emulator, reach));
    leaks.end().await;
}

#[test]
fn nothing_is_left_of_an_emulator() {
    let emulator = Emulator::builder().start().unwrap();
    let directory = emulator.directory().to_owned();
    let port = emulator.port();
    assert!(directory.exists());
    drop(emulator);
    assert!(!directory.exists());
    std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
}
