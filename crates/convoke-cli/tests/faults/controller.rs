//! The controller is killed with SIGKILL: no process of a running step is left, and no half-written
//! file.

use std::hash::{BuildHasher as _, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::place::Place;
use crate::scaled;

const HOSTS: &str = "local:h[1-3]";
const GRACE: &str = "300ms";

/// How much longer than the grace everything may take on a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(8);

/// Trees that do not want to end.
const LINES: [&str; 3] = [
    // Nobody hears TERM; one child is in another session, one has lost its parents as well.
    "trap '' TERM; setsid -f sleep 1000; (setsid sh -c 'sleep 1000 & wait' &); sleep 1000 & \
     echo ready; while :; do wait; done",
    // Blocked in the middle of writing.
    "trap '' TERM; setsid -f yes; echo ready; exec yes",
    // The main process obeys, what it started does not.
    "(trap '' TERM; setsid -f sh -c 'while :; do sleep 1; done') & echo ready; sleep 1000",
];

fn start(place: &Place, line: &str) -> crate::live::Live {
    place.start(["--json", "--grace", GRACE, HOSTS, "--sh", line])
}

/// How long it takes until the command runs on every host, from a cold cache.
fn time_until_ready() -> Duration {
    let place = Place::new();
    let begun = Instant::now();
    let live = start(&place, "echo ready; exec sleep 1000");
    live.until_said("ready", 3);
    let took = begun.elapsed();
    live.kill(Signal::KILL);
    assert_eq!(live.finish().signal, Some(9));
    place.end();
    took
}

/// One moment out of each of equal parts of `span`.
fn moments(span: Duration, count: u64) -> impl Iterator<Item = Duration> {
    let part = span / u32::try_from(count).unwrap();
    (0..count).map(move |number| {
        let random = RandomState::new().hash_one(number) % 1000;
        part * u32::try_from(number).unwrap() + part * u32::try_from(random).unwrap() / 1000
    })
}

/// From before the bootstrap to the middle of the command; every other round sends the agent.
#[test]
fn a_controller_killed_at_any_moment_leaves_nothing_of_its_running_steps() {
    let span = time_until_ready() * 3 / 2;
    let warm = Place::warm();
    for (round, moment) in moments(span, scaled(15, 100)).enumerate() {
        let line = LINES[round % LINES.len()];
        let cold = (round % 2 == 0).then(Place::new);
        let place = cold.as_ref().unwrap_or(&warm);
        let live = start(place, line);
        thread::sleep(moment); // The moment is what is tested.
        live.kill(Signal::KILL);
        assert_eq!(live.finish().signal, Some(9));
        eprintln!("killed after {moment:?}: {line}");
        place.is_empty_within(GONE_WITHIN);
        place.assert_no_file(&[]);
        if let Some(cold) = cold {
            cold.end();
        }
    }
    warm.end();
}

#[test]
fn a_tree_that_ignores_term_lives_for_the_grace_of_a_killed_controller_and_no_longer() {
    let place = Place::warm();
    let line = "trap '' TERM; sleep 1000 & echo ready; while :; do wait; done";
    let live = place.start(["--json", "--grace", "1s", "local:a", "--sh", line]);
    live.until_said("ready", 1);
    live.kill(Signal::KILL);
    let begun = Instant::now();
    live.finish();
    place.is_empty_within(GONE_WITHIN);
    let lived = begun.elapsed();
    assert!(lived >= Duration::from_secs(1), "KILL came after {lived:?}");
    place.end();
}
