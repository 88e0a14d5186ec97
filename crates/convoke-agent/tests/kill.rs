//! How trees end: by request, by limits, and what they leave.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::time::{Duration, Instant};

use convoke_proto::codec::Incoming;
use convoke_proto::command::{Limits, Start};
use convoke_proto::exit::{Cause, Exit, Killed, Status};
use convoke_proto::message::Message;
use driver::host::{self, Doomed, is_alive};
use driver::{Agent, Finished, grace, rounds, sh};

const TERM: Status = Status::Signal(15);
const KILL: Status = Status::Signal(9);

/// Starts a line, waits until it says `ready`, kills it.
fn kill_when_ready(agent: &mut Agent, request: Start) -> Exit {
    let channel = agent.start_step(request);
    let mut finished = agent.read_until(channel, 1, "ready");
    agent.send(channel, &Message::Kill);
    finished = agent.finish_with(channel, finished);
    finished.exit().clone()
}

fn with_grace(line: &str, grace_ms: u32) -> Start {
    Start {
        limits: grace(grace_ms),
        ..sh(line)
    }
}

#[test]
fn a_kill_ends_the_whole_tree_with_term() {
    let mut agent = Agent::start();
    let begun = Instant::now();
    let exit = kill_when_ready(
        &mut agent,
        sh("sleep 1000 & (sleep 1000; :) & echo ready; wait"),
    );
    assert_eq!(
        (exit.status, exit.cause),
        (TERM, Cause::Request(Killed::Term))
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a tree that obeys is not waited for"
    );
    host::assert_no_process_of(agent.link);
    agent.close();
}

#[test]
fn a_tree_that_ignores_term_is_killed_after_the_grace() {
    let mut agent = Agent::start();
    let line = "trap '' TERM; sleep 1000 & sleep 1000 & echo ready; while :; do wait; done";
    let begun = Instant::now();
    let exit = kill_when_ready(&mut agent, with_grace(line, 300));
    assert_eq!(
        (exit.status, exit.cause),
        (KILL, Cause::Request(Killed::Kill))
    );
    assert!(begun.elapsed() >= Duration::from_millis(300));
    host::assert_no_process_of(agent.link);
    agent.close();
}

#[test]
fn a_main_process_that_obeys_does_not_save_a_child_that_does_not() {
    let mut agent = Agent::start();
    let line = "(trap '' TERM; echo ready; while :; do sleep 1; done) & wait";
    let exit = kill_when_ready(&mut agent, with_grace(line, 300));
    assert_eq!(
        (exit.status, exit.cause),
        (TERM, Cause::Request(Killed::Kill))
    );
    host::assert_no_process_of(agent.link);
    agent.close();
}

#[test]
fn a_stopped_process_hears_its_term() {
    let mut agent = Agent::start();
    let exit = kill_when_ready(&mut agent, sh("echo ready; kill -STOP $$"));
    assert_eq!(
        (exit.status, exit.cause),
        (TERM, Cause::Request(Killed::Term))
    );
    agent.close();
}

#[test]
fn what_left_its_session_and_parents_is_found_by_its_mark_while_another_step_runs() {
    let mut agent = Agent::start();
    let other = agent.start_step(sh("echo ready; exec sleep 1000"));
    agent.read_until(other, 1, "ready");
    let line = "setsid -f sh -c 'setsid -f sh -c \"echo ready; exec sleep 1000\"' ; sleep 1000";
    let exit = kill_when_ready(&mut agent, sh(line));
    assert_eq!(exit.cause, Cause::Request(Killed::Term));
    assert_eq!(
        host::marked(agent.link).len(),
        1,
        "only the other step is left"
    );
    agent.send(other, &Message::Kill);
    assert_eq!(agent.finish(other).exit().status, TERM);
    agent.close();
}

#[test]
fn an_orphan_that_nobody_knows_is_killed_only_when_no_other_step_runs() {
    let mut agent = Agent::start();
    let other = agent.start_step(sh("echo ready; exec sleep 1000"));
    agent.read_until(other, 1, "ready");
    let line = "env -i setsid -f sh -c 'echo $$ ready; exec sleep 1000'; exec sleep 1000";
    let channel = agent.start_step(sh(line));
    let finished = agent.read_until(channel, 1, "ready");
    let text = finished.stdout();
    let stray = Doomed(text.split(' ').next().unwrap().parse().unwrap());
    agent.send(channel, &Message::Kill);
    let finished = agent.finish_with(channel, finished);
    assert_eq!(finished.exit().cause, Cause::Request(Killed::Term));
    assert!(is_alive(stray.0), "it may have been the other step's");
    agent.send(other, &Message::Kill);
    agent.finish(other);
    assert!(!is_alive(stray.0), "nobody else was left");
    agent.close();
}

