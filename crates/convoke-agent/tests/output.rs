//! Output, its order, and its end.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::time::{Duration, Instant};

use convoke_proto::codec::Incoming;
use convoke_proto::command::{Direction, ExtraStream, Leftovers, Start};
use convoke_proto::exit::{Cause, Status};
use convoke_proto::message::{Message, Stream};
use driver::host::{Doomed, is_alive};
use driver::{Agent, Finished, rounds, sh};

#[test]
fn output_arrives_before_the_exit() {
    let mut agent = Agent::start();
    let finished = agent.step_of(sh("echo out; echo err >&2; exit 3"));
    assert_eq!(
        (finished.text(1).as_str(), finished.text(2).as_str()),
        ("out\n", "err\n")
    );
    let exit = finished.exit();
    assert_eq!(
        (exit.status, exit.cause, exit.left_running),
        (Status::Code(3), Cause::Itself, 0)
    );
    agent.close();
}

#[test]
fn a_signal_is_told_from_a_code() {
    let mut agent = Agent::start();
    assert_eq!(
        agent.step_of(sh("kill -USR1 $$")).exit().status,
        Status::Signal(10)
    );
    assert_eq!(
        agent.step_of(sh("exit 138")).exit().status,
        Status::Code(138)
    );
    agent.close();
}

#[test]
fn many_short_commands_lose_nothing() {
    let mut agent = Agent::start();
    for _ in 0..rounds(200, 5_000) {
        let finished = agent.step_of(sh("echo out; echo err >&2"));
        assert_eq!(
            (finished.text(1).as_str(), finished.text(2).as_str()),
            ("out\n", "err\n")
        );
    }
    agent.close();
}

#[test]
fn many_steps_at_once_keep_their_output_apart() {
    let mut agent = Agent::start();
    let count = rounds(100, 500);
    let channels: Vec<_> = (0..count)
        .map(|n| (n, agent.start_step(sh(&format!("echo {n}")))))
        .collect();
    for (number, channel) in channels {
        assert_eq!(agent.finish(channel).stdout(), format!("{number}\n"));
    }
    agent.close();
}

#[test]
fn bytes_in_the_pipe_at_the_exit_arrive() {
    let mut agent = Agent::start();
    let finished = agent.step_of(sh("head -c 60000 /dev/zero"));
    assert_eq!(finished.stdout().len(), 60_000);
    assert_eq!(finished.exit().cut_streams, []);
    agent.close();
}

#[test]
fn bytes_in_the_pipe_at_the_exit_wait_for_credit() {
    let mut agent = Agent::start();
    let channel = agent.request(sh("head -c 60000 /dev/zero; sleep 100 & echo"));
    let pid = started(&mut agent, channel);
    driver::host::eventually("the main process ends", || !is_alive(pid));
    // As much reading as would end the step if there was credit: only then is nothing lost.
    let mut finished = Finished::default();
    for _ in 0..6 {
        agent.credit(channel, 1, 10_000);
        agent.read_bytes(channel, &mut finished, 10_000);
    }
    agent.credit(channel, 1, 1000);
    agent.credit(channel, 2, 1000);
    finished = agent.finish_with(channel, finished);
    assert_eq!(finished.text(1).len(), 60_001); // And the line end of the echo.
    assert_eq!(
        (finished.exit().left_running, &finished.exit().cut_streams),
        (1, &vec![])
    );
    driver::host::kill_marked(agent.link);
    agent.close();
}

#[test]
fn any_byte_passes() {
    let mut agent = Agent::start();
    let finished = agent.step_of(sh(r"printf 'a\000b\377\376\r\n\033[1m'"));
    assert_eq!(finished.streams[&1], b"a\0b\xff\xfe\r\n\x1b[1m");
    agent.close();
}

#[test]
fn a_daemon_that_holds_stdout_is_left_alone_after_250_ms() {
    let mut agent = Agent::start();
    let begun = Instant::now();
    let finished = agent.step_of(sh("sleep 1000 & echo $!"));
    let daemon = Doomed(finished.stdout().trim().parse().unwrap());
    assert!(begun.elapsed() >= Duration::from_millis(250));
    assert_eq!(
        (finished.exit().left_running, &finished.exit().cut_streams),
        (1, &vec![])
    );
    assert!(is_alive(daemon.0));
    drop(daemon);
    agent.close();
}

