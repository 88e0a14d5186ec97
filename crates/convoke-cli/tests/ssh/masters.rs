//! Servers that allow one session a connection, and masters of the operator that carry many.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use convoke_testkit::fleet::{Builder, Fleet};

use crate::operator::{Operator, at_rest, eventually};

/// A master that the operator started, and what it does meanwhile.
struct Master<'a> {
    fleet: &'a Fleet,
    ssh: Child,
}

impl<'a> Master<'a> {
    /// Starts it for `h1`; a command may keep its first session.
    fn start(operator: &Operator, fleet: &'a Fleet, words: &[&str]) -> Self {
        let mut ssh = operator.command("ssh");
        ssh.arg("-F")
            .arg(fleet.ssh_config())
            .args(["-M", "h1"])
            .args(words);
        let ssh = ssh.stdout(Stdio::null()).spawn().unwrap();
        let master = Master { fleet, ssh };
        eventually(|| "no master".into(), || master.is_alive());
        master
    }

    fn control(&self, word: &str) -> bool {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F")
            .arg(self.fleet.ssh_config())
            .args(["-O", word, "h1"]);
        ssh.output().unwrap().status.success()
    }

    fn is_alive(&self) -> bool {
        self.control("check")
    }

    fn end(mut self) {
        assert!(self.control("exit"));
        self.ssh.wait().unwrap();
    }
}

/// A client that shares connections wherever it can, below `directory`.
fn sharing(directory: &Path) -> Builder {
    Fleet::builder()
        .max_sessions(1)
        .client_option(&format!("ControlPath {}/%n", directory.display()))
        .client_option("ControlMaster auto")
        .client_option("ControlPersist yes")
}

#[test]
fn one_session_a_connection_is_enough() {
    let (operator, fleet) = (Operator::new(), Fleet::builder().max_sessions(1).start());
    for _ in 0..2 {
        let ran = operator.run(&fleet, ["h[1-3]", "echo", "hi"]);
        assert_eq!(
            (ran.code, ran.text().matches(": hi\n").count()),
            (Some(0), 3)
        );
    }
    operator.end(&fleet);
}

#[test]
fn a_live_master_is_used_and_lives_on() {
    let operator = Operator::new();
    let fleet = sharing(&operator.path("")).start();
    let master = Master::start(&operator, &fleet, &["-N"]);
    for _ in 0..2 {
        let ran = operator.run(&fleet, ["-b", "h[1-2]", "echo", "hi"]);
        assert_eq!((ran.code, ran.text()), (Some(0), "h[1-2] (2)\n  hi\n"));
    }
    // One of the master and two of h2.
    assert_eq!(fleet.log().matches("Accepted publickey").count(), 3);
    assert!(master.is_alive());
    assert!(!operator.path("h2").exists(), "a master was started");
    master.end();
    operator.end(&fleet);
}

#[test]
fn a_master_without_room_is_passed_by() {
    let operator = Operator::new();
    let fleet = sharing(&operator.path("")).start();
    let master = Master::start(&operator, &fleet, &["exec sleep 4321"]);
    let sleeps = || fleet.processes().len() >= 3;
    eventually(|| "the session does not begin".into(), sleeps);
    let ran = operator.run(&fleet, ["h1", "--sh", "echo hi; echo err >&2"]);
    assert_eq!(
        (ran.code, ran.text(), ran.stderr.as_str()),
        (Some(0), "hi\n", "err\n")
    );
    assert!(master.is_alive());
    master.end();
    operator.is_left();
    // What the master ran hears nothing of its end.
    fleet.kill_sshd();
    at_rest(&fleet, 1);
}

#[test]
fn an_interrupted_run_leaves_the_master_alone() {
    use rustix::process::Signal;
    let operator = Operator::new();
    let fleet = sharing(&operator.path("")).start();
    let master = Master::start(&operator, &fleet, &["-N"]);
    let before = fleet.processes().len();
    let live = operator.begin(&fleet, ["h1", "--sh", "echo ready; exec sleep 4321"]);
    live.until_said("ready", 1);
    live.send(Signal::INT);
    assert_eq!(live.finish().code, Some(130));
    at_rest(&fleet, before);
    assert!(master.is_alive());
    master.end();
    operator.end(&fleet);
}
