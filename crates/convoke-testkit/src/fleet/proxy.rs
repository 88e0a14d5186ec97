//! A bad way to a host: slow, cut, or without an end.

mod carry;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// A direction on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the host.
    Up,
    /// From the host to the client.
    Down,
}

/// What went over a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many connections were made.
    pub connections: usize,
    /// How many of them are open.
    pub open: usize,
    /// Bytes that went up.
    pub up: u64,
    /// Bytes that came down.
    pub down: u64,
    /// The longest chain of one-way trips of one connection, each of which began after the one before
    /// had arrived. Two of them are a round trip; time on the way is this times the delay. It is exact
    /// when the delay is well above the time that either end takes to answer; the TCP handshake, one
    /// round trip, is not in it.
    pub trips: u64,
}

/// Builds a [`Proxy`].
#[derive(Debug, Clone)]
#[must_use = "nothing happens until it is started"]
pub struct ProxyBuilder {
    ip: Ipv4Addr,
    host: SocketAddr,
    conduct: Conduct,
}

/// How a proxy treats every connection.
#[derive(Debug, Clone, Copy, Default)]
struct Conduct {
    delay: Duration,
    cut_after: Option<(Direction, u64)>,
}

/// What is asked of the open connections.
#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    stalled: bool,
    /// How often all were cut.
    cuts: usize,
}

/// A listener in front of a host. Dropping it resets its connections.
///
/// It lives on a thread of its own, so that the runtime of a test, and its clock, have nothing to do
/// with it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    conduct: Conduct,
    host: SocketAddr,
    asked: watch::Sender<Asked>,
    counts: Mutex<Counts>,
}

impl ProxyBuilder {
    pub(super) fn new(ip: Ipv4Addr, host: SocketAddr) -> Self {
        ProxyBuilder {
            ip,
            host,
            conduct: Conduct::default(),
        }
    }

    /// Every byte takes this long, in each direction. Bandwidth is not limited.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.conduct.delay = delay;
        self
    }

    /// Every connection is reset when exactly so many bytes went in a direction.
    pub fn cut_after(mut self, direction: Direction, bytes: u64) -> Self {
        self.conduct.cut_after = Some((direction, bytes));
        self
    }

    /// Listens.
    pub fn start(self) -> Proxy {
        let listener = TcpListener::bind((self.ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            conduct: self.conduct,
            host: self.host,
            asked: watch::Sender::default(),
            counts: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || run(listener, of_thread, stopped));
        Proxy {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Proxy {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over it so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Resets every open connection.
    pub fn cut(&self) {
        self.shared.asked.send_modify(|asked| asked.cuts += 1);
    }

    /// From now on nothing arrives, in neither direction, not even an end: a hole. Connections to it
    /// still stand, as their handshake is the kernel's.
    pub fn stall(&self) {
        self.shared.asked.send_modify(|asked| asked.stalled = true);
    }

    /// What was held back arrives, and all that follows.
    pub fn resume(&self) {
        self.shared.asked.send_modify(|asked| asked.stalled = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.take().expect("it is joined once");
        let ended = thread.join();
        if !std::thread::panicking() {
            ended.expect("a proxy panicked");
        }
    }
}

impl Shared {
    fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn run(listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut connections = JoinSet::new();
        let accept = async {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(carry::connection(client, Arc::clone(&shared)));
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            // The sender was dropped.
            _ = stopped => {}
            () = accept => {}
        }
    });
}
