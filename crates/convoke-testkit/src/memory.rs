//! Hosts in memory: the connector `memory:`, which plays what a script says.
//!
//! No process, no socket, no clock but tokio's, so that a test with paused time takes none.

mod player;
mod script;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use convoke::agents::{Agent, Agents};
use convoke::host::Reach;
use convoke_connect::connector::{Close, Connector, Ending, Pipes, Request, Route};
use convoke_connect::endpoint::Endpoint;
use convoke_connect::error::ConnectError;
use convoke_connect::future::BoxFuture;
use convoke_connect::registry::Registry;
use convoke_connect::surroundings::Surroundings;
use convoke_proto::command::Start;
use convoke_proto::operation::Operation;
use tokio::io::duplex;
use tokio::task::JoinHandle;

pub use crate::emulated::{Emulated, PLATFORM, Said};
pub use script::{Gate, Script};

use crate::emulated::Witness;
use player::Player;
use script::Opening;

/// How much each pipe to a host in memory holds, in bytes: what a pipe of Linux does.
const PIPE: usize = 64 * 1024;

/// What an emulated host sets aside for what waits to be sent, in bytes.
const ROOM: usize = 64 * 1024;

/// Plays hosts. Clones are the same.
///
/// An endpoint `memory:NAME` is played by the script that was given for `NAME`, else by the common
/// one. Every connection plays a script from its beginning.
#[derive(Debug, Clone)]
pub struct Memory {
    common: Script,
    /// By host, one for each connection; the last is played again.
    scripts: BTreeMap<String, Vec<Script>>,
    route: Route,
    records: Arc<Mutex<BTreeMap<String, Record>>>,
    open: Arc<Mutex<Open>>,
}

/// What came to one host, over all its connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// How often somebody tried to connect to it.
    pub attempts: usize,
    /// How often it was connected to.
    pub connections: usize,
    /// What a failure was to be explained from: how the connection ended, and its last noise.
    pub diagnosed: Vec<(Option<Ending>, Vec<u8>)>,
    /// The start requests.
    pub starts: Vec<Start>,
    /// The lists of operations.
    pub operations: Vec<Vec<Operation>>,
    /// The bytes of stdin.
    pub stdin: Vec<u8>,
    /// Whether stdin came to its end.
    pub stdin_ended: bool,
    /// How often a process was to be killed.
    pub kills: usize,
    /// How many bytes of output it has sent.
    pub sent: usize,
    /// How many bytes of an agent it was sent.
    pub uploaded: usize,
}

/// How many connections are open.
#[derive(Debug, Default)]
struct Open {
    now: usize,
    peak: usize,
}

impl Memory {
    /// Every host plays `common`.
    pub fn new(common: Script) -> Self {
        Memory {
            common,
            scripts: BTreeMap::new(),
            route: Route::default(),
            records: Arc::default(),
            open: Arc::default(),
        }
    }

    /// The host `memory:NAME` plays another script.
    #[must_use]
    pub fn host(self, name: &str, script: Script) -> Self {
        self.host_with(name, vec![script])
    }

    /// The host `memory:NAME` plays these scripts, one for each attempt to connect, and the last again.
    #[must_use]
    pub fn host_with(mut self, name: &str, scripts: Vec<Script>) -> Self {
        self.scripts.insert(name.to_owned(), scripts);
        self
    }

    /// All hosts are reached by this way.
    #[must_use]
    pub fn route(self, route: Route) -> Self {
        Memory { route, ..self }
    }

    /// What came to the host `memory:NAME`.
    pub fn record(&self, name: &str) -> Record {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.get(name).cloned().unwrap_or_default()
    }

    /// The most connections that were open at once.
    pub fn peak(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .peak
    }

    /// A [`Reach`] that knows no scheme but `memory`, with an agent of a few bytes for [`PLATFORM`].
    pub fn reach(&self) -> Reach {
        let registry = Registry::of([("memory", Arc::new(self.clone()) as _)]).unwrap();
        let agent = Agent::from_bytes(PLATFORM, b"an agent of a test").unwrap();
        let surroundings = Surroundings {
            environment: Vec::new(),
            home: None,
            host_name: "controller".into(),
            temporary: "/nonexistent".into(),
        };
        Reach {
            registry,
            ..Reach::new(surroundings, Agents::new(vec![agent]))
        }
    }

