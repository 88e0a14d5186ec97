//! The link with its task, over pipes in memory.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::command::Start;
use convoke_proto::credit::FIRST_WINDOW;
use convoke_proto::fault::{Fault, FaultKind};
use convoke_proto::frame::{LINK_CHANNEL, MAX_DATA};
use convoke_proto::message::{Credit, Message, Stream, Token};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use super::super::{Channel, Delivery, Link, MAX_CHANNELS, MAX_UNSENT};
use super::{data, end, exited, frame, hello, options, started, with_stdin};
use crate::error::{LinkError, StartError};

/// How many frames of stdin wait for the pipe at most.
const UNSENT: usize = MAX_UNSENT / MAX_DATA;

/// The other end of a link: what the test does as its agent.
pub(super) struct Agent {
    writer: DuplexStream,
    reader: DuplexStream,
    decoder: Decoder,
}

/// A link and its agent; each pipe holds `room` bytes.
pub(super) fn pair_with(room: usize) -> (Link, Agent) {
    let (reader, their_writer) = duplex(room);
    let (writer, their_reader) = duplex(room);
    let agent = Agent {
        writer: their_writer,
        reader: their_reader,
        decoder: Decoder::new(),
    };
    (
        Link::open(reader, writer, BytesMut::new(), options()),
        agent,
    )
}

/// A link whose hellos were said.
async fn pair() -> (Link, Agent) {
    let (link, mut agent) = pair_with(1024 * 1024);
    assert!(matches!(agent.next().await, Some((0, Message::Hello(_)))));
    agent
        .say(&frame(LINK_CHANNEL, &Message::Hello(hello())))
        .await;
    link.hello().await.unwrap();
    (link, agent)
}

/// A link with a process that was started on channel 1.
async fn running(start: Start) -> (Link, Agent, Channel) {
    let (link, mut agent) = pair().await;
    let mut channel = link.start(start).await.unwrap();
    agent
        .until(|message| matches!(message, Message::Credit(Credit { stream: 2, .. })))
        .await;
    agent.say(&started(1)).await;
    assert_eq!(channel.next().await, Delivery::Started { pid: 42 });
    (link, agent, channel)
}

