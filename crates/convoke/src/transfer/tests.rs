//! Files over a link whose agent is played by the test.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::credit::{Budget, CONTROLLER_BUDGET};
use convoke_proto::fault::{Fault, FaultKind};
use convoke_proto::file::{Durability, FileKind, Get, NewFile, Ownership, Stat, Stored};
use convoke_proto::frame::{Header, LINK_CHANNEL, Tag};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness, PROTOCOL};
use convoke_proto::message::{Credit, Message, Stream};
use convoke_proto::operation::{Failure, Field, Reason};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

use super::{Arriving, Left, Pieces, Reading, Undone, get, put};
use crate::error::LinkError;
use crate::link::{Link, Options};

const ID: LinkId = LinkId(*b"a link of a test");

/// The other end of a link, after the hellos.
struct Agent {
    writer: DuplexStream,
    reader: DuplexStream,
    decoder: Decoder,
}

async fn pair() -> (Link, Agent) {
    let (reader, writer_there) = duplex(1024 * 1024);
    let (writer, reader_there) = duplex(1024 * 1024);
    let options = Options {
        id: ID,
        liveness: Liveness::default(),
        budget: Budget::new(CONTROLLER_BUDGET),
    };
    let mut agent = Agent {
        writer: writer_there,
        reader: reader_there,
        decoder: Decoder::new(),
    };
    let link = Link::open(reader, writer, BytesMut::new(), options);
    agent
        .says(
            LINK_CHANNEL,
            Message::Hello(Hello {
                protocol: PROTOCOL,
                capabilities: Capabilities::default(),
                platform: "test".into(),
                link: ID,
                liveness: Liveness::default(),
            }),
        )
        .await;
    (link, agent)
}

impl Agent {
    async fn says(&mut self, channel: u32, message: Message) {
        let mut bytes = Vec::new();
        message.encode(channel, &mut bytes).unwrap();
        self.writer.write_all(&bytes).await.unwrap();
    }

    async fn sends(&mut self, body: &[u8]) {
        let header = Header {
            length: body.len(),
            channel: 1,
            tag: Tag::data(1),
        };
        self.writer.write_all(&header.to_bytes()).await.unwrap();
        self.writer.write_all(body).await.unwrap();
    }

    /// Waits for the request.
    async fn asked(&mut self) {
        let request = self.hears().await;
        let is_request = matches!(
            request,
            Incoming::Message(Message::Put(_) | Message::Get(_))
        );
        assert!(is_request, "{request:?}");
    }

    async fn grants(&mut self, bytes: u32) {
        self.says(1, Message::Credit(Credit { stream: 0, bytes }))
            .await;
    }

    /// The next frame on channel 1.
    async fn hears(&mut self) -> Incoming {
        loop {
            match self.decoder.next().unwrap() {
                Some((1, incoming)) => return incoming,
                Some(_) => {}
                None => {
                    let read = self.reader.read_buf(self.decoder.buffer()).await.unwrap();
                    assert!(read > 0, "the link was closed");
                }
            }
        }
    }

    /// Everything up to the end of the content, or to what ends it early.
    async fn content(&mut self) -> (Vec<u8>, Message) {
        let mut content = Vec::new();
        loop {
            match self.hears().await {
                Incoming::Data { body, .. } => content.extend_from_slice(&body),
                Incoming::Message(Message::Put(_) | Message::Credit(_)) => {}
                Incoming::Message(message) => return (content, message),
                Incoming::Unknown(tag) => panic!("{tag:?}"),
            }
        }
    }
}

fn new_file() -> NewFile {
    NewFile {
        path: "/x".into(),
        inside: None,
        mode: None,
        ownership: Ownership::default(),
        durability: Durability::Synced,
    }
}

fn all_of(path: &str) -> Get {
    Get {
        path: path.into(),
        offset: 0,
        limit: None,
    }
}

fn stored(size: u64) -> Stored {
    Stored {
        path: "/x".into(),
        size,
        replaced: false,
    }
}

fn no_space() -> Failure {
    Failure {
        field: Field::Content,
        value: "/x".into(),
        reason: Reason::Errno(28),
        path: None,
    }
}

