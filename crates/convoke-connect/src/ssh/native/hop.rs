//! A connection to a host on the way, shared by all that are reached through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use russh::ChannelOpenFailure;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backlog::Backlog;
use super::contact::{Beginning, Caller, Contact};
use super::fault::{self, Stage};
use super::handler::{HEARING, Refusal, Streams};
use super::introduction::introduce;
use super::lane::{Lane, Lanes};
use super::noise::Noise;
use super::notes::Notes;
use crate::error::{ConnectError, ConnectErrorKind as Kind};
use crate::ssh::chain::Leg;
use crate::ssh::hints::trust_hop;

/// What ssh calls itself towards a hop when the way does not begin at a port of this machine.
const ORIGIN: (&str, u32) = ("127.0.0.1", 65535);

/// From how much on a hop is given nothing more until it has written, in bytes: what a few of those behind it may
/// have on the way.
const BACKLOG: usize = 512 * 1024;

/// An open connection to a hop. Dropping it ends it.
pub(super) struct Hop {
    inner: Arc<Inner>,
    /// What was said on the way to it, for all that are reached through it.
    noise: Noise,
    /// How often it was used.
    uses: AtomicU64,
    _cut: DropGuard,
}

/// What must be there until the last answer of the hop, also when nobody wants that any more.
struct Inner {
    name: String,
    contact: Contact,
    lanes: Lanes,
    backlog: Backlog,
    /// What the hop says when it cannot connect further.
    refusals: Mutex<mpsc::Receiver<Refusal>>,
}

/// A connection to a hop that is the right one, before the login.
pub(super) struct Gate {
    name: String,
    contact: Contact,
    lanes: Lanes,
    backlog: Backlog,
    refusals: mpsc::Receiver<Refusal>,
    noise: Noise,
    cut: DropGuard,
}

impl Gate {
    /// Connects to the hop of `leg`, through `from` if that is not the first. It knows nothing of us yet.
    /// If it is not known itself, somebody may be asked.
    ///
    /// # Errors
    /// With the name of the hop.
    pub(super) async fn reach(
        leg: &Leg,
        from: Option<&Arc<Hop>>,
        caller: Caller<'_>,
    ) -> Result<Self, ConnectError> {
        let notes = Notes::default();
        let unknown = match Self::connect(leg, from, &notes, caller).await {
            Err(error) if error.kind == Kind::HostKeyUnknown => error,
            connected => return connected,
        };
        match notes.looked_at() {
            Some(sight) if introduce(&sight, &leg.terms, caller).await => {
                Self::connect(leg, from, &Notes::default(), caller).await
            }
            Some(_) => Err(ConnectError {
                hint: Some(trust_hop(&leg.jump.words())),
                ..unknown
            }),
            // It was a program on the way that did not know somebody.
            None => Err(unknown),
        }
    }

    async fn connect(
        leg: &Leg,
        from: Option<&Arc<Hop>>,
        notes: &Notes,
        caller: Caller<'_>,
    ) -> Result<Self, ConnectError> {
        let cut = CancellationToken::new();
        // Whatever happens from here on, dropping it ends the connection.
        let guard = cut.clone().drop_guard();
        let noise = Noise::default();
        if let Some(from) = from {
            noise.add(&from.said());
        }
        let lanes = Lanes::default();
        let backlog = Backlog::of(BACKLOG);
        let (refuse, refusals) = mpsc::channel(1);
        let streams = Streams::Lanes {
            hop: leg.name().to_owned(),
            lanes: lanes.clone(),
            noise: noise.clone(),
            refuse,
        };
        let beginning = Beginning {
            from,
            noise: &noise,
            notes,
            cut: &cut,
            backlog: &backlog,
        };
        let contact = Contact::make(&leg.terms, beginning, streams, caller).await;
        Ok(Gate {
            name: leg.name().to_owned(),
            contact: contact.map_err(|error| fault::through(leg.name(), error))?,
            lanes,
            backlog,
            refusals,
            noise,
            cut: guard,
        })
    }

    /// Logs in.
    ///
    /// # Errors
    /// With the name of the hop.
    pub(super) async fn enter(self, leg: &Leg, caller: Caller<'_>) -> Result<Hop, ConnectError> {
        let Gate {
            name,
            mut contact,
            lanes,
            backlog,
            refusals,
            noise,
            cut,
        } = self;
        let entered = contact.enter(&leg.terms, caller).await;
        entered.map_err(|error| fault::through(&name, error))?;
        Ok(Hop {
            inner: Arc::new(Inner {
                name,
                contact,
                lanes,
                backlog,
                refusals: Mutex::new(refusals),
            }),
            noise,
            uses: AtomicU64::new(0),
            _cut: cut,
        })
    }
}

impl Hop {
    pub(super) fn is_closed(&self) -> bool {
        self.inner.contact.session.is_closed() || self.inner.lanes.cause().is_some()
    }

    /// A number that has changed whenever it was used.
    pub(super) fn uses(&self) -> u64 {
        self.uses.load(Ordering::Relaxed)
    }

    /// What was said on the way to it.
    pub(super) fn said(&self) -> Vec<u8> {
        self.noise.last()
    }

    /// A way to a server that the hop can connect to.
    ///
    /// The answer is awaited by a task of its own, which ends with the hop at the latest: if the caller
    /// gives up meanwhile, the channel must be closed.
    pub(super) async fn lane(
        self: &Arc<Self>,
        host: &str,
        port: u16,
    ) -> Result<Lane, ConnectError> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        let (inner, host) = (Arc::clone(&self.inner), host.to_owned());
        let opening = tokio::spawn(async move { inner.open(host, port).await });
        let opened = match opening.await {
            Ok(opened) => opened,
            Err(_) => Err(self.inner.gone()),
        };
        match opened {
            Ok(lane) => Ok(lane.holding(Arc::clone(self))),
            Err(error) => Err(fault::through(&self.inner.name, error)),
        }
    }
}

impl Inner {
    async fn open(&self, host: String, port: u16) -> Result<Lane, ConnectError> {
        let (origin, at) = ORIGIN;
        let session = &self.contact.session;
        let opening = session.channel_open_direct_tcpip(host, u32::from(port), origin, at);
        match opening.await {
            Ok(channel) => {
                self.lanes.begun(channel.id()).await;
                let (lanes, backlog) = (self.lanes.clone(), self.backlog.clone());
                Ok(Lane::new(channel, lanes, backlog))
            }
            Err(russh::Error::ChannelOpenFailure(reason)) => Err(self.refused(reason).await),
            Err(_) => Err(self.gone()),
        }
    }

    /// The hop could not connect further.
    async fn refused(&self, reason: ChannelOpenFailure) -> ConnectError {
        // The hop is not heard again before this was taken, so it is the answer to this request.
        let mut refusals = self.refusals.lock().await;
        let refusal = tokio::time::timeout(HEARING, refusals.recv()).await;
        let why = refusal.ok().flatten().map(Refusal::take);
        fault::not_further(&reason, &why.unwrap_or_default())
    }

    /// The connection to the hop has ended.
    fn gone(&self) -> ConnectError {
        match self.lanes.cause() {
            Some(cause) => fault::hop_gone(&cause),
            None => self.contact.why(Stage::Session, russh::Error::Disconnect),
        }
    }
}
