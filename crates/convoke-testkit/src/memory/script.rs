//! What a host in memory does, act by act.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use convoke_connect::connector::Ending;
use convoke_connect::error::{Again, ConnectErrorKind};
use convoke_proto::exit::{Cause, Exit, NotStarted, Stage, Status};
use convoke_proto::fault::{Fault, FaultKind};
use convoke_proto::frame::Tag;
use convoke_proto::hello::LinkId;
use convoke_proto::message::{Message, Started};
use convoke_proto::operation::Record;
use tokio::sync::Semaphore;

use super::Emulated;

/// What a host in memory does, from the first byte to the last.
///
/// The acts are played in order. While one waits (for credit, for a request, for the end of input),
/// pings are answered and what comes is written down. After the last act the host reads until the end
/// of its input and ends as [`Script::ending`] says.
///
/// ```
/// use convoke_testkit::memory::Script;
///
/// let web = Script::new().noise("motd\n").have().hello().started(42).stdout("x").exit(0);
/// # let _ = web;
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) opening: Opening,
    pub(super) acts: Vec<Act>,
    pub(super) cut: Option<usize>,
    pub(super) ending: Option<Ending>,
    pub(super) diagnosis: Option<(ConnectErrorKind, String)>,
    pub(super) again: Again,
}

/// What becomes of the attempt to connect.
#[derive(Debug, Clone)]
pub(super) enum Opening {
    Works,
    Refuses {
        kind: ConnectErrorKind,
        text: String,
    },
    Never,
    Panics {
        text: String,
    },
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Bytes on stdout, whatever they are.
    Write(Bytes),
    /// Bytes on the connection's stderr.
    Noise(Bytes),
    /// An answer of the bootstrap, after its nonce.
    Answer(String),
    /// The bytes of the agent are read.
    TakeAgent,
    /// The controller's hello is waited for and answered.
    Hello { protocol: u16, link: Option<LinkId> },
    /// A request is waited for.
    AwaitStart,
    /// A message on the channel of the last request.
    Say(Message),
    /// Output within credit.
    Output { stream: u8, data: Bytes },
    /// So many bytes of output within credit.
    Flood { stream: u8, bytes: usize },
    /// Output without regard to credit.
    Overrun { stream: u8, data: Bytes },
    /// A kill is waited for.
    AwaitKill,
    /// The end of stdin is waited for; credit is granted all the while.
    AwaitEof,
    /// Nothing happens for a while, and nothing is read.
    Delay(Duration),
    /// The gate is waited for.
    Pass(Gate),
    /// Nothing happens any more, nothing is read.
    Silence,
    /// Both pipes are closed.
    Close,
    /// Input is copied to output until its end.
    Cat,
    /// From here on our agent's protocol half speaks.
    Emulate(Emulated),
}

