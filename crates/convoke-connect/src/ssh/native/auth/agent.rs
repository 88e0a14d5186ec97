//! The ssh-agents of a run, which many logins want something of at once.
//!
//! Each request has a connection of its own, over which the agent is told which server it is for: which
//! keys it shows may depend on that. Only a few are open at a time, for an agent may do one thing after
//! another, and slowly (a smart card), and may let only a few wait.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding};
use russh::keys::{Error, HashAlg};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

/// How long it may say nothing. For a signature it may wait for a person.
const LIMIT: Duration = Duration::from_secs(5);

/// How many requests it has before it at once.
const TURNS: usize = 8;

/// How often a request is made whose connection breaks.
const TRIES: u32 = 3;

/// How long it is waited before something is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// The ssh-agents, by their sockets.
#[derive(Debug, Default)]
pub(in crate::ssh) struct Agents(Mutex<HashMap<PathBuf, Arc<Queue>>>);

/// The ssh-agent, for one login, and what it holds.
pub(super) struct Agent {
    queue: Arc<Queue>,
    binding: Option<AgentSessionBinding>,
    pub(super) held: Vec<AgentIdentity>,
}

/// Why it is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing listens there.
    Absent,
    /// It does not answer in time.
    Hung,
    /// It does not want to sign, or cannot.
    Refused,
}

impl Agents {
    fn at(&self, socket: &Path) -> Arc<Queue> {
        let mut queues = lock(&self.0);
        let queue = queues.entry(socket.to_owned());
        Arc::clone(queue.or_insert_with(|| Arc::new(Queue::of(socket))))
    }
}

impl Agent {
    /// Asks the one at `socket` what it holds, for the server of `binding`.
    pub(super) async fn connect(
        agents: &Agents,
        socket: &Path,
        binding: Option<&AgentSessionBinding>,
    ) -> Result<Self, Silence> {
        let queue = agents.at(socket);
        Ok(Agent {
            held: queue.list(binding).await?,
            binding: binding.cloned(),
            queue,
        })
    }

    /// Adds the signature of `text` to it.
    pub(super) async fn sign(
        &self,
        held: &AgentIdentity,
        hash: Option<HashAlg>,
        text: Vec<u8>,
    ) -> Result<Vec<u8>, Silence> {
        let binding = self.binding.as_ref();
        self.queue.sign(binding, held, hash, text).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those who want something of one ssh-agent.
#[derive(Debug)]
struct Queue {
    socket: PathBuf,
    turns: Semaphore,
    pulse: Mutex<Pulse>,
}

/// Whether an agent lives.
#[derive(Debug)]
struct Pulse {
    /// When it last answered anybody.
    heard: Instant,
    /// How many signatures it was asked for that it has not given yet.
    signing: usize,
    /// It was silent for too long. Nobody waits for it any more.
    is_hung: bool,
}

/// A signature that the agent was asked for.
struct Signing<'a>(&'a Queue);

impl Drop for Signing<'_> {
    fn drop(&mut self) {
        let mut pulse = lock(&self.0.pulse);
        pulse.signing -= 1;
        pulse.heard = Instant::now();
    }
}

impl Queue {
    fn of(socket: &Path) -> Self {
        Queue {
            socket: socket.to_owned(),
            turns: Semaphore::new(TURNS),
            pulse: Mutex::new(Pulse {
                heard: Instant::now(),
                signing: 0,
                is_hung: false,
            }),
        }
    }

    async fn list(
        &self,
        binding: Option<&AgentSessionBinding>,
    ) -> Result<Vec<AgentIdentity>, Silence> {
        let _turn = self.turns.acquire().await;
        let listing = async {
            let mut tries = 1..TRIES;
            loop {
                let listed = match self.open(binding).await {
                    Ok(mut client) => client.request_identities().await,
                    Err(error) => Err(error),
                };
                match listed {
                    Err(error) if may_pass(&error) && tries.next().is_some() => sleep(PAUSE).await,
                    listed => return listed.map_err(|_| Silence::Absent),
                }
            }
        };
        self.patiently(listing).await
    }

    async fn sign(
        &self,
        binding: Option<&AgentSessionBinding>,
        held: &AgentIdentity,
        hash: Option<HashAlg>,
        text: Vec<u8>,
    ) -> Result<Vec<u8>, Silence> {
        let _turn = self.turns.acquire().await;
        let mut tries = 1..TRIES;
        loop {
            let opening = async { Ok(self.open(binding).await) };
            let signed = match self.patiently(opening).await? {
                Ok(mut client) => {
                    let _signing = self.signing();
                    client.sign_request(held, hash, text.clone()).await
                }
                Err(error) => Err(error),
            };
            match signed {
                Err(error) if may_pass(&error) && tries.next().is_some() => sleep(PAUSE).await,
                signed => return signed.map_err(|_| Silence::Refused),
            }
        }
    }

    fn signing(&self) -> Signing<'_> {
        lock(&self.pulse).signing += 1;
        Signing(self)
    }

    /// Connects as soon as it lets anybody wait, and says for which server.
    async fn open(
        &self,
        binding: Option<&AgentSessionBinding>,
    ) -> Result<AgentClient<UnixStream>, Error> {
        let stream = loop {
            match UnixStream::connect(&self.socket).await {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(PAUSE).await,
                connected => break connected?,
            }
        };
        let mut client = AgentClient::connect(stream);
        if let Some(binding) = binding {
            // For keys that may be used only for some hosts. Older ones do not know it.
            let _ = client.bind_session(binding, false).await;
        }
        Ok(client)
    }

    /// Does some `work` with it unless it is silent for too long, towards anybody.
    async fn patiently<T>(
        &self,
        work: impl Future<Output = Result<T, Silence>>,
    ) -> Result<T, Silence> {
        let began = Instant::now();
        tokio::pin!(work);
        loop {
            let Some(deadline) = self.deadline(began) else {
                return Err(Silence::Hung);
            };
            tokio::select! {
                done = &mut work => {
                    lock(&self.pulse).heard = Instant::now();
                    return done;
                }
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Until when it is waited for by somebody who began then; none when that is over.
    fn deadline(&self, began: Instant) -> Option<Instant> {
        let mut pulse = lock(&self.pulse);
        let now = Instant::now();
        let since = match pulse.signing {
            0 => began.max(pulse.heard),
            // Whoever does one thing after another says nothing meanwhile.
            _ => now,
        };
        pulse.is_hung |= since + LIMIT <= now;
        (!pulse.is_hung).then_some(since + LIMIT)
    }
}

/// Whether another connection may fare better.
fn may_pass(error: &Error) -> bool {
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    matches!(error, Error::IO(error) if !absent.contains(&error.kind()))
}
