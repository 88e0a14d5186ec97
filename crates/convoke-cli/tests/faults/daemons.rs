//! What a command that has ended leaves running lives on, and is counted.

use std::time::Duration;

use rustix::process::Signal;

use crate::live::Live;
use crate::place::Place;
use crate::processes::{eventually, is_alive, send};

/// The ways of a daemon.
const DAEMONS: [&str; 5] = [
    "setsid sleep 1000 </dev/null >/dev/null 2>&1 &",
    "setsid -f sleep 1000 </dev/null >/dev/null 2>&1",
    "(sleep 1000 </dev/null >/dev/null 2>&1 &)",
    "(setsid sh -c 'exec sleep 1000' </dev/null >/dev/null 2>&1 &)",
    "nohup sleep 1000 >/dev/null 2>&1 &",
];

/// Writes for ever, and does not mind that nobody reads.
const CHATTERBOX: &str =
    "setsid -f sh -c 'trap \"\" PIPE; while :; do echo more; sleep 0.02; done'";

#[test]
fn a_daemon_of_a_finished_command_lives_on_and_is_counted() {
    let place = Place::warm();
    for daemon in DAEMONS {
        let ran = place.run(["--json", "local:a", "--sh", daemon]);
        let outcome = ran.outcome("local:a");
        assert_eq!(
            (ran.code, &outcome["left_running"]),
            (Some(0), &1.into()),
            "{daemon}"
        );
        assert!(
            ran.stderr.contains("left 1 process running"),
            "{}",
            ran.stderr
        );
        eventually("the link is closed", || place.agents().is_empty());
        assert_eq!(place.steps().len(), 1, "{daemon}");
        place.end_steps();
    }
    place.end();
}

#[test]
fn every_daemon_counts() {
    let place = Place::warm();
    let all = DAEMONS.join("\n");
    let ran = place.run(["--json", "local:a", "--sh", &all]);
    assert_eq!(ran.outcome("local:a")["left_running"], DAEMONS.len());
    assert_eq!(place.steps().len(), DAEMONS.len());
    place.end_steps();
    place.end();
}

#[test]
fn kill_leftovers_asks_for_the_opposite() {
    let place = Place::warm();
    let all = DAEMONS.join("\n");
    let ran = place.run(["--json", "--kill-leftovers", "local:a", "--sh", &all]);
    let outcome = ran.outcome("local:a");
    assert_eq!((ran.code, &outcome["left_running"]), (Some(0), &0.into()));
    assert!(place.steps().is_empty(), "{outcome}");
    place.end();
}

#[test]
fn kill_leftovers_kills_what_ignores_term_after_the_grace() {
    let place = Place::warm();
    let line = "trap '' TERM; setsid -f sleep 1000 </dev/null >/dev/null 2>&1; exit 7";
    let words = [
        "--json",
        "--kill-leftovers",
        "--grace",
        "300ms",
        "local:a",
        "--sh",
        line,
    ];
    let ran = place.run(words);
    let outcome = ran.outcome("local:a");
    assert_eq!((ran.code, &outcome["code"]), (Some(1), &7.into()));
    assert!(ran.took >= Duration::from_millis(300), "{:?}", ran.took);
    place.end();
}

/// The command is over while its agent still reads what its daemon says.
fn start_and_finish(place: &Place) -> Live {
    let live = place.start(["--json", "local:a", "--sh", CHATTERBOX]);
    let main = live.main_process("local:a");
    eventually("the command has ended", || !is_alive(main));
    live
}

#[test]
fn a_daemon_survives_the_controller_that_is_killed_after_its_command() {
    let place = Place::warm();
    let live = start_and_finish(&place);
    live.kill(Signal::KILL);
    live.finish();
    // The worker stays to read what the daemon writes.
    eventually("the guard has ended", || place.agents().len() <= 1);
    assert!(!place.steps().is_empty(), "the daemon was killed");
    place.end_steps();
    eventually("the worker has ended", || place.agents().is_empty());
    place.end();
}

#[test]
fn a_daemon_survives_the_worker_that_is_killed_after_its_command() {
    let place = Place::warm();
    let live = start_and_finish(&place);
    send(place.worker(), Signal::KILL);
    let ran = live.finish();
    assert_eq!(ran.outcome("local:a")["outcome"], "lost");
    eventually("the agent has ended", || place.agents().is_empty());
    assert!(!place.steps().is_empty(), "the daemon was killed");
    place.end_steps();
    place.end();
}

/// The agent goes on discarding what it says: a write to a pipe that nobody reads any more would end it.
#[test]
fn a_daemon_that_writes_to_stdout_lives_on_after_the_link() {
    let place = Place::warm();
    let line = "setsid -f sh -c 'while sleep 0.02; do echo more; echo >>\"$1\"; done' sh \"$1\"";
    let count = place.work("count");
    let words = ["--json", "local:a", "--sh", line, "--"].map(AsRef::as_ref);
    let ran = place.run(words.into_iter().chain([count.as_os_str()]));
    assert_eq!(ran.code, Some(0));
    let written = || std::fs::metadata(&count).map_or(0, |file| file.len());
    let before = written();
    eventually("it has written more", || {
        assert!(!place.steps().is_empty(), "the daemon has ended");
        written() > before + 5
    });
    place.end_steps();
    place.end();
}

#[test]
fn a_finished_command_and_its_daemon_are_no_matter_of_a_controller_killed_later() {
    let place = Place::warm();
    // One of two hosts goes on.
    let line =
        "setsid -f sleep 1000 </dev/null >/dev/null 2>&1; mkdir first && exit; exec sleep 999";
    let cwd = place.path("work");
    let words = ["--json", "--grace", "300ms", "--cwd"].map(AsRef::as_ref);
    let rest = ["local:h[1-2]", "--sh", line].map(AsRef::as_ref);
    let live = place.start(words.into_iter().chain([cwd.as_os_str()]).chain(rest));
    eventually("one of two is over", || {
        live.events().iter().any(|event| event["kind"] == "ended")
    });
    eventually("the other one runs", || place.steps().len() == 3);
    live.kill(Signal::KILL);
    live.finish();
    eventually("the agents have ended", || place.agents().is_empty());
    let left = place.steps();
    assert_eq!(
        left.len(),
        1,
        "the daemon of the finished one alone is left"
    );
    place.end_steps();
    place.end();
}