fn stat() -> Stat {
    Stat {
        mode: 0o644,
        size: 3,
        ..Stat::unknown(FileKind::File)
    }
}

/// Content that never comes to an end, and tells how often it was asked.
struct Endless(mpsc::UnboundedSender<usize>);

impl Pieces for Endless {
    async fn next(&mut self, most: usize) -> io::Result<Option<Bytes>> {
        let _ = self.0.send(most);
        Ok(Some(vec![7; most].into()))
    }
}

/// A reader whose disk is broken.
struct Unreadable;

impl AsyncRead for Unreadable {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::from_raw_os_error(5)))
    }
}

#[tokio::test]
async fn content_goes_within_credit_and_its_end_is_said() {
    let (link, mut agent) = pair().await;
    let content = Bytes::from_iter((0..100_000).map(|byte| byte as u8));
    let mut seen = Vec::new();
    let sending = put(&link, new_file(), content.clone(), |left| seen.push(left));
    let (sent, ()) = tokio::join!(sending, async {
        agent.asked().await;
        let mut came = Vec::new();
        for grant in [1, 40_000, 70_000] {
            agent.grants(grant).await;
            let until = content.len().min(came.len() + grant as usize);
            while came.len() < until {
                let Incoming::Data { body, .. } = agent.hears().await else {
                    panic!("something else than content");
                };
                came.extend_from_slice(&body);
            }
            assert_eq!(came.len(), until, "not a byte beyond its credit");
        }
        assert_eq!(came, content);
        let end = agent.hears().await;
        assert_eq!(end, Incoming::Message(Message::Eof(Stream { stream: 0 })));
        agent.says(1, Message::Stored(stored(100_000))).await;
    });
    assert_eq!(sent.unwrap(), stored(100_000));
    assert_eq!(seen.pop(), Some(Left::All(100_000)));
    assert_eq!(seen.last(), Some(&Left::SoFar(100_000)));
    let bytes = seen.iter().map(|left| match left {
        Left::SoFar(bytes) => bytes,
        Left::All(_) => panic!("said twice"),
    });
    assert!(bytes.is_sorted());
}

#[tokio::test]
async fn an_empty_file_is_its_end() {
    let (link, mut agent) = pair().await;
    let sending = put(&link, new_file(), Reading::new(tokio::io::empty()), |_| {});
    let (sent, ()) = tokio::join!(sending, async {
        agent.asked().await;
        agent.grants(10).await;
        let end = Message::Eof(Stream { stream: 0 });
        assert_eq!(agent.content().await, (vec![], end));
        agent.says(1, Message::Stored(stored(0))).await;
    });
    assert_eq!(sent.unwrap(), stored(0));
}

#[tokio::test]
async fn a_failure_of_the_host_ends_the_content_at_once() {
    let (link, mut agent) = pair().await;
    let (asked, mut asks) = mpsc::unbounded_channel();
    let sending = put(&link, new_file(), Endless(asked), |_| {});
    let (sent, ()) = tokio::join!(sending, async {
        agent.asked().await;
        agent.grants(1000).await;
        asks.recv().await.unwrap();
        agent.says(1, Message::Failed(no_space())).await;
    });
    assert!(matches!(sent, Err(Undone::Host(failure)) if failure == no_space()));
}

#[tokio::test]
async fn content_that_cannot_be_read_makes_the_host_throw_the_file_away() {
    let (link, mut agent) = pair().await;
    let content = Reading::new(b"half".as_slice().chain(Unreadable));
    let sending = put(&link, new_file(), content, |_| {});
    let (sent, ()) = tokio::join!(sending, async {
        agent.asked().await;
        agent.grants(1000).await;
    });
    assert!(matches!(sent, Err(Undone::Here(error)) if error.raw_os_error() == Some(5)));
    assert_eq!(agent.content().await, (b"half".to_vec(), Message::Kill));
}