#[test]
fn a_released_daemon_survives_the_kill_of_a_later_step() {
    let mut agent = Agent::start();
    let lines = [
        "setsid -f sleep 1000 >&- 2>&-",
        "env -i setsid -f sleep 1001 >&- 2>&-",
    ];
    for line in lines {
        let finished = agent.step_of(sh(line));
        assert_eq!(finished.exit().left_running, 1, "{line}");
    }
    let daemons = host::children_of(agent.worker);
    assert_eq!(daemons.len(), 2);
    let exit = kill_when_ready(&mut agent, sh("echo ready; sleep 1000"));
    assert_eq!(exit.cause, Cause::Request(Killed::Term));
    assert!(daemons.iter().all(|pid| is_alive(*pid)));
    agent.hang_up();
    agent.wait();
    assert!(
        daemons.iter().all(|pid| is_alive(*pid)),
        "the closed link killed a daemon"
    );
    daemons.into_iter().map(Doomed).for_each(drop);
}

#[test]
fn a_tree_that_grows_faster_than_it_is_searched_is_caught() {
    let mut agent = Agent::start();
    // Every process begins two others in sessions of their own and ends; never more than some hundreds.
    let line = "b() { i=$1; while [ $i -gt 0 ]; do i=$((i-1)); (b $i) & sleep 0.01; done; wait; }; \
                trap '' TERM; echo ready; while :; do b 5; done";
    for _ in 0..rounds(3, 50) {
        let exit = kill_when_ready(&mut agent, with_grace(line, 100));
        assert_eq!(exit.cause, Cause::Request(Killed::Kill));
        assert_eq!(exit.survivors, []);
        host::assert_no_process_of(agent.link);
    }
    agent.close();
}

#[test]
fn a_process_that_runs_away_from_its_session_is_caught() {
    let mut agent = Agent::start();
    // Begins a copy of itself in a new session and ends, over and over.
    let runner =
        r#"$| = 1; $SIG{TERM} = "IGNORE"; print "ready\n"; while (1) { exit if fork; setsid; }"#;
    let line = format!("perl -MPOSIX -e '{runner}' & exec sleep 1000");
    for _ in 0..rounds(3, 50) {
        let exit = kill_when_ready(&mut agent, with_grace(&line, 100));
        assert_eq!(
            (exit.cause, exit.survivors),
            (Cause::Request(Killed::Kill), vec![])
        );
        host::assert_no_process_of(agent.link);
    }
    agent.close();
}

#[test]
fn a_tree_is_found_also_when_no_descriptor_is_left() {
    let mut command = std::process::Command::new("/bin/sh");
    let agent = driver::agent_command();
    command
        .args(["-c", "ulimit -n 40; exec \"$0\""])
        .arg(agent.get_program())
        .env_clear()
        .envs(
            agent
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
    let mut agent = Agent::run(command);
    let runs_away = "setsid sh -c 'echo ready; exec sleep 1000' & wait";
    let channel = agent.start_step(with_grace(runs_away, 200));
    let finished = agent.read_until(channel, 1, "ready");
    let refused = loop {
        let channel = agent.start_step(sh("exec sleep 1000"));
        let mut finished = Finished::default();
        agent.step(channel, &mut finished);
        if let Some(driver::End::NotStarted(why)) = finished.end {
            break why;
        }
    };
    assert_eq!(refused.errno, libc::EMFILE);
    let before = host::marked(agent.link).len();
    agent.send(channel, &Message::Kill);
    let finished = agent.finish_with(channel, finished);
    assert_eq!(finished.exit().cause, Cause::Request(Killed::Term));
    // The shell and the one that left its session.
    assert_eq!(before - host::marked(agent.link).len(), 2);
    agent.hang_up();
    agent.wait();
    host::assert_no_process_of(agent.link);
}

#[test]
fn a_process_of_another_user_is_named_as_survivor() {
    let place = tempfile::tempdir().unwrap();
    let _rule = host::SudoRule::install();
    let mut agent = Agent::run(host::unprivileged(place.path()));
    // The shell is ours to kill, and so is sudo; what sudo started is not.
    let line = r#"sudo -n sh -c "trap '' TERM; echo ready; while :; do sleep 1; done" & wait"#;
    let exit = kill_when_ready(&mut agent, with_grace(line, 200));
    let survivors: Vec<_> = exit
        .survivors
        .iter()
        .map(|survivor| Doomed(survivor.pid as i32))
        .collect();
    assert_eq!(
        (exit.status, exit.cause),
        (TERM, Cause::Request(Killed::Kill))
    );
    assert!(!survivors.is_empty() && survivors.iter().all(|survivor| is_alive(survivor.0)));
    assert!(exit.survivors.iter().all(|survivor| survivor.uid == 0));
    drop(survivors);
    agent.close();
}

#[test]
fn a_main_process_of_another_user_does_not_hold_the_step() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = Agent::run(host::unprivileged(place.path()));
    let become_root = place.path().join("become-root");
    let line = "echo ready; exec sleep 1000";
    let argv = [
        become_root.to_str().unwrap(),
        "--reuid",
        "0",
        "sh",
        "-c",
        line,
    ];
    let request = Start {
        limits: grace(200),
        ..Start::new(argv)
    };
    let exit = kill_when_ready(&mut agent, request);
    let survivors: Vec<_> = exit
        .survivors
        .iter()
        .map(|survivor| Doomed(survivor.pid as i32))
        .collect();
    assert_eq!(
        (exit.status, exit.cause),
        (KILL, Cause::Request(Killed::Kill))
    );
    assert!(survivors.iter().all(|survivor| is_alive(survivor.0)));
    assert_eq!((survivors.len(), exit.survivors[0].uid), (1, 0));
    drop(survivors);
    agent.close();
}