#[test]
fn an_endless_writer_is_cut_and_lives_on() {
    let mut agent = Agent::start();
    let drip =
        r#"perl -e '$| = 1; while (1) { print "drip\n"; select(undef, undef, undef, 0.02) }'"#;
    for writer in [drip, "while :; do echo flood; done"] {
        let begun = Instant::now();
        let finished = agent.step_of(sh(&format!("({writer}) 2>/dev/null & echo $!")));
        let first = finished.stdout().lines().find_map(|line| line.parse().ok());
        let daemon = Doomed(first.unwrap());
        assert!(begun.elapsed() >= Duration::from_secs(2));
        assert_eq!(finished.exit().cut_streams, [1]);
        assert!(finished.exit().left_running >= 1);
        assert_eq!(agent.step_of(sh("echo goes on")).stdout(), "goes on\n");
        assert!(
            is_alive(daemon.0),
            "a released writer was killed by the end of its stream"
        );
        drop(daemon);
        driver::host::kill_marked(agent.link);
    }
    agent.close();
}

#[test]
fn what_is_left_can_be_killed_instead() {
    let mut agent = Agent::start();
    let line = "trap '' TERM; sleep 1000 & sleep 1000 & echo";
    let request = Start {
        leftovers: Leftovers::Kill,
        limits: driver::grace(50),
        ..sh(line)
    };
    let finished = agent.step_of(request);
    let exit = finished.exit();
    assert_eq!(
        (exit.status, exit.cause, exit.left_running),
        (Status::Code(0), Cause::Itself, 0)
    );
    driver::host::assert_no_process_of(agent.link);
    agent.close();
}

#[test]
fn a_stream_that_nobody_wants_does_not_stop_its_writer() {
    let mut agent = Agent::start();
    let channel = agent.request(sh("head -c 3000000 /dev/zero; echo done >&2"));
    agent.credit(channel, 2, 1000);
    agent.send(channel, &Message::Closed(Stream { stream: 1 }));
    let finished = agent.finish(channel);
    assert_eq!(
        (finished.text(1).as_str(), finished.text(2).as_str()),
        ("", "done\n")
    );
    agent.close();
}

#[test]
fn nothing_is_sent_without_credit() {
    let mut agent = Agent::start();
    let channel = agent.request(sh("echo text"));
    started(&mut agent, channel);
    agent.credit(channel, 2, 100);
    assert_eq!(
        agent.next_of(channel),
        Incoming::Message(Message::Eof(Stream { stream: 2 }))
    );
    agent.credit(channel, 1, 2);
    let Incoming::Data { stream: 1, body } = agent.next_of(channel) else {
        panic!("no data")
    };
    assert_eq!(&body[..], b"te");
    agent.credit(channel, 1, 100);
    let finished = Finished {
        ended: vec![2],
        ..Finished::default()
    };
    assert_eq!(agent.finish_with(channel, finished).stdout(), "xt\n");
    agent.close();
}

#[test]
fn extra_streams_have_their_own_numbers() {
    let mut agent = Agent::start();
    let out = |number| ExtraStream {
        number,
        direction: Direction::Out,
    };
    let back = ExtraStream {
        number: 9,
        direction: Direction::In,
    };
    let line = "echo three >&3; cat <&9 >&127; ls -1 /proc/self/fd";
    let request = Start {
        extra: vec![out(127), out(3), back],
        ..Start::new(["/bin/bash", "-c", line])
    };
    let channel = agent.start_step(request);
    started(&mut agent, channel);
    agent.data(channel, 9, b"nine");
    agent.eof(channel, 9);
    let finished = agent.finish(channel);
    assert_eq!(
        (finished.text(3).as_str(), finished.text(127).as_str()),
        ("three\n", "nine")
    );
    agent.close();
}

#[test]
fn a_slow_reader_does_not_fill_the_agent() {
    let mut agent = Agent::start();
    let total = rounds(20_000_000, 1_000_000_000);
    let channel = agent.start_step(sh(&format!("head -c {total} /dev/zero; echo end >&2")));
    let mut seen = 0;
    loop {
        match agent.next_of(channel) {
            Incoming::Data { stream, body } => {
                seen += body.len();
                agent.credit(channel, stream, body.len());
            }
            Incoming::Message(Message::Exit(_)) => break,
            _ => {}
        }
    }
    assert_eq!(seen, total + 4);
    let peak = driver::host::peak_memory(agent.worker);
    assert!(peak <= 8 * 1024, "{peak} KiB");
    agent.close();
}

fn started(agent: &mut Agent, channel: u32) -> i32 {
    match agent.next_of(channel) {
        Incoming::Message(Message::Started(started)) => started.pid as i32,
        other => panic!("not started: {other:?}"),
    }
}
