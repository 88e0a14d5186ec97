//! Plays a script over two pipes.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use bytes::{Bytes, BytesMut};
use convoke_connect::connector::Ending;
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::command::Stdin;
use convoke_proto::credit::{Allowance, FIRST_WINDOW};
use convoke_proto::frame::{Header, LINK_CHANNEL, MAX_DATA, Tag};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness};
use convoke_proto::message::{Credit, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::script::{Act, Script};
use super::{Log, PLATFORM, ROOM};
use crate::emulated::{self, bootstrap::Facts};

/// One connection of a host in memory.
pub(super) struct Player {
    facts: Option<Facts>,
    stdin: DuplexStream,
    stdout: DuplexStream,
    noise: DuplexStream,
    /// What may still be written before the connection is cut.
    cut: Option<usize>,
    log: Log,
    heard: Heard,
}

/// What the controller said.
#[derive(Default)]
struct Heard {
    decoder: Decoder,
    hello: Option<Hello>,
    starts: VecDeque<u32>,
    last_start: (u32, Stdin),
    credit: BTreeMap<(u32, u8), Allowance>,
    channel: u32,
    was_killed: bool,
    stdin_ended: bool,
}

/// Why a script ends early.
enum Stop {
    /// The other end, or the script itself, closed the connection.
    Closed,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Stop::Closed
    }
}

type Played<T = ()> = Result<T, Stop>;

impl Player {
    pub(super) fn new(
        command: &str,
        stdin: DuplexStream,
        stdout: DuplexStream,
        noise: DuplexStream,
        log: Log,
    ) -> Self {
        Player {
            facts: Facts::of(command),
            stdin,
            stdout,
            noise,
            cut: None,
            log,
            heard: Heard::default(),
        }
    }

    pub(super) async fn play(mut self, script: Script) -> Ending {
        self.cut = script.cut;
        if let Ok(()) = self.acts(script.acts).await {
            while self.hear().await.is_ok() {}
        }
        drop(self);
        match script.ending {
            Some(ending) => ending,
            None => std::future::pending().await,
        }
    }

    async fn acts(&mut self, acts: Vec<Act>) -> Played {
        for act in acts {
            self.act(act).await?;
        }
        Ok(())
    }

