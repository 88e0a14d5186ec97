//! What is left when one of the two processes dies.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::fs;

use convoke_proto::command::Start;
use driver::host::{self, Doomed, is_alive};
use driver::tree::{assert_only_the_daemon_is_left, released_daemon, stubborn_tree};
use driver::user::{agent_with_getent, as_user, slow_start, stop_half_born};
use driver::{Agent, agent_command, grace, held, rounds, sh};
use rustix::process::Signal;

#[test]
fn the_guard_ends_running_trees_when_the_worker_dies() {
    for _ in 0..rounds(3, 50) {
        let mut agent = Agent::start();
        let daemon = released_daemon(&mut agent);
        stubborn_tree(&mut agent);
        stubborn_tree(&mut agent);
        agent.kill_worker();
        assert!(!agent.wait().success());
        assert_only_the_daemon_is_left(&agent, &daemon);
    }
}

#[test]
fn the_guard_finds_a_process_that_has_just_begun() {
    for round in 0..rounds(20, 500) {
        let mut agent = Agent::start();
        let line = "trap '' TERM; while :; do sleep 1; done";
        agent.start_step(Start {
            limits: grace(50),
            ..sh(line)
        });
        (0..round * 500).for_each(|_| std::hint::spin_loop());
        agent.kill_worker();
        agent.wait();
        host::assert_no_process_of(agent.link);
    }
}

#[test]
fn the_worker_ends_as_at_a_closed_link_when_the_guard_dies() {
    let mut agent = Agent::start();
    let daemon = released_daemon(&mut agent);
    stubborn_tree(&mut agent);
    agent.kill_guard();
    while agent.next().is_some() {}
    host::eventually("the worker ends", || !is_alive(agent.worker));
    assert_only_the_daemon_is_left(&agent, &daemon);
}

#[test]
fn a_guard_that_was_stopped_at_the_goodbye_has_heard_it() {
    let mut agent = Agent::start();
    let daemon = released_daemon(&mut agent);
    host::kill(agent.guard(), Signal::STOP);
    for _ in 0..rounds(200, 5_000) {
        agent.step_of(sh(":")).exit();
    }
    let guard = agent.guard();
    agent.hang_up();
    host::eventually("the worker ends", || !is_alive(agent.worker));
    host::kill(guard, Signal::CONT);
    assert!(agent.wait().success());
    assert_only_the_daemon_is_left(&agent, &daemon);
}

#[test]
fn both_killed_leave_nothing_that_hangs() {
    let mut agent = Agent::start();
    let channel = agent.start_step(sh("echo ready; exec sleep 1000"));
    agent.read_until(channel, 1, "ready");
    agent.kill_guard();
    agent.kill_worker();
    while agent.next().is_some() {}
    agent.wait();
    host::kill_marked(agent.link);
}

#[test]
fn a_signal_to_either_process_acts_as_a_closed_link() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        for to_guard in [true, false] {
            let mut agent = Agent::start();
            stubborn_tree(&mut agent);
            host::kill(
                if to_guard {
                    agent.guard()
                } else {
                    agent.worker
                },
                signal,
            );
            while agent.next().is_some() {}
            agent.wait();
            host::assert_no_process_of(agent.link);
        }
    }
}

#[test]
fn the_guard_holds_nothing_of_the_wire() {
    let agent = Agent::start();
    let held = |pid| {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links
            .map(|link| link.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    let kind =
        |links: &[String], kind: &str| links.iter().filter(|link| link.starts_with(kind)).count();
    host::eventually("the guard lets go of what it need not hold", || {
        let links = held(agent.guard());
        // The three standard ones; a sign of life each way; its signals.
        (
            kind(&links, "/dev/null"),
            kind(&links, "pipe:"),
            kind(&links, "anon_inode:"),
        ) == (3, 2, 1)
    });
    // The two standard ones that carried the wire; the wire, stderr, and a sign of life each way.
    let links = held(agent.worker);
    assert_eq!(
        (kind(&links, "/dev/null"), kind(&links, "pipe:")),
        (2, 5),
        "{links:?}"
    );
    agent.close();
}

#[test]
fn the_guard_ends_a_child_that_is_half_born() {
    // An agent that is itself a process of a step.
    let mut command = agent_command();
    command.env("CONVOKE_STEP", format!("{}.1", "ab".repeat(16)));
    let mut agent = Agent::run(command);
    agent.start_step(Start {
        limits: grace(50),
        ..slow_start()
    });
    let child = Doomed(stop_half_born(&agent));
    agent.kill_worker();
    assert!(!agent.wait().success());
    assert!(!is_alive(child.0), "nobody ended it");
}

#[test]
fn a_name_service_that_hangs_ends_with_the_worker() {
    let place = tempfile::tempdir().unwrap();
    let asked = place.path().join("asked");
    let line = format!("echo $$ >>{}; exec sleep 1000", asked.display());
    let mut agent = agent_with_getent(place.path(), &line);
    agent.start_step(as_user("known-to-nobody", sh("true")));
    let helper = || fs::read_to_string(&asked).ok()?.trim().parse().ok();
    host::eventually("the name service is asked", || helper().is_some());
    let helper = Doomed(helper().unwrap());
    agent.kill_worker();
    assert!(!agent.wait().success());
    host::eventually("the helper is gone", || !is_alive(helper.0));
}

#[test]
fn a_guard_that_comes_late_still_ends_what_the_worker_left() {
    let (mut agent, guard) = held::agent_with_held_guard();
    let channel = agent.start_step(Start {
        limits: grace(50),
        ..sh("trap '' TERM; echo ready; while :; do sleep 1; done")
    });
    let _main = Doomed(agent.read_until(channel, 1, "ready").pid as i32);
    agent.kill_worker();
    host::eventually("the worker is dead", || !is_alive(agent.worker));
    guard.release();
    assert!(!agent.wait().success());
    host::assert_no_process_of(agent.link);
}
