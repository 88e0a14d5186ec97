//! Connections that break while a command runs.

use std::fs;
use std::time::Duration;

use convoke_testkit::fleet::Fleet;
use convoke_testkit::network::Network;

use crate::available;
use crate::operator::{Operator, at_rest, command_lines, eventually};

/// Goes on saying things until a file is there. Its tree does not want to end.
const TREE: &str = "trap '' TERM; setsid -f sh -c 'trap \"\" TERM; while :; do sleep 1; done'; \
     echo ready; until [ -e \"$1\" ]; do sleep 0.05; done; echo went on";

/// How many processes there are whose command line holds `text`.
fn count(fleet: &Fleet, text: &str) -> usize {
    let lines = command_lines(&fleet.processes());
    lines.iter().filter(|line| line.contains(text)).count()
}

#[test]
fn a_host_whose_packets_are_lost_is_lost_and_the_others_go_on() {
    let Some(network) = available(Network::start()) else {
        return;
    };
    let (operator, fleet) = (Operator::new(), network.fleet());
    let file = fleet.directory().join("go on");
    let line = "echo ready; until [ -e \"$1\" ]; do sleep 0.05; done; echo went on; \
         case $SSH_CONNECTION in *.1\\ *) exec sleep 4321;; esac";
    let words = ["--json", "--timeout", "33s", "h[1-3]", "--sh", line, "--"];
    let live = operator.begin(
        fleet,
        words.iter().map(|w| w.as_ref()).chain([file.as_os_str()]),
    );
    live.until_said("ready", 3);
    network.lose(1, true);
    let lost = live.age();
    fs::write(&file, "").unwrap();
    live.until_said("went on", 2);
    assert!(
        live.age() - lost < Duration::from_secs(20),
        "the others were kept"
    );
    let runs = |count| {
        let found = || format!("{:?}", command_lines(&fleet.processes()));
        eventually(found, || self::count(fleet, "sleep 4321") == count);
    };
    runs(1);
    let ran = live.finish();
    assert_eq!(ran.code, Some(3));
    let outcome = ran.outcome("h1");
    assert_eq!(outcome["outcome"], "lost", "{outcome}");
    assert_eq!(outcome["fate"], "ends_by", "{outcome}");
    for host in ["h2", "h3"] {
        assert_eq!(ran.outcome(host)["ok"], true);
    }
    // The last byte was heard up to a ping before.
    let silence = (ran.took - lost).as_secs();
    assert!((19..=45).contains(&silence), "{silence} s");
    assert!(
        ran.stderr.contains("3 hosts: 2 ok, 1 lost"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("; may still run until "),
        "{}",
        ran.stderr
    );
    // The host does not know, and ends the command at its limit all the same.
    runs(0);
    operator.is_left();
    fleet.kill_sessions();
    operator.end(fleet);
}

#[test]
fn killed_connections_lose_the_hosts_and_end_their_trees_within_the_grace() {
    for kill in [Fleet::kill_sessions, Fleet::kill_sshd] {
        let (operator, fleet) = (Operator::new(), Fleet::start());
        let words = [
            "--json",
            "--grace",
            "1s",
            "h[1-2]",
            "--sh",
            TREE,
            "--",
            "/nonexistent",
        ];
        let live = operator.begin(&fleet, words);
        live.until_said("ready", 2);
        kill(&fleet);
        let ran = live.finish();
        assert_eq!(ran.code, Some(3));
        for host in ["h1", "h2"] {
            let outcome = ran.outcome(host);
            assert_eq!(outcome["outcome"], "lost", "{outcome}");
            // Nobody can tell from here whether an agent ended or a connection.
            assert_eq!(outcome["fate"], "unknown", "{outcome}");
            assert_eq!(ran.stream(host, "stdout"), "ready\n");
        }
        assert!(
            ran.stderr.contains("2 hosts: 2 lost\n  h[1-2] (2): lost: "),
            "{}",
            ran.stderr
        );
        // Much sooner than an agent that hears nothing would give up.
        let listening = fleet
            .ssh("h1")
            .arg("true")
            .output()
            .unwrap()
            .status
            .success();
        at_rest(&fleet, usize::from(listening));
        operator.is_left();
    }
}

/// What a host says before it is lost, and what is read of it in the end.
#[test]
fn what_a_lost_host_has_said_is_shown_in_every_form() {
    for (mode, expected) in [
        (&["h1"][..], "ready\n"),
        (&["h[1-2]"], "h1: ready\nh2: ready\n"),
        (
            &["-b", "h[1-2]"],
            "  ready\nh[1-2] (2): lost: the connection was closed; whether it still runs is unknown\n",
        ),
    ] {
        let (operator, fleet) = (Operator::new(), Fleet::start());
        let line = "echo ready; exec sleep 4321";
        let words = [&["--outdir", "out"], mode, &["--sh", line]].concat();
        let live = operator.begin(&fleet, words);
        let hosts = if mode == ["h1"] { 1 } else { 2 };
        for n in 1..=hosts {
            let kept = operator.path(&format!("out/h{n}/stdout"));
            let nothing = || format!("h{n} says nothing");
            eventually(nothing, || {
                fs::read(&kept).is_ok_and(|kept| kept == b"ready\n")
            });
        }
        fleet.kill_sessions();
        let ran = live.finish();
        assert_eq!(ran.code, Some(3));
        let mut lines: Vec<&str> = ran.text().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines.join("\n") + "\n", expected);
        operator.end(&fleet);
    }
}