impl Agent {
    async fn say(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    /// The next frame from the controller; `None` at the end.
    async fn frame(&mut self) -> Option<(u32, Incoming)> {
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(frame);
            }
            if self.reader.read_buf(self.decoder.buffer()).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// The next message from the controller, past any data.
    async fn next(&mut self) -> Option<(u32, Message)> {
        loop {
            if let (channel, Incoming::Message(message)) = self.frame().await? {
                return Some((channel, message));
            }
        }
    }

    /// Reads up to the message that is looked for.
    async fn until(&mut self, is_it: impl Fn(&Message) -> bool) -> Message {
        loop {
            let (_, message) = self.next().await.expect("it came before the end");
            if is_it(&message) {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    let (link, mut agent) = pair().await;
    let answering = tokio::spawn(async move {
        while let Some((channel, message)) = agent.next().await {
            assert_eq!(message, Message::Noop);
            agent.say(&frame(channel, &Message::Done)).await;
        }
    });
    let mut set = tokio::task::JoinSet::new();
    let link = std::sync::Arc::new(link);
    for _ in 0..10_000 {
        let link = std::sync::Arc::clone(&link);
        set.spawn(async move { link.noop().await });
    }
    assert!(set.join_all().await.iter().all(Result::is_ok));
    drop(link);
    answering.await.unwrap();
}

#[tokio::test]
async fn a_refused_request_says_why() {
    let (link, mut agent) = pair().await;
    let fault = Message::Fault(Fault {
        kind: FaultKind::Unsupported,
        text: "never heard of it".into(),
    });
    let (refused, ()) = tokio::join!(link.noop(), async {
        agent.next().await;
        agent.say(&frame(1, &fault)).await;
    });
    let text = "never heard of it".into();
    assert_eq!(refused, Err(LinkError::Refused { text }));
}

#[tokio::test]
async fn a_request_beyond_the_open_channels_waits_for_one_to_end() {
    let (link, mut agent) = pair().await;
    let mut channels = Vec::new();
    for _ in 0..MAX_CHANNELS {
        channels.push(link.start(Start::new(["true"])).await.unwrap());
        agent
            .until(|message| matches!(message, Message::Start(_)))
            .await;
    }
    let one_more = link.start(Start::new(["true"]));
    tokio::pin!(one_more);
    tokio::select! {
        biased;
        _ = &mut one_more => panic!("it did not wait"),
        () = tokio::task::yield_now() => {}
    }
    // Leaving one ends its process, which takes a while.
    channels.pop();
    agent.until(|message| *message == Message::Kill).await;
    tokio::select! {
        biased;
        _ = &mut one_more => panic!("it did not wait"),
        () = tokio::task::yield_now() => {}
    }
    let last = MAX_CHANNELS as u32;
    agent.say(&[started(last), end(last)].concat()).await;
    assert!(one_more.await.is_ok());
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_refused_before_anything_is_sent() {
    let (link, mut agent) = pair().await;
    let long = Start::new([vec![b'x'; 5 * 1024 * 1024]]);
    assert!(matches!(
        link.start(long).await,
        Err(StartError::Oversized(_))
    ));
    link.close().await;
    assert_eq!(agent.next().await, None);
}

#[tokio::test]
async fn output_counts_as_consumed_when_the_next_is_asked_for() {
    let (_link, mut agent, mut channel) = running(Start::new(["yes"])).await;
    agent.say(&data(1, 1, &[b'x'; FIRST_WINDOW])).await;
    let Delivery::Output { stream: 1, data } = channel.next().await else {
        panic!("no output");
    };
    assert_eq!(data.len(), FIRST_WINDOW);
    let next = channel.next();
    let credit = Message::Credit(Credit {
        stream: 1,
        bytes: 2 * FIRST_WINDOW as u32,
    });
    tokio::select! {
        _ = next => panic!("nothing more was sent"),
        granted = agent.next() => assert_eq!(granted, Some((1, credit))),
    }
}

#[tokio::test]
async fn a_dropped_channel_ends_its_process_and_the_link_goes_on() {
    let (link, mut agent, channel) = running(Start::new(["yes"])).await;
    drop(channel);
    assert_eq!(agent.next().await, Some((1, Message::Kill)));
    agent.say(&[data(1, 1, b"late"), end(1)].concat()).await;
    let (done, ()) = tokio::join!(link.noop(), async {
        assert_eq!(agent.next().await, Some((2, Message::Noop)));
        agent.say(&frame(2, &Message::Done)).await;
    });
    assert_eq!(done, Ok(()));
}

#[tokio::test]
async fn a_channel_that_is_over_kills_nothing_when_it_is_dropped() {
    let (link, mut agent, mut channel) = running(Start::new(["true"])).await;
    agent.say(&end(1)).await;
    while channel.next().await != Delivery::Exit(exited()) {}
    assert_eq!(channel.next().await, Delivery::Lost(LinkError::Closed));
    drop(channel);
    link.close().await;
    assert_eq!(agent.next().await, None);
}

#[tokio::test]
async fn stdin_goes_no_further_than_its_credit() {
    let (_link, mut agent, mut channel) = running(with_stdin()).await;
    assert_eq!(channel.stdin_credit(), 0);
    let credit = |bytes| frame(1, &Message::Credit(Credit { stream: 0, bytes }));
    agent.say(&credit(10)).await;
    channel.next().await;
    assert_eq!(channel.stdin_credit(), 10);
    let room = channel.room(4).await;
    channel.send(Bytes::from_static(b"four"), room);
    assert_eq!(channel.stdin_credit(), 6);
    channel.end_stdin();
    let four = Incoming::Data {
        stream: 0,
        body: "four".into(),
    };
    assert_eq!(agent.frame().await, Some((1, four)));
    let end = Message::Eof(Stream { stream: 0 });
    assert_eq!(agent.next().await, Some((1, end)));
}

#[tokio::test]
async fn the_credit_of_one_piece_of_stdin_is_at_most_a_frame() {
    let (_link, mut agent, mut channel) = running(with_stdin()).await;
    let credit = Credit {
        stream: 0,
        bytes: 4 * 1024 * 1024,
    };
    agent.say(&frame(1, &Message::Credit(credit))).await;
    channel.next().await;
    assert_eq!(channel.stdin_credit(), MAX_DATA);
}

#[tokio::test]
async fn stdin_waits_for_room_while_the_pipe_to_the_host_is_full() {
    let (_link, mut agent, channel) = without_room().await;
    let room = channel.room(MAX_DATA);
    tokio::pin!(room);
    tokio::select! {
        biased;
        _ = &mut room => panic!("it did not wait"),
        () = tokio::task::yield_now() => {}
    }
    // What the agent reads makes room again.
    tokio::join!(room, async {
        for _ in 0..UNSENT {
            while !matches!(agent.frame().await, Some((1, Incoming::Data { .. }))) {}
        }
    });
}

/// A link whose room for stdin is used up by a process on channel 1, behind a pipe of 4 KiB.
async fn without_room() -> (Link, Agent, Channel) {
    let (link, mut agent) = pair_with(4 * 1024);
    agent
        .say(&frame(LINK_CHANNEL, &Message::Hello(hello())))
        .await;
    let mut channel = link.start(with_stdin()).await.unwrap();
    agent
        .until(|message| matches!(message, Message::Start(_)))
        .await;
    let bytes = 4 * 1024 * 1024;
    let credit = Message::Credit(Credit { stream: 0, bytes });
    agent.say(&[started(1), frame(1, &credit)].concat()).await;
    while channel.stdin_credit() == 0 {
        channel.next().await;
    }
    for _ in 0..UNSENT {
        let room = channel.room(MAX_DATA).await;
        channel.send(Bytes::from(vec![0; MAX_DATA]), room);
    }
    (link, agent, channel)
}

#[tokio::test(start_paused = true)]
async fn room_for_stdin_comes_back_while_more_of_it_still_waits() {
    let (_link, mut agent, channel) = without_room().await;
    for _ in 0..UNSENT / 2 {
        while !matches!(agent.frame().await, Some((1, Incoming::Data { .. }))) {}
    }
    let room = tokio::time::timeout(Duration::from_secs(1), channel.room(MAX_DATA));
    assert!(room.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn stdin_for_a_process_that_has_ended_takes_no_room() {
    let (link, mut agent, mut channel) = running(with_stdin()).await;
    let bytes = 4 * 1024 * 1024;
    let credit = Message::Credit(Credit { stream: 0, bytes });
    agent.say(&frame(1, &credit)).await;
    while channel.stdin_credit() == 0 {
        channel.next().await;
    }
    agent.say(&end(1)).await;
    // The link has heard the exit once it has heard what came after it.
    let (done, ()) = tokio::join!(link.noop(), async {
        agent.until(|message| *message == Message::Noop).await;
        agent.say(&frame(2, &Message::Done)).await;
    });
    assert_eq!(done, Ok(()));
    for _ in 0..100 {
        let room = tokio::time::timeout(Duration::from_secs(1), channel.room(MAX_DATA));
        let room = room.await.unwrap();
        channel.send(Bytes::from(vec![0; MAX_DATA / 2]), room);
    }
}

#[tokio::test]
async fn short_pieces_of_stdin_use_no_more_room_than_their_bytes() {
    let (_link, mut agent, mut channel) = running(with_stdin()).await;
    let credit = Credit {
        stream: 0,
        bytes: 4 * 1024 * 1024,
    };
    agent.say(&frame(1, &Message::Credit(credit))).await;
    channel.next().await;
    for _ in 0..100 {
        let room = channel.room(MAX_DATA).await;
        channel.send(Bytes::from_static(b"x"), room);
        while !matches!(agent.frame().await, Some((1, Incoming::Data { .. }))) {}
    }
}

#[tokio::test]
async fn dropping_the_link_closes_the_pipe_to_the_host() {
    let (link, mut agent) = pair().await;
    drop(link);
    assert_eq!(agent.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_a_channel_of_a_dropped_link_is_told() {
    let (link, _agent, mut channel) = running(Start::new(["yes"])).await;
    drop(link);
    let told = tokio::time::timeout(Duration::from_secs(1), channel.next()).await;
    assert_eq!(told, Ok(Delivery::Lost(LinkError::Dropped)));
}

#[tokio::test]
async fn a_request_was_sent_as_soon_as_a_byte_of_it_was_written() {
    // Holds the hello, and nothing of a request.
    let hello_len = frame(LINK_CHANNEL, &Message::Hello(hello())).len();
    let ours = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let (link, mut agent) = pair_with(hello_len - hello().platform.len() + ours.len());
    let channel = link.start(Start::new(["true"])).await.unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!channel.receipt().was_sent());
    agent.next().await;
    while !channel.receipt().was_sent() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_link_whose_pipe_is_full_closes_it_all_the_same() {
    let (link, mut agent) = pair_with(16);
    drop(link);
    let closed = async { while agent.writer.write_all(&[0]).await.is_ok() {} };
    let waited = tokio::time::timeout(Duration::from_secs(3), closed).await;
    assert!(waited.is_ok());
}

#[tokio::test]
async fn what_was_asked_for_is_sent_before_a_link_closes() {
    let (link, mut agent) = pair().await;
    let channel = link.start(Start::new(["true"])).await.unwrap();
    drop(channel);
    link.close().await;
    assert!(matches!(agent.next().await, Some((1, Message::Start(_)))));
    agent.until(|message| *message == Message::Kill).await;
}

#[tokio::test]
async fn everybody_who_waits_is_told_why_the_link_ended() {
    let (link, mut agent, mut channel) = running(Start::new(["yes"])).await;
    agent.say(b"Killed\n").await;
    let Delivery::Lost(error) = channel.next().await else {
        panic!("not lost");
    };
    let text = r#"the connection was dropped: something that is not a frame arrived: "Killed\n""#;
    assert_eq!(error.to_string(), text);
    assert_eq!(link.noop().await, Err(error));
}

#[tokio::test]
async fn output_before_the_end_of_the_link_is_not_lost() {
    let (_link, mut agent, mut channel) = running(Start::new(["yes"])).await;
    agent.say(&data(1, 1, b"last words")).await;
    drop(agent);
    let last = Delivery::Output {
        stream: 1,
        data: "last words".into(),
    };
    assert_eq!(channel.next().await, last);
    assert_eq!(channel.next().await, Delivery::Lost(LinkError::Closed));
}

#[tokio::test]
async fn what_the_agent_said_counts_when_nothing_can_be_written_to_it_any_more() {
    let (link, agent, mut channel) = running(Start::new(["true"])).await;
    let Agent {
        mut writer, reader, ..
    } = agent;
    drop(reader);
    // The first write fails before the answer is sent.
    let unheard = tokio::spawn(async move { link.noop().await });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    writer.write_all(&end(1)).await.unwrap();
    drop(writer);
    let mut last = channel.next().await;
    while !last.is_last() {
        last = channel.next().await;
    }
    assert_eq!(last, Delivery::Exit(exited()));
    assert_eq!(unheard.await.unwrap(), Err(LinkError::Closed));
}

#[tokio::test]
async fn a_hello_that_came_counts_when_the_link_is_over() {
    let (link, mut agent) = pair_with(4 * 1024);
    agent
        .say(&frame(LINK_CHANNEL, &Message::Hello(hello())))
        .await;
    drop(agent);
    while link.noop().await.is_ok() {}
    assert_eq!(*link.hello().await.unwrap(), hello());
}

#[tokio::test]
async fn a_link_that_ended_without_a_hello_says_why() {
    let (link, agent) = pair_with(4 * 1024);
    drop(agent);
    assert_eq!(link.hello().await, Err(LinkError::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_silent_agent_is_asked_after_ten_seconds_and_lost_after_thirty() {
    let (link, mut agent) = pair().await;
    let began = Instant::now();
    let waiting = tokio::spawn(async move { link.noop().await });
    assert_eq!(agent.next().await, Some((1, Message::Noop)));
    assert_eq!(agent.next().await, Some((0, Message::Ping(Token(0)))));
    assert_eq!(began.elapsed().as_secs(), 10);
    let silent = LinkError::Silent(Duration::from_secs(30));
    assert_eq!(waiting.await.unwrap(), Err(silent));
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn an_idle_link_with_a_live_agent_stays_open() {
    let (link, mut agent) = pair().await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3600) {
        let ping = agent.next().await;
        assert_eq!(ping, Some((0, Message::Ping(Token(0)))));
        agent.say(&frame(0, &Message::Pong(Token(0)))).await;
    }
    link.close().await;
}

#[tokio::test]
async fn after_the_last_request_nothing_more_is_asked_and_answers_still_come() {
    let (link, mut agent) = pair().await;
    let mut last = link.send_noop().await.unwrap();
    link.finish();
    assert_eq!(agent.next().await, Some((1, Message::Noop)));
    assert_eq!(agent.next().await, Some((0, Message::Finish)));
    assert_eq!(link.noop().await, Err(LinkError::Dropped));
    agent.say(&frame(1, &Message::Done)).await;
    assert_eq!(last.next().await, Delivery::Done);
    drop(agent);
    assert!(link.close().await.is_some());
}
