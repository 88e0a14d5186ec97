//! What is left of a fleet: nothing.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use convoke_testkit::fleet::Fleet;
use convoke_testkit::leak::Leaks;

use crate::{run, said};

/// How long it may take until nothing is left, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A variable that makes this program the owner of a fleet, for the test that kills it.
const OWNER: &str = "CONVOKE_TEST_OWNS_A_FLEET";

/// What stays on a host when its session ends.
const DAEMON: &str = "setsid sleep 4242 >/dev/null 2>&1 </dev/null &";

/// The same with nothing in its environment that tells where it came from.
const NAMELESS: &str = "env -i setsid sleep 4243 >/dev/null 2>&1 </dev/null &";

/// Leaves daemons on a host; without a namespace nobody can find the nameless one again.
fn leave_daemons(fleet: &Fleet) -> usize {
    let mut line = format!("{DAEMON} echo left");
    let is_isolated = fleet.is_isolated();
    if is_isolated {
        line.insert_str(0, NAMELESS);
    } else {
        println!("skipped 1: finding a daemon without an environment takes a namespace");
    }
    assert_eq!(said(fleet.ssh("h1").arg(line)), "left\n");
    if is_isolated { 2 } else { 1 }
}

fn wait_until(claim: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{claim} does not become true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn mounts() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[tokio::test]
async fn a_dropped_fleet_leaves_nothing() {
    let leaks = Leaks::begin();
    let mounts_before = mounts();
    let fleet = Fleet::builder()
        .environment("CONVOKE_TEST", &mark(&leaks))
        .small_disk()
        .start();
    let daemons = leave_daemons(&fleet);
    let mut open = fleet.ssh("h2");
    open.arg("echo up; exec sleep 4244").stdin(Stdio::null());
    let mut open = open.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(open.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let processes = fleet.processes();
    // The sshd, one for the connection, its command, and what was left behind.
    assert!(processes.len() >= 3 + daemons, "{processes:?}");
    let directory = fleet.directory().to_owned();
    drop(fleet);
    let left: Vec<_> = processes.into_iter().filter(|pid| lives(*pid)).collect();
    assert_eq!(left, [] as [u32; 0]);
    assert!(!directory.exists());
    assert_eq!(mounts(), mounts_before);
    open.wait().unwrap();
    leaks.end().await;
}

fn mark(leaks: &Leaks) -> String {
    leaks.mark().1.into_string().unwrap()
}

#[test]
fn nothing_is_left_when_the_owner_is_killed() {
    if std::env::var_os(OWNER).is_some() {
        let fleet = Fleet::builder().small_disk().start();
        leave_daemons(&fleet);
        let processes = fleet.processes();
        println!("\nowned {} {processes:?}", fleet.directory().display());
        loop {
            std::thread::park();
        }
    }
    let mut owner = Command::new(std::env::current_exe().unwrap());
    owner.args([
        "--exact",
        "life::nothing_is_left_when_the_owner_is_killed",
        "--nocapture",
    ]);
    let mut owner = owner
        .env(OWNER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let line = lines.find(|line| line.starts_with("owned ")).unwrap();
    let mut words = line.splitn(3, ' ').skip(1);
    let directory = PathBuf::from(words.next().unwrap());
    let pids = words.next().unwrap().trim_matches(['[', ']']);
    let pids: Vec<u32> = pids.split(", ").map(|pid| pid.parse().unwrap()).collect();
    // The session that left them is about to end by itself.
    let living = pids.iter().filter(|pid| lives(**pid)).count();
    let existed = directory.exists();
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(existed && living >= 2, "{line}");
    wait_until("no process lives", || !pids.iter().any(|pid| lives(*pid)));
    wait_until("no directory", || !directory.exists());
}

#[test]
fn killed_sessions_end_and_the_next_one_works() {
    let fleet = Fleet::start();
    assert_eq!(fleet.sessions(), 0);
    let clients: Vec<_> = ["h1", "h2"]
        .map(|host| {
            let mut ssh = fleet.ssh(host);
            ssh.arg("exec sleep 4242").stdin(Stdio::null());
            ssh.stderr(Stdio::null()).spawn().unwrap()
        })
        .into();
    wait_until("two sessions", || fleet.sessions() == 2);
    fleet.kill_sessions();
    assert_eq!(fleet.sessions(), 0);
    for mut client in clients {
        assert_eq!(client.wait().unwrap().code(), Some(255));
    }
    assert_eq!(said(fleet.ssh("h1").arg("echo again")), "again\n");
}

#[test]
fn a_killed_sshd_refuses_until_it_is_started_again() {
    let mut fleet = Fleet::start();
    fleet.kill_sshd();
    let refused = run(fleet.ssh("h1").arg("true"));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("Connection refused"), "{stderr}");
    fleet.restart_sshd();
    assert_eq!(said(fleet.ssh("h1").arg("echo again")), "again\n");
    assert!(
        fleet.log().contains("Accepted publickey"),
        "{}",
        fleet.log()
    );
}
