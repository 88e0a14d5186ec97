//! Trees that are ended by a limit, and those that are not meant.

use std::time::Duration;

use rustix::process::Signal;

use crate::place::Place;
use crate::processes::is_alive;

#[test]
fn a_tree_that_ignores_term_is_killed_after_the_grace() {
    let place = Place::warm();
    let line = "trap '' TERM; sleep 1000 & setsid -f sleep 1000; (setsid sleep 1000 &); \
                echo ready; while :; do wait; done";
    let limits = ["--timeout", "300ms", "--grace", "400ms"];
    let words = ["--json"].into_iter().chain(limits);
    let ran = place.run(words.chain(["local:a", "--sh", line]));
    let outcome = ran.outcome("local:a");
    assert_eq!(
        (ran.code, &outcome["outcome"]),
        (Some(1), &"timed_out".into())
    );
    assert_eq!(outcome["limit"], "total");
    assert_eq!(outcome["killed_by"], "KILL");
    assert_eq!(
        ran.text("local:a", "stdout"),
        "ready\n",
        "what it said is kept"
    );
    assert!(ran.took >= Duration::from_millis(700), "{:?}", ran.took);
    assert!(
        place.steps().is_empty(),
        "it is over when its outcome is there"
    );
    place.end();
}

#[test]
fn a_tree_that_obeys_is_ended_by_term_without_waiting_for_the_grace() {
    let place = Place::warm();
    let line = "sleep 1000 & setsid -f sleep 1000; wait";
    let ran = place.run(["--json", "--timeout", "300ms", "local:a", "--sh", line]);
    let outcome = ran.outcome("local:a");
    assert_eq!(outcome["outcome"], "timed_out");
    assert_eq!(outcome["killed_by"], "TERM");
    assert!(ran.took < Duration::from_secs(8), "{:?}", ran.took);
    assert!(place.steps().is_empty());
    place.end();
}

#[test]
fn a_detached_tree_of_a_step_on_another_host_is_not_touched() {
    let place = Place::warm();
    let detached = "(setsid sh -c 'setsid -f sleep 1000' &); setsid -f sleep 1000; \
                    env -i setsid -f sleep 1000; sleep 1000 & echo ready; wait";
    let other = place.start(["--json", "local:b", "--sh", detached]);
    other.until_said("ready", 1);
    crate::processes::eventually("all of it runs", || sleepers(&place).len() == 4);
    let others = sleepers(&place);
    let ran = place.run(["--json", "--timeout", "300ms", "local:a", "--sh", detached]);
    assert_eq!(ran.outcome("local:a")["outcome"], "timed_out");
    assert!(
        others.iter().all(|pid| is_alive(*pid)),
        "the other host's tree was hit"
    );
    assert_eq!(
        sleepers(&place),
        others,
        "only the other host's tree is left"
    );
    other.kill(Signal::TERM);
    let ran = other.finish();
    assert_eq!(ran.code, Some(143));
    assert_eq!(ran.outcome("local:b")["outcome"], "cancelled");
    assert!(sleepers(&place).is_empty(), "the one without a mark too");
    place.end();
}

/// The `sleep 1000` below the agents of this place, those without any environment among them.
fn sleepers(place: &Place) -> Vec<i32> {
    let agents = place.agents();
    let is_below = |pid: i32| {
        let mut above = Some(pid);
        while let Some(one) = above {
            if agents.contains(&one) {
                return true;
            }
            above = crate::processes::parent(one).filter(|parent| *parent > 1);
        }
        false
    };
    let mut all = crate::processes::all();
    all.retain(|pid| crate::processes::command_line(*pid).starts_with("sleep 1000"));
    all.retain(|pid| is_alive(*pid) && is_below(*pid));
    all
}
