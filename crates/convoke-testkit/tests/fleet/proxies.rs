//! Ways that delay, count, cut and stall.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use convoke_testkit::fleet::{Direction, Fleet, Proxy};
use convoke_testkit::leak::Leaks;

use crate::{run, said};

/// Well above the time that sshd takes to answer, even on a busy machine.
const DELAY: Duration = Duration::from_millis(100);

fn through(fleet: &Fleet, proxy: &Proxy) -> std::process::Command {
    fleet.alias("way", proxy.address());
    fleet.ssh("way")
}

#[test]
fn every_trip_takes_the_delay_and_is_counted() {
    let fleet = Fleet::start();
    let proxy = fleet.slow(1, DELAY);
    let begin = Instant::now();
    assert_eq!(said(through(&fleet, &proxy).arg("echo far")), "far\n");
    let took = begin.elapsed();
    let counts = proxy.counts();
    println!("{counts:?} in {took:?}");
    let least = DELAY * u32::try_from(counts.trips).unwrap();
    // The last trip is that of a farewell that nobody waits for.
    assert!(took + 2 * DELAY >= least, "{took:?} for {counts:?}");
    assert_eq!(counts.connections, 1);
    // Banner, key exchange, service, two questions about the key, session, command: no less.
    assert!((10..=26).contains(&counts.trips), "{counts:?}");
}

#[test]
fn two_answers_take_one_round_trip_more() {
    let fleet = Fleet::start();
    let proxy = fleet.slow(1, DELAY);
    let mut ssh = through(&fleet, &proxy);
    ssh.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut ssh = ssh.spawn().unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    let mut stdout = BufReader::new(ssh.stdout.take().unwrap());
    let mut trips = Vec::new();
    for text in ["first\n", "again\n", "third\n"] {
        stdin.write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, text);
        trips.push(proxy.counts().trips);
    }
    drop(stdin);
    ssh.wait().unwrap();
    assert_eq!(
        [trips[1] - trips[0], trips[2] - trips[1]],
        [2, 2],
        "{trips:?}"
    );
}

#[test]
fn a_connection_is_cut_after_the_bytes_that_were_allowed() {
    let fleet = Fleet::start();
    for (direction, command) in [
        (Direction::Down, "yes | head -c 9999999"),
        (Direction::Up, "cat"),
    ] {
        let proxy = fleet.proxy(1).cut_after(direction, 20_000).start();
        let mut ssh = through(&fleet, &proxy);
        ssh.arg(command);
        let input = std::fs::File::open("/dev/zero").unwrap();
        let cut = ssh.stdin(input).output().unwrap();
        assert_eq!(cut.status.code(), Some(255), "{direction:?}");
        let stderr = String::from_utf8_lossy(&cut.stderr);
        assert!(
            stderr.contains("reset") || stderr.contains("Broken pipe"),
            "{stderr}"
        );
        let counts = proxy.counts();
        let count = match direction {
            Direction::Down => counts.down,
            Direction::Up => counts.up,
        };
        assert_eq!(count, 20_000);
    }
}

#[test]
fn a_cut_on_demand_ends_every_connection() {
    let fleet = Fleet::start();
    let proxy = fleet.proxy(1).start();
    let mut open: Vec<_> = (0..2)
        .map(|_| {
            let mut ssh = through(&fleet, &proxy);
            ssh.arg("echo up; exec sleep 4242")
                .stdin(Stdio::null())
                .stdout(Stdio::piped());
            let mut ssh = ssh.stderr(Stdio::null()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(ssh.stdout.take().unwrap())
                .read_line(&mut line)
                .unwrap();
            ssh
        })
        .collect();
    assert_eq!(proxy.counts().open, 2);
    proxy.cut();
    for ssh in &mut open {
        assert_eq!(ssh.wait().unwrap().code(), Some(255));
    }
    assert_eq!(said(through(&fleet, &proxy).arg("echo again")), "again\n");
}

#[test]
fn nothing_arrives_while_a_way_is_stalled() {
    let fleet = Fleet::start();
    let proxy = fleet.proxy(1).start();
    let mut ssh = through(&fleet, &proxy);
    ssh.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut ssh = ssh.spawn().unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    let mut lines = BufReader::new(ssh.stdout.take().unwrap()).lines();
    stdin.write_all(b"before\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "before");
    proxy.stall();
    let before = proxy.counts();
    stdin.write_all(b"after\n").unwrap();
    let new = run(through(&fleet, &proxy).args(["-o", "ConnectTimeout=1", "true"]));
    assert_eq!(new.status.code(), Some(255));
    assert_eq!(proxy.counts().up, before.up);
    assert_eq!(proxy.counts().down, before.down);
    proxy.resume();
    assert_eq!(lines.next().unwrap().unwrap(), "after");
    drop(stdin);
    assert!(ssh.wait().unwrap().success());
}

#[tokio::test]
async fn a_dropped_proxy_leaves_nothing() {
    let fleet = Fleet::start();
    let leaks = Leaks::begin();
    let proxy = fleet.proxy(1).start();
    let mut ssh = through(&fleet, &proxy);
    ssh.arg("exec sleep 4242")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let mut ssh = ssh.spawn().unwrap();
    while fleet.sessions() == 0 {
        tokio::task::yield_now().await;
    }
    drop(proxy);
    assert_eq!(ssh.wait().unwrap().code(), Some(255));
    leaks.end().await;
}
