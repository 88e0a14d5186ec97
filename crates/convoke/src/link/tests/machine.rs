//! What the machine says and hands out when everybody keeps to the rules.

use bytes::Bytes;
use convoke_proto::codec::Incoming;
use convoke_proto::command::{Direction, ExtraStream, Start};
use convoke_proto::credit::FIRST_WINDOW;
use convoke_proto::frame::{LINK_CHANNEL, MAX_DATA, Tag};
use convoke_proto::message::{Credit, Message, Stream, Token};

use super::super::Delivery;
use super::super::machine::{Arrival, Machine};
use super::{Talk, data, end, eof, exited, for_1, frame, hello, options, raw, started, with_stdin};

fn said(message: Message) -> Incoming {
    Incoming::Message(message)
}

fn granted(stream: u8, bytes: usize) -> Incoming {
    let bytes = bytes as u32;
    said(Message::Credit(Credit { stream, bytes }))
}

#[test]
fn a_hello_is_the_first_thing_it_says() {
    let said = Talk::silent().says();
    let [(LINK_CHANNEL, Incoming::Message(Message::Hello(ours)))] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(ours.link, super::ID);
}

#[test]
fn requests_are_sent_before_the_hello_of_the_agent_came() {
    let mut talk = Talk::silent();
    talk.machine.noop();
    assert_eq!(talk.says()[1], (1, said(Message::Noop)));
}

#[test]
fn bytes_that_the_bootstrap_read_already_count() {
    let rest = frame(LINK_CHANNEL, &Message::Hello(hello()));
    let mut machine = Machine::new(options(), rest.as_slice().into());
    assert_eq!(machine.next(), Ok(Some(Arrival::Hello(hello()))));
    assert!(machine.is_up());
}

#[test]
fn every_output_of_a_start_request_may_send_at_once() {
    let mut talk = Talk::new();
    let extra = |number, direction| ExtraStream { number, direction };
    let start = Start {
        extra: vec![extra(3, Direction::In), extra(4, Direction::Out)],
        ..with_stdin()
    };
    talk.machine.start(start.clone()).unwrap();
    let grants = [1, 2, 4].map(|stream| (1, granted(stream, FIRST_WINDOW)));
    let all = [(1, said(Message::Start(start)))].into_iter().chain(grants);
    assert!(all.eq(talk.says()));
}

#[test]
fn a_request_that_does_not_fit_leaves_nothing_behind() {
    let mut talk = Talk::new();
    let left = talk.machine.budget().left();
    let long = Start::new([vec![b'x'; 5 * 1024 * 1024]]);
    assert!(talk.machine.start(long).is_err());
    assert_eq!((talk.says(), talk.machine.budget().left()), (vec![], left));
}

#[test]
fn what_a_process_says_arrives_in_order() {
    let mut talk = Talk::new();
    talk.machine.start(Start::new(["true"])).unwrap();
    let all = [started(1), data(1, 1, b"out"), data(1, 2, b"err"), end(1)].concat();
    let output = |stream, data: &'static [u8]| Delivery::Output {
        stream,
        data: data.into(),
    };
    let expected = [
        Delivery::Started { pid: 42 },
        output(1, b"out"),
        output(2, b"err"),
        Delivery::Eof { stream: 1 },
        Delivery::Eof { stream: 2 },
        Delivery::Exit(exited()),
    ];
    assert_eq!(talk.hears(&all).unwrap(), expected.map(for_1));
}

#[test]
fn a_data_frame_of_no_bytes_says_nothing() {
    let mut talk = Talk::with_process(Start::new(["true"]));
    assert_eq!(talk.hears(&data(1, 1, b"")), Ok(vec![]));
}

#[test]
fn frames_nobody_knows_are_skipped() {
    let mut talk = Talk::with_process(Start::new(["true"]));
    for tag in [Tag(0x0f), Tag(0x5f), Tag(0x7f)] {
        assert_eq!(talk.hears(&raw(1, tag, b"news")), Ok(vec![]));
    }
}

#[test]
fn a_ping_is_answered_with_its_token() {
    let mut talk = Talk::new();
    let ping = frame(LINK_CHANNEL, &Message::Ping(Token(9)));
    assert_eq!(talk.hears(&ping), Ok(vec![]));
    assert_eq!(talk.says(), [(0, said(Message::Pong(Token(9))))]);
}

