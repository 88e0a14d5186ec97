//! How a link begins and ends.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use convoke_proto::codec::Incoming;
use convoke_proto::frame::LINK_CHANNEL;
use convoke_proto::hello::{Hello, PROTOCOL};
use convoke_proto::message::{Message, Started, Token};
use driver::host::{self, is_alive};
use driver::tree::{assert_only_the_daemon_is_left, released_daemon, stubborn_tree};
use driver::{Agent, agent_command, sh};

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
fn an_idle_worker_is_small() {
    let agent = Agent::start();
    let peak = host::peak_memory(agent.worker);
    // An unoptimised build with its symbols; the one that travels is smaller.
    assert!(peak <= 8 * 1024, "{peak} KiB");
    agent.close();
}
