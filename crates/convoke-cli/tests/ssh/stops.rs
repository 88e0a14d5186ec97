//! The operator stops a run, or what runs it dies.

use std::fs;
use std::thread;
use std::time::Duration;

use convoke_testkit::fleet::Fleet;
use rustix::process::Signal;

use crate::connector;
use crate::is_full;
use crate::live::Live;
use crate::operator::{Operator, at_rest, eventually, within};

/// A tree that does not want to end, and lives in two sessions.
const STUBBORN: &str = "trap '' TERM; setsid -f sh -c 'trap \"\" TERM; while :; do sleep 1; done'; \
     echo ready; while :; do sleep 1; done";

fn begin(operator: &Operator, fleet: &Fleet, line: &str) -> Live {
    let live = operator.begin(fleet, ["--grace", "2s", "h[1-3]", "--sh", line]);
    live.until_said("ready", 3);
    live
}

#[test]
fn an_interrupt_shows_what_was_gathered_and_ends_what_runs() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let line =
        "case $SSH_CONNECTION in *.2\\ *) echo came; exit;; esac; echo part; exec sleep 4321";
    let words = ["-b", "--outdir", "out", "h[2-4]", "--sh", line];
    let live = operator.begin(&fleet, words);
    for (file, text) in [
        ("out/h2/outcome.json", "exited"),
        ("out/h3/stdout", "part"),
        ("out/h4/stdout", "part"),
    ] {
        let holds = |text: &str| {
            let kept = fs::read_to_string(operator.path(file));
            kept.is_ok_and(|kept| kept.contains(text))
        };
        eventually(|| format!("{file} does not come"), || holds(text));
    }
    live.send(Signal::INT);
    let ran = live.finish();
    let expected = "h2 (1)\n  came\nh[3-4] (2): cancelled\n  part\n";
    assert_eq!((ran.code, ran.text()), (Some(130), expected));
    assert!(ran.stderr.contains("3 hosts: 1 ok, 2 cancelled\n"));
    operator.end(&fleet);
}

#[test]
fn each_signal_ends_the_trees_and_has_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (operator, fleet) = (Operator::new(), Fleet::start());
        let live = begin(
            &operator,
            &fleet,
            "echo ready; setsid -f sleep 4321; sleep 4321",
        );
        live.send(signal);
        let ran = live.finish();
        assert_eq!(ran.code, Some(code));
        assert!(ran.stderr.contains("3 hosts: 3 cancelled"));
        operator.end(&fleet);
    }
}

#[test]
fn a_second_interrupt_leaves_at_once_and_the_hosts_end_what_runs() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let live = operator.begin(&fleet, ["--grace", "5s", "h[1-3]", "--sh", STUBBORN]);
    live.until_said("ready", 3);
    live.send(Signal::INT);
    live.until_told("Ctrl-C again leaves at once");
    let first = live.age();
    live.send(Signal::INT);
    let ran = live.finish();
    assert_eq!(ran.code, Some(130));
    assert!(
        ran.took - first < Duration::from_secs(4),
        "it waited for the grace"
    );
    assert!(
        ran.stderr
            .ends_with("left at once; the hosts end what runs\n")
    );
    // They still run when nobody waits for them any more, and are ended at the end of the grace.
    assert!(fleet.processes().len() > 1);
    operator.end(&fleet);
}

#[test]
fn a_killed_controller_leaves_no_ssh_and_no_tree() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let live = begin(&operator, &fleet, STUBBORN);
    live.send(Signal::KILL);
    assert_eq!(live.finish().signal, Some(9));
    let left = || format!("left: {:?}", operator.processes());
    within(Duration::from_secs(20), left, || {
        operator.processes().is_empty()
    });
    at_rest(&fleet, 1);
    operator.end(&fleet);
}

#[test]
fn an_interrupt_while_hosts_are_connected_leaves_nothing() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let hanging = fleet.hanging();
    fleet.alias("hanging", hanging.address());
    let live = operator.begin(&fleet, ["hanging,h1", "echo", "hi"]);
    live.until_said("hi", 1);
    live.send(Signal::INT);
    let ran = live.finish();
    assert_eq!(ran.code, Some(130));
    assert!(ran.stderr.contains("hanging: cancelled before it started"));
    operator.end(&fleet);
}

/// From before the first packet to the middle of the command, with and without an agent on the hosts.
#[test]
fn a_controller_stopped_at_any_moment_leaves_nothing() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let cache = fleet.home(1).join(".cache");
    let line = "echo ready; exec sleep 4321";
    let live = operator.begin(&fleet, ["--grace", "1s", "h[1-3]", "--sh", line]);
    live.until_said("ready", 3);
    let span = live.age() * 5 / 4;
    live.send(Signal::KILL);
    live.finish();
    let rounds = if is_full() { 100 } else { 10 };
    for round in 0..rounds {
        let signal = if round % 4 < 2 {
            Signal::KILL
        } else {
            Signal::INT
        };
        at_rest(&fleet, 1);
        if round % 2 == 0 {
            fs::remove_dir_all(&cache).unwrap();
            fs::create_dir(&cache).unwrap();
        }
        let live = operator.begin(&fleet, ["--grace", "1s", "h[1-3]", "--sh", line]);
        let moment = span * round / rounds;
        thread::sleep(moment); // The moment is what is tested.
        live.send(signal);
        let ran = live.finish();
        eprintln!("{signal:?} after {moment:?}");
        // Before it listens for signals, one ends it as any program.
        let interrupted = ran.code == Some(130) || ran.signal == Some(2);
        assert!(interrupted || ran.signal == Some(9));
        operator.is_left();
        at_rest(&fleet, 1);
        let left = fs::read_dir(cache.join("convoke")).into_iter().flatten();
        let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let others: Vec<_> = names.filter(|name| !name.starts_with("agent-")).collect();
        assert_eq!(others, [""; 0], "{signal:?} after {moment:?}");
    }
    operator.end(&fleet);
}

/// A program on the way that ends with nothing but KILL, and its child.
const STUBBORN_WAY: &str =
    "trap '' TERM HUP; sh -c \"trap '' TERM; while :; do sleep 1; done\" child &
: > \"$1\"; while :; do sleep 1; done";

#[test]
fn no_program_on_the_way_outlives_the_run_however_it_ends() {
    if connector() == "openssh" {
        eprintln!("skipped 1: what the system's ssh starts is ended by that");
        return;
    }
    for ends in ["late", "stopped", "left"] {
        let (operator, fleet) = (Operator::new(), Fleet::start());
        let script = operator.file("way.sh", STUBBORN_WAY);
        let begun = operator.path("begun");
        let way = format!("ProxyCommand=sh {script} {}", begun.display());
        let limit = if ends == "late" { "2s" } else { "60s" };
        let words = ["--connect-timeout", limit, "-o", &way, "h1", "true"];
        let live = operator.begin(&fleet, words);
        eventually(|| "it does not begin".to_owned(), || begun.exists());
        if ends != "late" {
            live.send(Signal::INT);
        }
        if ends == "left" {
            live.send(Signal::INT);
        }
        live.finish();
        within(
            Duration::from_secs(3),
            || format!("{ends}: left behind {:?}", operator.processes()),
            || operator.processes().is_empty(),
        );
        operator.end(&fleet);
    }
}