#[test]
fn an_agent_that_pings_without_reading_does_not_fill_our_memory() {
    let mut talk = Talk::new();
    let pings = frame(LINK_CHANNEL, &Message::Ping(Token(9))).repeat(1_000);
    for _ in 0..100 {
        talk.hears(&pings).unwrap();
    }
    assert!(talk.machine.outgoing().len() < 128 * 1024);
}

#[test]
fn credit_is_given_only_for_what_was_consumed() {
    let mut talk = Talk::with_process(Start::new(["yes"]));
    talk.hears(&data(1, 1, &[0; FIRST_WINDOW])).unwrap();
    assert_eq!(talk.says(), []);
    talk.machine.consumed(1, 1, FIRST_WINDOW);
    assert_eq!(talk.says(), [(1, granted(1, 2 * FIRST_WINDOW))]);
}

#[test]
fn a_stream_at_its_end_gets_no_credit() {
    let mut talk = Talk::with_process(Start::new(["yes"]));
    talk.hears(&data(1, 1, &[0; FIRST_WINDOW])).unwrap();
    talk.hears(&eof(1, 1)).unwrap();
    talk.machine.consumed(1, 1, FIRST_WINDOW);
    assert_eq!(talk.says(), []);
}

#[test]
fn stdin_goes_out_as_raw_frames_and_then_its_end() {
    let mut talk = Talk::with_process(with_stdin());
    let credit = Credit {
        stream: 0,
        bytes: 4,
    };
    talk.hears(&frame(1, &Message::Credit(credit))).unwrap();
    let data = |body: &'static str| Incoming::Data {
        stream: 0,
        body: body.into(),
    };
    talk.machine.send(1, 0, "lin".into());
    assert_eq!(talk.says(), [(1, data("lin"))]);
    talk.machine.send(1, 0, "e".into());
    // The last of the credit: then nobody but the sender knows that it may want more.
    assert_eq!(talk.says(), [(1, data("e")), (1, data(""))]);
    talk.machine.send(1, 0, Bytes::new());
    let end = said(Message::Eof(Stream { stream: 0 }));
    assert_eq!(talk.says(), [(1, end)]);
}

#[test]
fn a_channel_that_is_over_says_nothing_more() {
    let mut talk = Talk::with_process(with_stdin());
    talk.hears(&end(1)).unwrap();
    talk.machine.send(1, 0, "late".into());
    talk.machine.consumed(1, 1, 0);
    talk.machine.kill(1);
    talk.machine.forget(1);
    assert_eq!(talk.says(), []);
}

#[test]
fn the_budget_is_whole_again_when_a_channel_is_over() {
    let mut talk = Talk::new();
    let left = talk.machine.budget().left();
    talk.machine.start(Start::new(["true"])).unwrap();
    assert!(talk.machine.budget().left() < left);
    talk.hears(&[started(1), end(1)].concat()).unwrap();
    assert_eq!(talk.machine.budget().left(), left);
}

#[test]
fn a_forgotten_process_is_killed() {
    let mut talk = Talk::with_process(Start::new(["yes"]));
    talk.machine.forget(1);
    assert_eq!(talk.says(), [(1, said(Message::Kill))]);
}

#[test]
fn a_forgotten_request_for_nothing_kills_nothing() {
    let mut talk = Talk::new();
    talk.machine.noop();
    talk.says();
    talk.machine.forget(1);
    assert_eq!(talk.says(), []);
}

#[test]
fn a_forgotten_channel_takes_what_still_comes_and_hands_out_nothing() {
    let mut talk = Talk::with_process(Start::new(["yes"]));
    talk.hears(&data(1, 1, &[0; FIRST_WINDOW])).unwrap();
    talk.machine.forget(1);
    let grant = (1, granted(1, 2 * FIRST_WINDOW));
    assert_eq!(talk.says(), [(1, said(Message::Kill)), grant]);
    // Without credit for what is thrown away the agent could not send the end.
    let most = data(1, 1, &[0; MAX_DATA]);
    assert_eq!(talk.hears(&most), Ok(vec![]));
    assert!(matches!(
        talk.says()[..],
        [(1, Incoming::Message(Message::Credit(_)))]
    ));
    assert_eq!(talk.hears(&end(1)), Ok(vec![Arrival::Over(1)]));
}
