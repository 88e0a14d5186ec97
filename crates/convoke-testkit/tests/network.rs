//! Packets are lost, bandwidth is small, and nothing of it is left behind.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use convoke_testkit::fleet::{Fleet, Unavailable};
use convoke_testkit::leak::Leaks;
use convoke_testkit::network::Network;

/// How long an answer may take on a busy machine, retransmissions included.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long we wait for an answer that is not to come.
const SILENCE: Duration = Duration::from_millis(500);

/// The network, or why the test is skipped.
fn network(started: Result<Network, Unavailable>) -> Option<Network> {
    match started {
        Ok(network) => Some(network),
        Err(unavailable) => {
            println!("skipped 1: {unavailable}");
            None
        }
    }
}

/// A `cat` on a host.
struct Echo {
    ssh: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Echo {
    fn open(fleet: &Fleet, host: &str) -> Self {
        let mut ssh = fleet.ssh(host);
        ssh.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut ssh = ssh.spawn().unwrap();
        let stdout = BufReader::new(ssh.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut lines = stdout.lines().map_while(Result::ok);
            lines.all(|line| sender.send(line).is_ok())
        });
        Echo {
            stdin: ssh.stdin.take().unwrap(),
            ssh,
            lines,
        }
    }

    fn say(&mut self, text: &str) {
        writeln!(self.stdin, "{text}").unwrap();
    }

    fn expect(&self, text: &str) {
        assert_eq!(self.lines.recv_timeout(PATIENCE).unwrap(), text);
    }

    fn expect_silence(&self) {
        let heard = self.lines.recv_timeout(SILENCE);
        assert_eq!(heard, Err(RecvTimeoutError::Timeout));
    }

    fn close(mut self) {
        drop(self.stdin);
        assert!(self.ssh.wait().unwrap().success());
    }
}

#[test]
fn its_hosts_answer() {
    let begin = Instant::now();
    let Some(network) = network(Network::start()) else {
        return;
    };
    println!("started in {:?}", begin.elapsed());
    for host in ["h1", "h40"] {
        let output = network
            .fleet()
            .ssh(host)
            .arg("echo $SSH_CONNECTION")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.starts_with(&format!("{} ", network.here())),
            "{output:?}"
        );
    }
}

#[test]
fn a_host_whose_packets_are_lost_is_silent_and_the_others_go_on() {
    let Some(network) = network(Network::start()) else {
        return;
    };
    let fleet = network.fleet();
    let (mut lost, mut other) = (Echo::open(fleet, "h1"), Echo::open(fleet, "h2"));
    for echo in [&mut lost, &mut other] {
        echo.say("before");
        echo.expect("before");
    }
    network.lose(1, true);
    for echo in [&mut lost, &mut other] {
        echo.say("meanwhile");
    }
    other.expect("meanwhile");
    lost.expect_silence();
    let new = fleet
        .ssh("h1")
        .args(["-o", "ConnectTimeout=1", "true"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&new.stderr);
    assert!(stderr.contains("Connection timed out"), "{stderr}");
    network.lose(1, false);
    lost.expect("meanwhile");
    lost.close();
    other.close();
}

#[test]
fn a_pulled_cable_silences_all() {
    let Some(network) = network(Network::start()) else {
        return;
    };
    let mut echo = Echo::open(network.fleet(), "h1");
    echo.say("before");
    echo.expect("before");
    network.unplug(true);
    echo.say("meanwhile");
    echo.expect_silence();
    network.unplug(false);
    echo.expect("meanwhile");
    echo.close();
}

#[test]
fn bandwidth_is_limited_in_both_directions() {
    let Some(network) = network(Network::start()) else {
        return;
    };
    if let Err(unavailable) = network.limit("8mbit") {
        println!("skipped 1: {unavailable}");
        return;
    }
    // A megabyte each, at a megabyte a second.
    for command in ["head -c 1000000 /dev/zero", "cat >/dev/null"] {
        let input = network.fleet().directory().join("megabyte");
        std::fs::write(&input, vec![0; 1_000_000]).unwrap();
        let mut ssh = network.fleet().ssh("h1");
        ssh.arg(command).stdin(std::fs::File::open(input).unwrap());
        let begin = Instant::now();
        assert!(ssh.output().unwrap().status.success());
        let took = begin.elapsed();
        println!("{command}: {took:?}");
        assert!(took > Duration::from_millis(800), "{command}: {took:?}");
    }
}

#[tokio::test]
async fn a_dropped_network_leaves_nothing() {
    let leaks = Leaks::begin();
    let Some(network) = network(Network::start()) else {
        return;
    };
    let here = network.here().to_string();
    let addresses = || {
        let ip = Command::new("ip").args(["-4", "address"]).output().unwrap();
        String::from_utf8(ip.stdout).unwrap()
    };
    assert!(addresses().contains(&here));
    drop(network);
    assert!(!addresses().contains(&here));
    leaks.end().await;
}

#[test]
fn two_networks_run_beside_each_other() {
    let (Some(first), Some(second)) = (network(Network::start()), network(Network::start())) else {
        return;
    };
    assert_ne!(first.here(), second.here());
    for network in [&first, &second] {
        let output = network.fleet().ssh("h7").arg("echo in").output().unwrap();
        assert_eq!(output.stdout, b"in\n", "{output:?}");
    }
}
