//! How a link begins and ends, and what is left when one of the two processes dies.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use convoke_proto::codec::Incoming;
use convoke_proto::command::Start;
use convoke_proto::frame::LINK_CHANNEL;
use convoke_proto::hello::{Hello, PROTOCOL};
use convoke_proto::message::{Message, Started, Token};
use driver::host::{self, Doomed, is_alive};
use driver::{Agent, agent_command, grace, rounds, sh};
use rustix::process::Signal;

/// Starts a tree that ignores TERM and has left its session in part, and waits until it stands.
fn stubborn_tree(agent: &mut Agent) -> u32 {
    let line = "trap '' TERM; setsid -f sh -c 'echo ready; while :; do sleep 1; done'; while :; do sleep 1; done";
    let channel = agent.start_step(Start {
        limits: grace(200),
        ..sh(line)
    });
    agent.read_until(channel, 1, "ready");
    channel
}

/// Runs a step that leaves a daemon behind, and returns the daemon.
fn released_daemon(agent: &mut Agent) -> Doomed {
    let finished = agent.step_of(sh(
        "setsid -f sh -c 'echo $$; exec sleep 1000 >&- 2>&-'; sleep 0.1",
    ));
    assert_eq!(finished.exit().left_running, 1);
    Doomed(finished.stdout().trim().parse().unwrap())
}

fn assert_only_the_daemon_is_left(agent: &Agent, daemon: &Doomed) {
    host::eventually("the trees of running steps are gone", || {
        host::marked(agent.link) == [daemon.0]
    });
    assert!(is_alive(daemon.0));
}

#[test]
fn the_version_is_printed_with_the_protocol() {
    let output = agent_command().arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        format!(
            "convoke-agent {} protocol {PROTOCOL}\n",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert!(
        !agent_command()
            .arg("other")
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn requests_need_not_wait_for_the_hello() {
    let mut agent = Agent::silent(agent_command());
    agent.send(LINK_CHANNEL, &Message::Hello(agent.hello()));
    let channel = agent.start_step(sh("echo out"));
    assert!(matches!(
        agent.next_of(LINK_CHANNEL),
        Incoming::Message(Message::Hello(_))
    ));
    assert_eq!(agent.finish(channel).stdout(), "out\n");
    agent.close();
}

#[test]
fn another_protocol_gets_our_hello_and_the_end() {
    let mut agent = Agent::silent(agent_command());
    let theirs = Hello {
        protocol: PROTOCOL + 1,
        ..agent.hello()
    };
    agent.send(LINK_CHANNEL, &Message::Hello(theirs));
    match agent.next() {
        Some((LINK_CHANNEL, Incoming::Message(Message::Hello(ours)))) => {
            assert_eq!(ours.protocol, PROTOCOL)
        }
        other => panic!("no hello but {other:?}"),
    }
    assert_eq!(agent.next(), None);
    assert!(!agent.wait().success());
    assert!(agent.diagnostics().contains("protocol"));
}

#[test]
fn a_violation_closes_the_link_with_its_cause_in_one_line() {
    let mut agent = Agent::start();
    stubborn_tree(&mut agent);
    agent.send_bytes(b"Connection reset by somebody\n");
    while agent.next().is_some() {}
    assert!(!agent.wait().success());
    let text = agent.diagnostics();
    assert!(
        text.contains("Connection reset by somebody") && text.lines().count() == 1,
        "{text}"
    );
    host::assert_no_process_of(agent.link);
}

#[test]
fn a_ping_is_answered_while_a_step_runs() {
    let mut agent = Agent::start();
    let channel = agent.start_step(sh("sleep 0.2"));
    agent.send(LINK_CHANNEL, &Message::Ping(Token(7)));
    assert_eq!(
        agent.next_of(LINK_CHANNEL),
        Incoming::Message(Message::Pong(Token(7)))
    );
    agent.finish(channel);
    agent.close();
}

#[test]
fn a_closed_link_ends_running_trees_and_spares_daemons() {
    let mut agent = Agent::start();
    let daemon = released_daemon(&mut agent);
    stubborn_tree(&mut agent);
    stubborn_tree(&mut agent);
    agent.hang_up();
    assert!(agent.wait().success());
    assert_only_the_daemon_is_left(&agent, &daemon);
}

#[test]
fn a_closed_link_does_not_wait_for_a_full_pipe() {
    let mut agent = Agent::start();
    let flood = agent.start_step(sh("cat /dev/zero"));
    let Incoming::Message(Message::Started(Started { pid })) = agent.next_of(flood) else {
        panic!("not started")
    };
    let is_blocked = || host::stat(pid as i32).is_some_and(|(state, ..)| state == 'S');
    host::eventually("the flood fills every pipe", is_blocked);
    agent.hang_up();
    // Nothing is read any more, and still it ends.
    agent.wait();
    host::assert_no_process_of(agent.link);
}

#[test]
fn the_agent_ends_by_itself_after_the_last_request() {
    let mut agent = Agent::start();
    let daemon = released_daemon(&mut agent);
    let channel = agent.start_step(sh("exec sleep 1000"));
    agent.send(LINK_CHANNEL, &Message::Finish);
    assert!(is_alive(agent.worker));
    agent.send(channel, &Message::Kill);
    agent.finish(channel);
    // Nobody has closed our end.
    assert!(agent.is_hung_up());
    assert!(agent.wait().success());
    assert_only_the_daemon_is_left(&agent, &daemon);
}

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
fn a_link_closed_for_writing_alone_ends_the_wait_for_streams() {
    let mut agent = Agent::start();
    // Without credit what it wrote holds the step.
    let channel = agent.request(sh("echo held"));
    assert!(matches!(
        agent.next_of(channel),
        Incoming::Message(Message::Started(_))
    ));
    host::eventually("the command has ended", || {
        host::marked(agent.link).is_empty()
    });
    agent.stop_reading();
    agent.wait();
    host::assert_no_process_of(agent.link);
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
fn an_idle_worker_is_small() {
    let agent = Agent::start();
    let peak = host::peak_memory(agent.worker);
    // An unoptimised build with its symbols; the one that travels is smaller.
    assert!(peak <= 8 * 1024, "{peak} KiB");
    agent.close();
}