    async fn act(&mut self, act: Act) -> Played {
        match act {
            Act::Write(bytes) => self.write(&bytes).await,
            Act::Noise(bytes) => Ok(self.noise.write_all(&bytes).await?),
            Act::Answer(text) => self.answer(&text).await,
            Act::TakeAgent => self.take_agent().await,
            Act::Hello { protocol, link } => self.hello(protocol, link).await,
            Act::AwaitStart => self.await_start().await,
            Act::Say(message) => self.say(self.heard.channel, &message).await,
            Act::Output { stream, data } => self.output(stream, data).await,
            Act::Flood { stream, bytes } => self.flood(stream, bytes).await,
            Act::Overrun { stream, data } => self.data(stream, &data).await,
            Act::AwaitKill => self.until(|heard| heard.was_killed).await,
            Act::AwaitEof => {
                self.until(|heard| std::mem::take(&mut heard.stdin_ended))
                    .await
            }
            Act::Delay(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            Act::Pass(gate) => {
                gate.pass().await;
                Ok(())
            }
            Act::Silence => std::future::pending().await,
            Act::Close => Err(Stop::Closed),
            Act::Cat => self.cat().await,
            Act::Emulate(host) => {
                emulated::serve(&mut self.stdin, &mut self.stdout, &host, &self.log, ROOM).await?;
                Err(Stop::Closed)
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Played {
        let Some(left) = &mut self.cut else {
            return Ok(self.stdout.write_all(bytes).await?);
        };
        let part = &bytes[..bytes.len().min(*left)];
        *left -= part.len();
        let is_cut = *left == 0;
        self.stdout.write_all(part).await?;
        match is_cut {
            true => Err(Stop::Closed),
            false => Ok(()),
        }
    }

    async fn answer(&mut self, text: &str) -> Played {
        let facts = self.facts.as_ref();
        let nonce = facts.expect("only the bootstrap is answered").nonce.clone();
        self.write(format!("{nonce} {text}\n").as_bytes()).await
    }

    async fn take_agent(&mut self) -> Played {
        let bytes = self.facts.as_ref().map_or(0, |facts| facts.gzip_bytes);
        let mut agent = vec![0; bytes];
        self.stdin.read_exact(&mut agent).await?;
        self.log.note(|record| record.uploaded += bytes);
        Ok(())
    }

    async fn hello(&mut self, protocol: u16, link: Option<LinkId>) -> Played {
        self.until(|heard| heard.hello.is_some()).await?;
        let theirs = self.heard.hello.as_ref().map(|hello| hello.link);
        let hello = Hello {
            protocol,
            capabilities: Capabilities::default(),
            platform: PLATFORM.to_owned(),
            link: link.or(theirs).unwrap_or(LinkId([0; 16])),
            liveness: Liveness::default(),
        };
        self.say(LINK_CHANNEL, &Message::Hello(hello)).await
    }

    async fn await_start(&mut self) -> Played {
        self.until(|heard| !heard.starts.is_empty()).await?;
        if let Some(channel) = self.heard.starts.pop_front() {
            self.heard.channel = channel;
        }
        Ok(())
    }

    async fn say(&mut self, channel: u32, message: &Message) -> Played {
        let mut bytes = Vec::new();
        message.encode(channel, &mut bytes).unwrap();
        self.write(&bytes).await?;
        if let Message::Started(_) = message {
            let grant = Credit {
                stream: 0,
                bytes: FIRST_WINDOW as u32,
            };
            if self.heard.reads_stdin(channel) {
                Box::pin(self.say(channel, &Message::Credit(grant))).await?;
            }
        }
        Ok(())
    }

    async fn output(&mut self, stream: u8, mut data: Bytes) -> Played {
        while !data.is_empty() {
            let channel = self.heard.channel;
            self.until(|heard| heard.credit(channel, stream).left() > 0)
                .await?;
            let credit = self.heard.credit(channel, stream);
            let piece = data.split_to(data.len().min(credit.left()).min(MAX_DATA));
            credit.spend(piece.len());
            self.data(stream, &piece).await?;
        }
        Ok(())
    }

    async fn flood(&mut self, stream: u8, bytes: usize) -> Played {
        let piece = Bytes::from(vec![b'x'; MAX_DATA]);
        let mut left = bytes;
        while left > 0 {
            let next = left.min(MAX_DATA);
            self.output(stream, piece.slice(..next)).await?;
            left -= next;
        }
        Ok(())
    }

    async fn data(&mut self, stream: u8, body: &[u8]) -> Played {
        for body in body.chunks(MAX_DATA) {
            let header = Header {
                length: body.len(),
                channel: self.heard.channel,
                tag: Tag::data(stream),
            };
            self.write(&[header.to_bytes().as_slice(), body].concat())
                .await?;
            self.log.note(|record| record.sent += body.len());
        }
        Ok(())
    }

    async fn until(&mut self, is_so: impl Fn(&mut Heard) -> bool) -> Played {
        while !is_so(&mut self.heard) {
            self.hear().await?;
        }
        Ok(())
    }

    /// Takes one frame from the controller.
    async fn hear(&mut self) -> Played {
        loop {
            // A controller that breaks the protocol is a bug that a test must see.
            if let Some((channel, incoming)) = self.heard.decoder.next().unwrap() {
                return self.frame(channel, incoming).await;
            }
            if self.stdin.read_buf(self.heard.decoder.buffer()).await? == 0 {
                return Err(Stop::Closed);
            }
        }
    }

    async fn frame(&mut self, channel: u32, incoming: Incoming) -> Played {
        let log = &self.log;
        match incoming {
            Incoming::Message(Message::Hello(hello)) => self.heard.hello = Some(hello),
            Incoming::Message(Message::Start(start)) => {
                self.heard.starts.push_back(channel);
                self.heard.last_start = (channel, start.stdin);
                log.note(|record| record.starts.push(start));
            }
            Incoming::Message(Message::Operate(request)) => {
                self.heard.starts.push_back(channel);
                log.note(|record| record.operations.push(request.operations));
            }
            Incoming::Message(Message::Put(_) | Message::Get(_)) => {
                self.heard.starts.push_back(channel);
            }
            Incoming::Message(Message::Credit(Credit { stream, bytes })) => {
                let credit = self.heard.credit(channel, stream);
                assert!(credit.grant(bytes), "absurd credit");
            }
            Incoming::Message(Message::Kill) => {
                self.heard.was_killed = true;
                log.note(|record| record.kills += 1);
            }
            Incoming::Message(Message::Eof(_)) => {
                self.heard.stdin_ended = true;
                log.note(|record| record.stdin_ended = true);
            }
            Incoming::Message(Message::Ping(token)) => {
                return self.say(LINK_CHANNEL, &Message::Pong(token)).await;
            }
            Incoming::Message(Message::Noop) => return self.say(channel, &Message::Done).await,
            // The controller is out of credit, as it knows.
            Incoming::Data { body, .. } if body.is_empty() => {}
            Incoming::Data { stream, body } => {
                log.note(|record| record.stdin.extend_from_slice(&body));
                let bytes = body.len() as u32;
                let credit = Message::Credit(Credit { stream, bytes });
                let told = self.say(channel, &credit).await;
                // A controller that listens no more may have said something before.
                return told.or(self.cut.map_or(Ok(()), |_| Err(Stop::Closed)));
            }
            Incoming::Message(_) | Incoming::Unknown(_) => {}
        }
        Ok(())
    }

    async fn cat(&mut self) -> Played {
        let mut buffer = BytesMut::with_capacity(MAX_DATA);
        while self.stdin.read_buf(&mut buffer).await? > 0 {
            self.write(&buffer.split()).await?;
        }
        Err(Stop::Closed)
    }
}

impl Heard {
    fn credit(&mut self, channel: u32, stream: u8) -> &mut Allowance {
        self.credit.entry((channel, stream)).or_default()
    }

    fn reads_stdin(&self, channel: u32) -> bool {
        self.last_start == (channel, Stdin::Stream)
    }
}
