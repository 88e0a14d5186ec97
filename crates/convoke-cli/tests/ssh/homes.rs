//! Where the agent is kept: in homes that cannot be written, that are many, or that two share.

use std::fs;
use std::process::Command;

use convoke_testkit::fleet::Fleet;

use crate::available;
use crate::operator::Operator;

/// The names of the files in the cache below a home.
fn cached(fleet: &Fleet, host: usize) -> Vec<String> {
    let cache = fleet.home(host).join(".cache/convoke");
    let entries = fs::read_dir(cache).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// Runs something in the mounts of the hosts.
fn inside(fleet: &Fleet, words: &[&str]) {
    let pid = fleet.processes()[0].to_string();
    let mut nsenter = Command::new("nsenter");
    let status = nsenter
        .args(["--mount", "--target", &pid, "--"])
        .args(words)
        .status();
    assert!(status.unwrap().success(), "{words:?}");
}

#[test]
fn a_home_that_cannot_be_written_is_passed_over() {
    let Some(fleet) = available(Fleet::builder().read_only_home().try_start()) else {
        return;
    };
    let operator = Operator::new();
    for agent in ["sent", "cached"] {
        let ran = operator.run(&fleet, ["--json", "h1", "--sh", "ls -d /var/tmp/convoke-*"]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.text().contains(&format!("\"agent\":\"{agent}\"")));
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(
            ran.stream("h1", "stdout"),
            format!("/var/tmp/convoke-{uid}\n")
        );
    }
    assert!(!fleet.home(1).join(".cache").exists());
    operator.end(&fleet);
}

#[test]
fn without_any_place_each_is_named_with_its_reason() {
    let Some(fleet) = available(Fleet::builder().read_only_home().try_start()) else {
        return;
    };
    if !fleet.is_isolated() {
        eprintln!("skipped 1: places that cannot be written take a mount namespace");
        return;
    }
    let operator = Operator::new();
    for shared in ["/var/tmp", "/dev/shm"] {
        inside(&fleet, &["mount", "-o", "remount,ro", shared]);
    }
    let ran = operator.run(&fleet, ["h[1-2]", "true"]);
    assert_eq!((ran.code, ran.text()), (Some(3), ""));
    let first = "2 hosts: 2 unreachable\n  h[1-2] (2): unreachable (no_place): ";
    assert!(ran.stderr.starts_with(first));
    for place in [".cache/convoke", "/var/tmp/convoke-", "/dev/shm/convoke-"] {
        assert!(ran.stderr.contains(place), "{place}");
    }
    operator.end(&fleet);
}

#[test]
fn two_controllers_at_once_share_a_cold_cache() {
    let fleet = Fleet::start();
    let operators = [Operator::new(), Operator::new()];
    let live = operators
        .each_ref()
        .map(|operator| operator.begin(&fleet, ["h[1-5]", "echo", "hi"]));
    for live in live {
        let ran = live.finish();
        assert_eq!(
            (ran.code, ran.text().matches(": hi\n").count()),
            (Some(0), 5)
        );
    }
    let cached = cached(&fleet, 1);
    assert!(
        cached.len() == 1 && cached[0].starts_with("agent-"),
        "{cached:?}"
    );
    for operator in operators {
        operator.end(&fleet);
    }
}

#[test]
fn each_home_gets_the_agent_once() {
    let (operator, fleet) = (Operator::new(), Fleet::builder().separate_homes().start());
    for agent in ["sent", "cached"] {
        let ran = operator.run(&fleet, ["--json", "h[1-20]", "true"]);
        assert_eq!(ran.code, Some(0));
        let told = format!("\"agent\":\"{agent}\"");
        assert_eq!(ran.text().matches(&told).count(), 20);
    }
    for host in 1..=20 {
        assert_eq!(cached(&fleet, host).len(), 1);
    }
    operator.end(&fleet);
}
