//! One process that answers as thousands of ssh hosts.
//!
//! Every address of its range is a host with an ssh server that has Convoke's agent already. The
//! commands of a host are functions: `true`, `false`, `echo`, `hostname`, `exit`, `sleep`,
//! `cat`. No process is started, and a host costs a socket and some kilobytes.
//!
//! ```no_run
//! use convoke_testkit::emulator::Emulator;
//!
//! let emulator = Emulator::builder().hosts(10_000).start().unwrap();
//! println!("convoke run -F {} 'h[1-10000]' -- hostname", emulator.ssh_config().display());
//! ```

mod command;
mod descriptors;
mod fate;
mod inflow;
mod programs;
mod server;
mod slow;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey, load_public_key, load_secret_key};
use rustix::net::{AddressFamily, SocketAddrV4, SocketFlags, SocketType};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::fleet::{Builder as Client, Fleet, Site, Unavailable};

pub use fate::Faults;

/// How many connections may wait to be taken: all that a client makes at once.
const BACKLOG: i32 = 4096;

/// How often another port is tried when somebody else was quicker.
const ATTEMPTS: usize = 10;

/// Running hosts, with the configuration for their clients.
///
/// They live on a thread of their own; dropping this ends them, with every connection, and removes the
/// directory.
#[derive(Debug)]
pub struct Emulator {
    site: Site,
    hosts: usize,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _directory: TempDir,
}

/// Builds an [`Emulator`].
#[derive(Debug, Clone)]
#[must_use = "nothing happens until it is started"]
pub struct Builder {
    client: Client,
    hosts: usize,
    conduct: Conduct,
}

/// How the hosts treat who connects.
#[derive(Debug, Clone, Copy, Default)]
struct Conduct {
    delay: Duration,
    faults: Faults,
    /// Whether everybody may log in, without a key.
    is_open: bool,
}

/// What the hosts have seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many connections were made.
    pub connections: usize,
    /// How many of them are open.
    pub open: usize,
    /// The most that were open at once.
    pub peak: usize,
    /// How many commands were run, agents among them.
    pub commands: usize,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    site: Site,
    conduct: Conduct,
    host_key: PrivateKey,
    identity: PublicKey,
    counts: Mutex<Counts>,
}

impl Builder {
    /// How many hosts have a name; 40 unless given.
    pub fn hosts(mut self, hosts: usize) -> Self {
        self.client = self.client.hosts(hosts);
        self.hosts = hosts;
        self
    }

    /// Every byte takes this long, in each direction, from the greeting on.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.conduct.delay = delay;
        self
    }

    /// Some hosts do not work.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.conduct.faults = faults;
        self
    }

    /// Everybody may log in, without a key.
    pub fn open(mut self) -> Self {
        self.conduct.is_open = true;
        self
    }

    /// A line for `ssh_config`.
    pub fn client_option(mut self, line: &str) -> Self {
        self.client = self.client.client_option(line);
        self
    }

    /// Makes the keys and listens.
    ///
    /// # Errors
    /// This process may not have as many descriptors as there are hosts.
    ///
    /// # Panics
    /// When `ssh-keygen` is not installed, or no port is free.
    pub fn start(self) -> Result<Emulator, Unavailable> {
        descriptors::allow(self.hosts)?;
        let directory = tempfile::Builder::new()
            .prefix("convoke-emulator-")
            .tempdir()
            .unwrap();
        let (site, listener) = self.listen(directory.path());
        let secret = |name: &str| load_secret_key(site.file(name), None).unwrap();
        let shared = Arc::new(Shared {
            site: site.clone(),
            conduct: self.conduct,
            host_key: secret("host_ed25519"),
            identity: load_public_key(site.file("identity.pub")).unwrap(),
            counts: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        // What it opens is open when this returns.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let serving = server::serve(listener, Arc::clone(&shared), stopped);
        let thread = std::thread::Builder::new().name("emulator".into());
        // With the runtime every task ends.
        let thread = thread.spawn(move || runtime.block_on(serving));
        Ok(Emulator {
            site,
            hosts: self.hosts,
            shared,
            stop: Some(stop),
            thread: Some(thread.unwrap()),
            _directory: directory,
        })
    }

    fn listen(&self, directory: &Path) -> (Site, TcpListener) {
        for _ in 0..ATTEMPTS {
            let site = self.client.site(directory);
            if let Ok(listener) = listener(site.port) {
                return (site, listener);
            }
            for file in fs::read_dir(directory).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        panic!("no port was free {ATTEMPTS} times");
    }
}

impl Emulator {
    /// Begins one with wishes.
    pub fn builder() -> Builder {
        Builder {
            client: Fleet::builder(),
            hosts: 40,
            conduct: Conduct::default(),
        }
    }

    /// The address of host `n`, from 1.
    ///
    /// # Panics
    /// When there are not as many addresses.
    pub fn address(&self, n: usize) -> Ipv4Addr {
        self.site.range.address(n)
    }

    /// The first `n` hosts as a host expression of addresses.
    pub fn hosts(&self, n: usize) -> String {
        self.site.range.expression(n)
    }

    /// The hosts as a host expression of names, which `ssh_config` knows.
    pub fn names(&self) -> String {
        format!("h[1-{}]", self.hosts)
    }

    /// The port, on every address.
    pub fn port(&self) -> u16 {
        self.site.port
    }

    /// The file for `ssh -F`: port, account, key and `known_hosts`.
    pub fn ssh_config(&self) -> PathBuf {
        self.site.file("ssh_config")
    }

    /// The directory with the keys, `known_hosts` and `ssh_config`.
    pub fn directory(&self) -> &Path {
        &self.site.directory
    }

    /// What the hosts have seen so far.
    pub fn counts(&self) -> Counts {
        self.shared.count(|counts| *counts)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        let thread = self.thread.take().expect("it is joined once");
        let ended = thread.join();
        if !std::thread::panicking() {
            ended.expect("an emulator panicked");
        }
    }
}

impl Shared {
    fn count<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Every interface is listened on, for every address of 127.0.0.0/8; who is not of there is sent away.
fn listener(port: u16) -> std::io::Result<TcpListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}