/// Lets a script go on when the test says so.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Gate(Arc::new(Semaphore::new(0)))
    }

    /// Lets `hosts` more pass.
    pub fn let_pass(&self, hosts: usize) {
        self.0.add_permits(hosts);
    }

    pub(super) async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// A host that says nothing.
    pub fn new() -> Self {
        Script {
            opening: Opening::Works,
            acts: Vec::new(),
            cut: None,
            ending: Some(Ending::Exited { code: 0 }),
            diagnosis: None,
            again: Again::Pointless,
        }
    }

    /// A host that has the agent, says hello, runs what it is asked to and exits with `code`.
    pub fn exits(code: u8) -> Self {
        Self::new().have().hello().started(42).exit(code)
    }

    /// A host that copies its input to its output, whatever it is asked to run.
    pub fn cat() -> Self {
        Self::new().then(Act::Cat)
    }

    /// A host whose agent's protocol half is the real one, and whose processes are functions.
    pub fn emulated(emulated: Emulated) -> Self {
        Self::new().have().then(Act::Emulate(emulated))
    }

    /// A host that refuses the connection.
    pub fn refuses(kind: ConnectErrorKind, text: &str) -> Self {
        Self::new().opening(Opening::Refuses {
            kind,
            text: text.to_owned(),
        })
    }

    /// A host whose connection is never made.
    pub fn never_connects() -> Self {
        Self::new().opening(Opening::Never)
    }

    /// A host whose connector panics.
    pub fn panics(text: &str) -> Self {
        Self::new().opening(Opening::Panics {
            text: text.to_owned(),
        })
    }

    fn opening(self, opening: Opening) -> Self {
        Script { opening, ..self }
    }

    fn then(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// Ends the connection once the host has written so many bytes to stdout.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        let cut = Some(bytes);
        Script { cut, ..self }
    }

    /// How the host's command ends; `None` when nobody ever hears of it.
    #[must_use]
    pub fn ending(self, ending: Option<Ending>) -> Self {
        Script { ending, ..self }
    }

    /// What the connector says when it is asked why the connection failed; with the hint `try HOST`.
    #[must_use]
    pub fn diagnosed(self, kind: ConnectErrorKind, text: &str) -> Self {
        let diagnosis = Some((kind, text.to_owned()));
        Script { diagnosis, ..self }
    }

    /// Its failure may be mended by another attempt.
    #[must_use]
    pub fn for_now(self) -> Self {
        let again = Again::MayHelp;
        Script { again, ..self }
    }

    /// Says something on stdout: noise before the bootstrap's answer, garbage after it.
    #[must_use]
    pub fn noise(self, text: impl Into<Vec<u8>>) -> Self {
        self.then(Act::Write(text.into().into()))
    }

    /// Says something on the connection's stderr.
    #[must_use]
    pub fn grumbles(self, text: &str) -> Self {
        self.then(Act::Noise(text.as_bytes().to_vec().into()))
    }

    /// Has the agent.
    #[must_use]
    pub fn have(self) -> Self {
        self.answer(format!("have {}", super::PLATFORM))
    }

    /// Needs the agent, takes it, and is ready.
    #[must_use]
    pub fn need(self) -> Self {
        let needed = self.answer(format!("need {} gz", super::PLATFORM));
        needed.then(Act::TakeAgent).answer("ready")
    }

    /// Says `NONCE text` and a line end, as the bootstrap's script does.
    #[must_use]
    pub fn answer(self, text: impl Into<String>) -> Self {
        self.then(Act::Answer(text.into()))
    }

    /// Waits for the controller's hello and answers it.
    #[must_use]
    pub fn hello(self) -> Self {
        self.then(Act::Hello {
            protocol: convoke_proto::hello::PROTOCOL,
            link: None,
        })
    }

    /// Answers the hello with another protocol number.
    #[must_use]
    pub fn hello_of_protocol(self, protocol: u16) -> Self {
        let link = None;
        self.then(Act::Hello { protocol, link })
    }

    /// Answers the hello of another link.
    #[must_use]
    pub fn hello_of_another_link(self) -> Self {
        self.then(Act::Hello {
            protocol: convoke_proto::hello::PROTOCOL,
            link: Some(LinkId([0xee; 16])),
        })
    }

    /// Waits for a request of operations, and answers with these records.
    #[must_use]
    pub fn answers(self, records: &[Record]) -> Self {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.encode(&mut bytes));
        self.takes_request().stdout(bytes)
    }

    /// Says that a request is done.
    #[must_use]
    pub fn done(self) -> Self {
        self.say(Message::Done)
    }

    /// Waits for a request and says nothing about it.
    #[must_use]
    pub fn takes_request(self) -> Self {
        self.then(Act::AwaitStart)
    }

    /// Waits for a start request and says that the process runs.
    #[must_use]
    pub fn started(self, pid: u32) -> Self {
        self.takes_request().say(Message::Started(Started { pid }))
    }

    /// Waits for a start request and says that the process could not be started.
    #[must_use]
    pub fn not_started(self, stage: Stage, errno: i32) -> Self {
        let tried = vec!["/usr/bin/prog".into()];
        self.takes_request().say(Message::NotStarted(NotStarted {
            stage,
            errno,
            tried,
        }))
    }

    /// Waits for a start request and refuses it.
    #[must_use]
    pub fn fault(self, kind: FaultKind, text: &str) -> Self {
        let text = text.to_owned();
        self.takes_request()
            .say(Message::Fault(Fault { kind, text }))
    }

    /// Says any message on the channel of the last request, or on the link's before the first.
    #[must_use]
    pub fn say(self, message: Message) -> Self {
        self.then(Act::Say(message))
    }

    /// Writes to stdout of the process, within credit.
    #[must_use]
    pub fn stdout(self, data: impl Into<Vec<u8>>) -> Self {
        let data = data.into().into();
        self.then(Act::Output { stream: 1, data })
    }

    /// Writes to stderr of the process, within credit.
    #[must_use]
    pub fn stderr(self, data: impl Into<Vec<u8>>) -> Self {
        let data = data.into().into();
        self.then(Act::Output { stream: 2, data })
    }

    /// Writes so many bytes to stdout of the process, within credit, as fast as they are taken.
    #[must_use]
    pub fn flood(self, bytes: usize) -> Self {
        self.then(Act::Flood { stream: 1, bytes })
    }

    /// Writes to stdout of the process without regard to credit.
    #[must_use]
    pub fn overrun(self, data: impl Into<Vec<u8>>) -> Self {
        let data = data.into().into();
        self.then(Act::Overrun { stream: 1, data })
    }

    /// Ends both streams and exits with `code`.
    #[must_use]
    pub fn exit(self, code: u8) -> Self {
        self.exit_as(Status::Code(code), Cause::Itself)
    }

    /// Ends both streams and exits in any way.
    #[must_use]
    pub fn exit_as(self, status: Status, cause: Cause) -> Self {
        self.exit_with(Exit {
            status,
            cause,
            left_running: 0,
            cut_streams: Vec::new(),
            survivors: Vec::new(),
        })
    }

    /// Ends both streams and exits with all the facts.
    #[must_use]
    pub fn exit_with(self, exit: Exit) -> Self {
        self.ends(1).ends(2).say(Message::Exit(exit))
    }

    /// Ends a stream of the process.
    #[must_use]
    pub fn ends(self, stream: u8) -> Self {
        self.say(Message::Eof(convoke_proto::message::Stream { stream }))
    }

    /// Writes the header of a frame that announces 16 MiB on the channel of a process.
    #[must_use]
    pub fn absurd_length(self) -> Self {
        self.noise([0, 0xff, 0xff, 0xff, 0, 0, 0, 1, Tag::EXIT.0])
    }

    /// Waits until the process is to be killed.
    #[must_use]
    pub fn until_killed(self) -> Self {
        self.then(Act::AwaitKill)
    }

    /// Takes stdin until its end.
    #[must_use]
    pub fn until_stdin_ends(self) -> Self {
        self.then(Act::AwaitEof)
    }

    /// Does nothing for a while, and reads nothing.
    #[must_use]
    pub fn delay(self, time: Duration) -> Self {
        self.then(Act::Delay(time))
    }

    /// Waits until the test lets it go on.
    #[must_use]
    pub fn pass(self, gate: &Gate) -> Self {
        self.then(Act::Pass(gate.clone()))
    }

    /// Says and reads nothing any more, with open pipes.
    #[must_use]
    pub fn silence(self) -> Self {
        self.then(Act::Silence)
    }

    /// Closes the connection.
    #[must_use]
    pub fn close(self) -> Self {
        self.then(Act::Close)
    }
}
