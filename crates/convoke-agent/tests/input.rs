//! What goes into a process.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use convoke_proto::codec::Incoming;
use convoke_proto::command::{Start, Stdin};
use convoke_proto::exit::Status;
use convoke_proto::message::{Credit, Message};
use driver::{Agent, Finished, sh};

fn with_stdin(line: &str) -> Start {
    Start {
        stdin: Stdin::Stream,
        ..sh(line)
    }
}

#[test]
fn stdin_is_empty_unless_asked_for() {
    let mut agent = Agent::start();
    assert_eq!(
        agent.step_of(sh("readlink /proc/self/fd/0; cat")).stdout(),
        "/dev/null\n"
    );
    agent.close();
}

#[test]
fn bytes_and_their_end_arrive() {
    let mut agent = Agent::start();
    let channel = agent.start_step(with_stdin("cat; echo end"));
    first_credit(&mut agent, channel);
    agent.data(channel, 0, b"a\0\xff");
    agent.eof(channel, 0);
    assert_eq!(agent.finish(channel).streams[&1], b"a\0\xffend\n");
    agent.close();
}

#[test]
fn much_input_flows_as_it_is_taken() {
    let mut agent = Agent::start();
    let channel = agent.start_step(with_stdin("sleep 0.1; wc -c"));
    let mut credit = first_credit(&mut agent, channel);
    let mut left = 5_000_000_usize;
    while left > 0 {
        let size = credit.min(left).min(65_536);
        if size > 0 {
            agent.data(channel, 0, &vec![7; size]);
            credit -= size;
            left -= size;
        } else if let Incoming::Message(Message::Credit(Credit { bytes, .. })) =
            agent.next_of(channel)
        {
            credit += bytes as usize;
        }
    }
    agent.eof(channel, 0);
    assert_eq!(agent.finish(channel).stdout().trim(), "5000000");
    agent.close();
}

#[test]
fn input_that_nobody_reads_any_more_is_no_error() {
    let mut agent = Agent::start();
    let channel = agent.start_step(with_stdin(
        "exec <&-; echo closed; read wait </dev/null; exec sleep 0.2",
    ));
    let credit = first_credit(&mut agent, channel);
    let mut finished = Finished::default();
    while finished.refused.is_empty() {
        agent.step(channel, &mut finished);
    }
    assert_eq!(finished.refused, [0]);
    agent.data(channel, 0, &vec![1; credit]);
    agent.eof(channel, 0);
    let finished = agent.finish_with(channel, finished);
    assert_eq!(
        (finished.stdout().as_str(), finished.exit().status),
        ("closed\n", Status::Code(0))
    );
    agent.close();
}

#[test]
fn input_after_the_exit_is_ignored() {
    let mut agent = Agent::start();
    let channel = agent.start_step(with_stdin("true"));
    let credit = first_credit(&mut agent, channel);
    agent.finish(channel);
    agent.data(channel, 0, &vec![1; credit]);
    agent.eof(channel, 0);
    agent.send(channel, &Message::Kill);
    assert_eq!(agent.step_of(sh("echo alive")).stdout(), "alive\n");
    agent.close();
}

fn first_credit(agent: &mut Agent, channel: u32) -> usize {
    loop {
        match agent.next_of(channel) {
            Incoming::Message(Message::Started(_)) => {}
            Incoming::Message(Message::Credit(Credit { stream: 0, bytes })) => {
                return bytes as usize;
            }
            other => panic!("no credit but {other:?}"),
        }
    }
}