    /// The script of the attempt under way, or of the last one.
    fn script(&self, name: &str) -> Script {
        let attempt = self.record(name).attempts.saturating_sub(1);
        let scripts = self.scripts.get(name);
        let script = scripts.and_then(|scripts| scripts.get(attempt).or(scripts.last()));
        script.unwrap_or(&self.common).clone()
    }

    fn log(&self, name: &str) -> Log {
        Log {
            name: name.to_owned(),
            records: Arc::clone(&self.records),
        }
    }
}

impl Connector for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn route<'a>(
        &'a self,
        _endpoint: &'a Endpoint,
        _surroundings: &'a Surroundings,
    ) -> BoxFuture<'a, Result<Route, ConnectError>> {
        Box::pin(std::future::ready(Ok(self.route.clone())))
    }

    fn diagnose(
        &self,
        endpoint: &Endpoint,
        ending: Option<&Ending>,
        noise: &[u8],
    ) -> Option<ConnectError> {
        let name = endpoint.rest();
        let asked = (ending.cloned(), noise.to_vec());
        self.log(name).note(|record| record.diagnosed.push(asked));
        let script = self.script(name);
        let (kind, text) = script.diagnosis?;
        Some(ConnectError {
            hint: Some(format!("try {name}")),
            again: script.again,
            ..ConnectError::new(kind, text)
        })
    }

    fn open<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Pipes, ConnectError>> {
        Box::pin(async move {
            let name = request.endpoint.rest();
            self.log(name).note(|record| record.attempts += 1);
            let script = self.script(name);
            match &script.opening {
                Opening::Works => Ok(self.play(name, request.command, script)),
                Opening::Refuses { kind, text } => Err(ConnectError {
                    again: script.again,
                    ..ConnectError::new(*kind, text)
                }),
                Opening::Never => std::future::pending().await,
                Opening::Panics { text } => panic!("{text}"),
            }
        })
    }
}

impl Memory {
    fn play(&self, name: &str, command: &str, script: Script) -> Pipes {
        let (reader, stdout) = duplex(PIPE);
        let (writer, stdin) = duplex(PIPE);
        let (stderr, noise) = duplex(PIPE);
        let log = self.log(name);
        log.note(|record| record.connections += 1);
        let guard = Counted::new(&self.open);
        let player = Player::new(command, stdin, stdout, noise, log);
        let task = tokio::spawn(async move {
            let _guard = guard;
            player.play(script).await
        });
        Pipes {
            reader: Box::new(reader),
            writer: Box::new(writer),
            stderr: Box::new(stderr),
            close: Box::new(Played { task }),
            lent: None,
        }
    }
}

/// Writes down what came to one host.
#[derive(Debug, Clone)]
struct Log {
    name: String,
    records: Arc<Mutex<BTreeMap<String, Record>>>,
}

impl Log {
    fn note(&self, change: impl FnOnce(&mut Record)) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        change(records.entry(self.name.clone()).or_default());
    }
}

impl Witness for Log {
    fn start(&self, request: &Start) {
        self.note(|record| record.starts.push(request.clone()));
    }

    fn kill(&self) {
        self.note(|record| record.kills += 1);
    }

    fn stdin(&self, bytes: &[u8]) {
        self.note(|record| record.stdin.extend_from_slice(bytes));
    }
}

/// One open connection among all.
struct Counted(Arc<Mutex<Open>>);

impl Counted {
    fn new(open: &Arc<Mutex<Open>>) -> Self {
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        counts.now += 1;
        counts.peak = counts.peak.max(counts.now);
        Counted(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now -= 1;
    }
}

/// A connection whose far end a task plays.
struct Played {
    task: JoinHandle<Ending>,
}

impl Close for Played {
    fn close(mut self: Box<Self>) -> BoxFuture<'static, Ending> {
        Box::pin(async move {
            let ended = (&mut self.task).await;
            ended.unwrap_or_else(|error| Ending::Unknown {
                remark: error.to_string(),
            })
        })
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.task.abort();
    }
}