#[test]
fn the_total_limit_ends_a_step_and_keeps_its_output() {
    let mut agent = Agent::start();
    let limits = Limits {
        total_ms: Some(300),
        ..Limits::default()
    };
    let finished = agent.step_of(Start {
        limits,
        ..sh("while :; do echo out; sleep 0.1; done")
    });
    assert!(finished.stdout().starts_with("out\n"));
    assert_eq!(finished.exit().cause, Cause::TotalLimit(Killed::Term));
    agent.close();
}

#[test]
fn the_idle_limit_counts_from_the_last_output() {
    let mut agent = Agent::start();
    let limits = Limits {
        idle_ms: Some(400),
        ..Limits::default()
    };
    let begun = Instant::now();
    let line = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; sleep 1000";
    let finished = agent.step_of(Start { limits, ..sh(line) });
    assert_eq!(finished.stdout(), "1\n2\n3\n4\n5\n6\n");
    assert_eq!(finished.exit().cause, Cause::IdleLimit(Killed::Term));
    assert!(begun.elapsed() >= Duration::from_millis(900));
    agent.close();
}

#[test]
fn the_idle_clock_stands_still_while_output_waits_for_credit() {
    let mut agent = Agent::start();
    let limits = Limits {
        idle_ms: Some(200),
        ..Limits::default()
    };
    let channel = agent.request(Start {
        limits,
        ..sh("echo text; exec sleep 1000")
    });
    assert!(matches!(
        agent.next_of(channel),
        Incoming::Message(Message::Started(_))
    ));
    // A second step that takes longer than the limit is the clock of this test.
    agent.step_of(sh("sleep 0.6"));
    agent.credit(channel, 1, 100);
    agent.credit(channel, 2, 100);
    let finished = agent.finish(channel);
    assert_eq!(finished.stdout(), "text\n");
    assert_eq!(finished.exit().cause, Cause::IdleLimit(Killed::Term));
    agent.close();
}

#[test]
fn a_kill_ends_the_wait_for_credit_of_a_step_that_is_over() {
    let mut agent = Agent::start();
    let channel = agent.request(sh("echo text"));
    let Incoming::Message(Message::Started(started)) = agent.next_of(channel) else {
        panic!("not started")
    };
    host::eventually("the main process is reaped", || {
        host::stat(started.pid as i32).is_none()
    });
    agent.send(channel, &Message::Kill);
    let finished = agent.finish(channel);
    let exit = finished.exit();
    assert_eq!(
        (exit.status, exit.cause, &exit.cut_streams),
        (Status::Code(0), Cause::Itself, &vec![1])
    );
    agent.close();
}

#[test]
fn orphans_are_reaped() {
    let mut agent = Agent::start();
    let finished = agent.step_of(sh(
        "for i in 1 2 3 4 5; do setsid -f sh -c 'sleep 0.05'; done",
    ));
    assert!(finished.exit().left_running <= 5);
    host::eventually("nothing is left", || {
        host::children_of(agent.worker).is_empty()
    });
    agent.close();
}

#[test]
fn two_kills_are_one() {
    let mut agent = Agent::start();
    let channel = agent.start_step(with_grace(
        "trap '' TERM; echo ready; while :; do sleep 1; done",
        200,
    ));
    let finished: Finished = agent.read_until(channel, 1, "ready");
    agent.send(channel, &Message::Kill);
    agent.send(channel, &Message::Kill);
    let finished = agent.finish_with(channel, finished);
    assert_eq!(finished.exit().cause, Cause::Request(Killed::Kill));
    agent.close();
}