#[tokio::test]
async fn a_file_that_is_said_to_stand_before_it_went_is_believed_by_nobody() {
    let (link, mut agent) = pair().await;
    let (asked, _asks) = mpsc::unbounded_channel();
    let sending = put(&link, new_file(), Endless(asked), |_| {});
    let (sent, ()) = tokio::join!(sending, async {
        agent.asked().await;
        agent.says(1, Message::Stored(stored(0))).await;
    });
    let Err(Undone::Broken(broken)) = sent else {
        panic!("{sent:?}");
    };
    assert_eq!(broken.error, LinkError::Unreadable);
}

#[tokio::test]
async fn a_dropped_transfer_is_ended_on_the_host() {
    let (link, mut agent) = pair().await;
    let (asked, mut asks) = mpsc::unbounded_channel();
    {
        let sending = put(&link, new_file(), Endless(asked), |_| {});
        tokio::select! {
            _ = sending => panic!("it ended"),
            () = async {
                agent.asked().await;
                agent.grants(5).await;
                asks.recv().await.unwrap();
            } => {}
        }
    }
    assert_eq!(agent.content().await.1, Message::Kill);
}

/// A file whose content has not come yet.
async fn opened(link: &Link, agent: &mut Agent) -> Arriving {
    let (came, ()) = tokio::join!(get(link, all_of("/x")), async {
        agent.asked().await;
        agent.says(1, Message::Opened(Box::new(stat()))).await;
    });
    let (said, arriving) = came.unwrap();
    assert_eq!(said, stat());
    arriving
}

#[tokio::test]
async fn a_file_comes_piece_by_piece_until_all_of_it_came() {
    let (link, mut agent) = pair().await;
    let mut arriving = opened(&link, &mut agent).await;
    // More than was announced: the file grew.
    agent.sends(b"one").await;
    agent.sends(b"").await;
    agent.sends(b"three").await;
    agent.says(1, Message::Eof(Stream { stream: 1 })).await;
    agent.says(1, Message::Done).await;
    let mut came = Vec::new();
    while let Some(piece) = arriving.next().await.unwrap() {
        assert!(!piece.is_empty());
        came.extend_from_slice(&piece);
    }
    assert_eq!(came, b"onethree");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_end_says_so() {
    let (link, mut agent) = pair().await;
    let mut arriving = opened(&link, &mut agent).await;
    agent.sends(b"one").await;
    agent.says(1, Message::Failed(no_space())).await;
    assert_eq!(arriving.next().await.unwrap(), Some("one".into()));
    let end = arriving.next().await;
    assert!(matches!(end, Err(Undone::Host(failure)) if failure == no_space()));
}

#[tokio::test]
async fn a_link_that_ends_in_the_middle_is_no_failure_of_the_host() {
    let (link, agent) = pair().await;
    let Agent { writer, reader, .. } = agent;
    let asking = get(&link, all_of("/x"));
    let (came, ()) = tokio::join!(asking, async { drop((writer, reader)) });
    assert!(matches!(came, Err(Undone::Broken(_))));
    let gone = put(&link, new_file(), Bytes::new(), |_| {}).await;
    let Err(Undone::Broken(broken)) = gone else {
        panic!("{gone:?}");
    };
    assert!(!broken.was_sent());
}

#[tokio::test]
async fn an_agent_that_knows_no_such_request_is_told_from_a_failing_host() {
    let (link, mut agent) = pair().await;
    let fault = Fault {
        kind: FaultKind::Unsupported,
        text: "never heard of it".into(),
    };
    let asking = get(&link, all_of("/x"));
    let (came, ()) = tokio::join!(asking, async {
        agent.asked().await;
        agent.says(1, Message::Fault(fault)).await;
    });
    let Err(Undone::Broken(broken)) = came else {
        panic!("{came:?}");
    };
    assert!(matches!(broken.error, LinkError::Refused { .. }));
}

#[tokio::test]
async fn a_path_that_fits_no_request_is_refused_before_anything_is_sent() {
    let (link, _agent) = pair().await;
    let long = all_of(&"x".repeat(convoke_proto::frame::MAX_REQUEST));
    let came = get(&link, long).await;
    let Err(Undone::Host(failure)) = came else {
        panic!("it was sent");
    };
    assert_eq!(failure.reason, Reason::TooLong);
}
