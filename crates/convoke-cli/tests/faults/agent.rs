//! The agent's processes are killed in the middle of a command.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::live::{Live, Ran};
use crate::place::Place;
use crate::processes::{is_alive, send};

/// How much longer than the grace everything may take on a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(8);

const OBEDIENT: &str = "sleep 1000 & setsid -f sleep 1000; echo ready; wait";
const STUBBORN: &str = "trap '' TERM; sleep 1000 & setsid -f sleep 1000; echo ready; \
                        while :; do wait; done";

fn start(place: &Place, grace: &str, line: &str) -> Live {
    let live = place.start(["--json", "--grace", grace, "local:a", "--sh", line]);
    live.until_said("ready", 1);
    live
}

fn assert_lost(ran: &Ran, fate: &str) {
    let outcome = ran.outcome("local:a");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(outcome["outcome"], "lost");
    assert_eq!(outcome["fate"], fate, "{outcome}");
    assert!(ran.stderr.contains("lost"), "{}", ran.stderr);
}

#[test]
fn a_killed_worker_is_lost_and_its_guard_ends_the_children() {
    let place = Place::warm();
    let live = start(&place, "10s", OBEDIENT);
    let (worker, _) = live.agent("local:a");
    send(worker, Signal::KILL);
    let ran = live.finish();
    assert_lost(&ran, "ended");
    assert!(ran.took < Duration::from_secs(8), "{:?}", ran.took);
    assert!(
        place.steps().is_empty(),
        "the report says that it has ended"
    );
    place.end();
}

#[test]
fn the_guard_of_a_killed_worker_kills_what_ignores_term_after_the_grace() {
    let place = Place::warm();
    let live = start(&place, "2s", STUBBORN);
    let (worker, _) = live.agent("local:a");
    let begun = Instant::now();
    send(worker, Signal::KILL);
    let ran = live.finish();
    assert_lost(&ran, "ends_by");
    let outcome = ran.outcome("local:a");
    assert!(outcome["may_run_until"].is_string(), "{outcome}");
    assert!(ran.stderr.contains("may still run until"), "{}", ran.stderr);
    place.is_empty_within(GONE_WITHIN);
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "before the grace"
    );
    place.end();
}

#[test]
fn a_worker_and_guard_killed_together_leave_an_unknown_fate() {
    let place = Place::warm();
    let live = start(&place, "10s", STUBBORN);
    let (worker, guard) = live.agent("local:a");
    // Stopped first: neither can act on the end of the other.
    for signal in [Signal::STOP, Signal::KILL] {
        send(worker, signal);
        send(guard, signal);
    }
    let ran = live.finish();
    assert_lost(&ran, "unknown");
    assert!(ran.stderr.contains("unknown"), "{}", ran.stderr);
    assert_eq!(place.steps().len(), 3, "nobody was there to end them");
    place.end_steps();
    place.end();
}

#[test]
fn a_worker_whose_guard_was_killed_acts_as_at_a_closed_link() {
    let place = Place::warm();
    let live = start(&place, "1s", STUBBORN);
    let (worker, guard) = live.agent("local:a");
    send(guard, Signal::KILL);
    let ran = live.finish();
    let outcome = ran.outcome("local:a");
    assert_eq!((ran.code, &outcome["outcome"]), (Some(3), &"lost".into()));
    place.is_empty_within(GONE_WITHIN);
    assert!(!is_alive(worker));
    place.end();
}

#[test]
fn a_killed_worker_is_the_matter_of_its_host_alone() {
    let place = Place::warm();
    let gate = place.work("gate");
    let line = "echo ready; until [ -e \"$1\" ]; do sleep 0.02; done; echo done";
    let words = ["--json", "local:h[1-3]", "--sh", line, "--"];
    let live = place.start(
        words
            .iter()
            .map(|word| word.as_ref())
            .chain([gate.as_os_str()]),
    );
    live.until_said("ready", 3);
    let (worker, _) = live.agent("local:h2");
    send(worker, Signal::KILL);
    live.until_ended("local:h2");
    std::fs::write(gate, "").unwrap();
    let ran = live.finish();
    assert_eq!(ran.code, Some(3));
    assert_eq!(ran.outcome("local:h2")["outcome"], "lost");
    for host in ["local:h1", "local:h3"] {
        assert_eq!(ran.outcome(host)["ok"], true);
        assert_eq!(ran.text(host, "stdout"), "ready\ndone\n");
    }
    place.end();
}

/// An agent that is stopped is like a host whose packets are dropped: the link stays open and silent.
#[test]
fn a_host_that_falls_silent_is_lost_in_30_seconds_while_the_others_go_on() {
    let place = Place::warm();
    let live = place.start([
        "--json",
        "--grace",
        "300ms",
        "local:h[1-2]",
        "--sh",
        "exec sleep 3",
    ]);
    let (worker, _) = live.agent("local:h1");
    send(worker, Signal::STOP);
    live.until_ended("local:h2");
    let ran = live.finish();
    let outcome = ran.outcome("local:h1");
    assert_eq!((ran.code, &outcome["outcome"]), (Some(3), &"lost".into()));
    assert_eq!(outcome["fate"], "ends_by", "{outcome}");
    assert_eq!(ran.outcome("local:h2")["ok"], true);
    let seconds = ran.took.as_secs();
    assert!((25..45).contains(&seconds), "{seconds} s");
    // The kernel itself wakes a stopped group whose parent is gone, unless somebody adopts it.
    if is_alive(worker) {
        send(worker, Signal::CONT);
    }
    place.is_empty_within(GONE_WITHIN);
    place.end();
}
