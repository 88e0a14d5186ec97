//! A real sshd on loopback, every address of which is a host.
//!
//! ```no_run
//! use convoke_testkit::fleet::{Fleet, Noise, Shell};
//!
//! let fleet = Fleet::builder().shell(Shell::Zsh).noise(Noise::Motd).start();
//! let said = fleet.ssh(&fleet.address(7).to_string()).arg("echo here").output().unwrap();
//! assert!(said.stdout.ends_with(b"here\n"));
//! ```

mod account;
mod builder;
mod dead_end;
mod keys;
mod login;
mod prepare;
mod processes;
mod proxy;
mod ready;
mod site;
mod sshd;
mod watcher;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use builder::{Builder, Unavailable};
pub use dead_end::DeadEnd;
pub use keys::{HostKey, Known};
pub use login::{Noise, Shell};
pub use proxy::{Counts, Direction, Proxy, ProxyBuilder};
pub(crate) use site::{Range, Site, random};

use builder::Plan;
use login::{Homes, Place};
use processes::Family;
use watcher::Watcher;

/// How long killed processes may take to be gone on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running sshd with its keys and the configuration for its clients.
///
/// It listens on every address of loopback, so every host is the same machine under another address.
/// Dropping it ends the sshd and every process that came of it, also what detached itself, and removes
/// its directory. The same happens when our process is killed.
///
/// Where it may, it has a mount namespace of its own, with its own account files, `/var/tmp` and
/// `/dev/shm`: see [`Fleet::is_isolated`]. Elsewhere it forces the chosen shell behind the real one, whose start-up files are
/// read; and a process that detached itself *and* emptied its environment is not found again.
#[derive(Debug)]
pub struct Fleet {
    // In the order of dropping: the watcher removes the directory itself.
    watcher: Watcher,
    family: Family,
    site: Site,
    plan: Plan,
    account: String,
    aliases: Mutex<Vec<(String, SocketAddr)>>,
    _directory: TempDir,
}

impl Fleet {
    /// Starts one without special wishes: `/bin/sh`, an empty home, the key in `known_hosts`.
    ///
    /// # Panics
    /// As [`Builder::start`] does.
    pub fn start() -> Fleet {
        Fleet::builder().start()
    }

    /// Begins one with wishes.
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn new(
        directory: TempDir,
        site: Site,
        plan: Plan,
        account: String,
        watcher: Watcher,
        place: Place,
    ) -> Fleet {
        let family = Family {
            watcher: watcher.pid(),
            mark: site.mark.clone(),
            own_namespace: place == Place::Own,
        };
        let fleet = Fleet {
            watcher,
            family,
            site,
            plan,
            account,
            aliases: Mutex::default(),
            _directory: directory,
        };
        fleet.write_ssh_config(&[]);
        fleet
    }

    /// The address of host `n`, from 1; its third byte counts up every 250 hosts.
    ///
    /// # Panics
    /// When there are not as many addresses.
    pub fn address(&self, n: usize) -> Ipv4Addr {
        self.site.range.address(n)
    }

    /// The first `n` hosts as a host expression, such as `127.77.0.[1-40]`.
    pub fn hosts(&self, n: usize) -> String {
        self.site.range.expression(n)
    }

    /// The names of the first `n` hosts, which `ssh_config` knows: `h1`, `h2`, ….
    ///
    /// # Panics
    /// When that is more than [`Builder::hosts`].
    pub fn names(&self, n: usize) -> Vec<String> {
        let named = self.plan.hosts;
        assert!(n <= named, "only {named} hosts have a name");
        (1..=n).map(|n| format!("h{n}")).collect()
    }

    /// The port, on every address.
    pub fn port(&self) -> u16 {
        self.site.port
    }

    /// The account that is logged in to.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Whether it has a mount namespace of its own, which takes root and the right to unshare.
    pub fn is_isolated(&self) -> bool {
        self.family.own_namespace
    }

    /// The file for `ssh -F`: port, account, key and `known_hosts`.
    pub fn ssh_config(&self) -> PathBuf {
        self.site.file("ssh_config")
    }

    /// The private key of the user; it has no passphrase.
    pub fn identity(&self) -> PathBuf {
        self.site.file("identity")
    }

    /// The `known_hosts` that the client reads.
    pub fn known_hosts(&self) -> PathBuf {
        self.site.file("known_hosts")
    }

    /// The directory that everything is in; a test may put its own files there.
    pub fn directory(&self) -> &Path {
        &self.site.directory
    }

    /// The home of host `n`, seen from here.
    pub fn home(&self, n: usize) -> PathBuf {
        match self.plan.login.homes {
            Homes::Separate if n <= self.plan.hosts => self.site.home_of(n),
            _ => self.site.home(),
        }
    }

    /// A directory on the hosts that everybody may write to, with room for 1 MiB; none unless there is a mount
    /// namespace for it and it was asked for.
    pub fn small_disk(&self) -> Option<PathBuf> {
        let is_there = self.plan.small_disk && self.is_isolated();
        is_there.then(|| self.site.small_disk())
    }

    /// What the sshd has said so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.site.file("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The system's `ssh` to a host by address, name or alias; a command may follow.
    pub fn ssh(&self, host: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.ssh_config()).arg(host);
        ssh
    }

    /// Makes `name` a host in `ssh_config` that is reached at `address`, such as a proxy's.
    pub fn alias(&self, name: &str, address: SocketAddr) {
        let mut aliases = self.aliases.lock().unwrap();
        aliases.retain(|(other, _)| other != name);
        aliases.push((name.to_owned(), address));
        self.write_ssh_config(&aliases);
    }

    /// Written aside and renamed: a client reads the old one or the new one.
    fn write_ssh_config(&self, aliases: &[(String, SocketAddr)]) {
        let text = sshd::client(&self.plan, &self.site, &self.account, aliases);
        let aside = self.site.file("ssh_config.new");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, self.ssh_config()).unwrap();
    }

    /// A way to host `n` over a proxy, with wishes. Give it a name with [`Fleet::alias`].
    pub fn proxy(&self, n: usize) -> ProxyBuilder {
        let host = (self.address(n), self.port()).into();
        ProxyBuilder::new(self.site.range.beside(), host)
    }

    /// A way to host `n` on which every byte takes `delay`, in each direction.
    pub fn slow(&self, n: usize, delay: Duration) -> Proxy {
        self.proxy(n).delay(delay).start()
    }

    /// A way to host `n` on which every connection is reset after so many bytes from the host.
    pub fn cutting(&self, n: usize, bytes: u64) -> Proxy {
        self.proxy(n).cut_after(Direction::Down, bytes).start()
    }

    /// An address that refuses every connection.
    pub fn refusing(&self) -> DeadEnd {
        DeadEnd::refusing(self.site.range.beside())
    }

    /// An address to which a connection stands, and where nothing is ever said.
    pub fn hanging(&self) -> DeadEnd {
        DeadEnd::hanging(self.site.range.beside())
    }

    /// An address to which a connection is never made, and never refused.
    pub fn silent(&self) -> DeadEnd {
        DeadEnd::silent(self.site.range.beside())
    }

    /// How many connections are logged in at the moment.
    pub fn sessions(&self) -> usize {
        self.family.sessions()
    }

    /// Every process of the fleet at the moment, by number: the sshd, its sessions, and what those
    /// started and left behind.
    pub fn processes(&self) -> Vec<u32> {
        self.family.members().into_iter().collect()
    }

    /// Kills every connection, also those that have not logged in; the sshd goes on listening. What
    /// runs on the hosts is not killed: it finds its connection ended.
    pub fn kill_sessions(&self) {
        let listener = self.family.listener();
        self.kill_until_gone(|| {
            let mut sshds = self.family.sshds();
            sshds.retain(|pid| Some(*pid) != listener);
            sshds
        });
    }

    /// Kills the sshd and every connection; nobody listens afterwards. What runs on the hosts is not
    /// killed: it finds its connection ended.
    pub fn kill_sshd(&self) {
        if let Some(listener) = self.family.listener() {
            processes::kill(listener);
        }
        self.kill_until_gone(|| self.family.sshds());
    }

    /// Starts the sshd again after [`Fleet::kill_sshd`], on the same port.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn restart_sshd(&mut self) {
        self.watcher.begin();
        assert!(
            ready::wait(&self.site),
            "the port was taken: {}",
            self.log()
        );
    }

    fn kill_until_gone(&self, find: impl Fn() -> Vec<u32>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = find();
            if found.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{found:?} do not end");
            found.into_iter().for_each(processes::kill);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
