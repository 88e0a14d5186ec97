//! The choices of a fleet.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::account;
use super::keys::{self, HostKey, Known, KnownHosts};
use super::login::{Homes, Login, Noise, Place, Shell};
use super::prepare::Prepare;
use super::site::{Range, Site};
use super::sshd;
use super::watcher::Watcher;
use super::{Fleet, ready};

/// How often another port is tried when somebody else was quicker.
const ATTEMPTS: usize = 10;

/// In force, it is left to the system's ssh; there is no agent to forward.
const ONLY_BY_SYSTEM: &str = "ForwardAgent yes";

/// Whether all fleets are to be served by the system's ssh, so that the same tests pass over it, too.
fn is_by_system() -> bool {
    std::env::var_os("CONVOKE_TEST_SSH").is_some_and(|way| way == "system")
}

/// This account, or this machine, may not make what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// What it takes.
    pub why: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Unavailable {}

/// Builds a [`Fleet`].
#[derive(Debug, Clone)]
#[must_use = "nothing happens until it is started"]
pub struct Builder {
    plan: Plan,
}

/// What was chosen.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) hosts: usize,
    pub(super) login: Login,
    pub(super) read_only_home: bool,
    pub(super) small_disk: bool,
    pub(super) account: Option<String>,
    pub(super) password: Option<String>,
    pub(super) options: Vec<String>,
    pub(super) client_options: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) host_keys: Vec<HostKey>,
    pub(super) known: KnownHosts,
}

impl Builder {
    pub(super) fn new() -> Self {
        let by_system = is_by_system().then(|| ONLY_BY_SYSTEM.to_owned());
        Builder {
            plan: Plan {
                hosts: 40,
                login: Login::default(),
                read_only_home: false,
                small_disk: false,
                account: None,
                password: None,
                options: Vec::new(),
                client_options: by_system.into_iter().collect(),
                environment: Vec::new(),
                host_keys: vec![HostKey::Ed25519],
                known: KnownHosts::default(),
            },
        }
    }

    /// How many hosts have a name (`h1`, `h2`, …) and, with [`Builder::separate_homes`], a home; 40
    /// unless given. Addresses beyond work as well, and share a home.
    pub fn hosts(mut self, hosts: usize) -> Self {
        self.plan.hosts = hosts;
        self
    }

    /// The login shell; `/bin/sh` unless given.
    pub fn shell(mut self, shell: Shell) -> Self {
        self.plan.login.shell = shell;
        self
    }

    /// What start-up files say on stdout before each command. Where the shell reads none for a
    /// command, `~/.ssh/rc` says it.
    pub fn noise(mut self, noise: Noise) -> Self {
        self.plan.login.noise = Some(noise);
        self
    }

    /// Each address has a home of its own, at the price of one more `exec` a login. `$SHELL` is still
    /// the login shell.
    pub fn separate_homes(mut self) -> Self {
        self.plan.login.homes = Homes::Separate;
        self
    }

    /// All hosts have one home, which is what they have unless told otherwise.
    pub fn shared_home(mut self) -> Self {
        self.plan.login.homes = Homes::Shared;
        self
    }

    /// Nothing can be written in the homes.
    pub fn read_only_home(mut self) -> Self {
        self.plan.read_only_home = true;
        self
    }

    /// The hosts have a disk that is soon full: see [`Fleet::small_disk`].
    pub fn small_disk(mut self) -> Self {
        self.plan.small_disk = true;
        self
    }

    /// The account to log in to, instead of ours; it is added, on the hosts only, when the machine
    /// has none of that name. Needs a mount namespace.
    pub fn account(mut self, name: &str) -> Self {
        self.plan.account = Some(name.to_owned());
        self
    }

    /// The account has a password, which lets in; keys do not. Needs a mount namespace.
    pub fn password(mut self, password: &str) -> Self {
        self.plan.password = Some(password.to_owned());
        let builder = self.option("PermitRootLogin yes");
        let builder = builder.option("PasswordAuthentication yes");
        builder.option("PubkeyAuthentication no")
    }

    /// `MaxStartups`, such as `10:30:100`; practically without limit unless given.
    pub fn max_startups(self, value: &str) -> Self {
        self.option(&format!("MaxStartups {value}"))
    }

    /// `MaxSessions`: how many commands one connection may run at once; 1000 unless given.
    pub fn max_sessions(self, sessions: usize) -> Self {
        self.option(&format!("MaxSessions {sessions}"))
    }

    /// `MaxAuthTries`: how many keys a client may offer; 20 unless given.
    pub fn max_auth_tries(self, tries: usize) -> Self {
        self.option(&format!("MaxAuthTries {tries}"))
    }

    /// A line for `sshd_config`. It wins over what the fleet says, save for `HostKey`, `Port` and
    /// `ListenAddress`, which add up, and `SetEnv`: see [`Builder::environment`].
    pub fn option(mut self, line: &str) -> Self {
        self.plan.options.push(line.to_owned());
        self
    }

    /// A line for `ssh_config`. It wins over what the fleet says.
    pub fn client_option(mut self, line: &str) -> Self {
        self.plan.client_options.push(line.to_owned());
        self
    }

    /// Lets the system's ssh serve the hosts, by an option that is of no effect here.
    pub fn system_ssh(self) -> Self {
        self.client_option(ONLY_BY_SYSTEM)
    }

    /// A variable that every session has.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        let variable = (name.to_owned(), value.to_owned());
        self.plan.environment.push(variable);
        self
    }

    /// The kinds of host key, each with a key; ed25519 unless given.
    pub fn host_keys(mut self, kinds: &[HostKey]) -> Self {
        self.plan.host_keys = kinds.to_vec();
        self
    }

    /// What `known_hosts` says of all hosts.
    pub fn known(mut self, known: Known) -> Self {
        self.plan.known.all = known;
        self
    }

    /// What `known_hosts` says of host `n`, if that differs from the others.
    pub fn known_of(mut self, n: usize, known: Known) -> Self {
        self.plan.known.but.push((n, known));
        self
    }

    /// Starts it, and returns when it answers; blocks for a tenth of a second.
    ///
    /// # Panics
    /// When OpenSSH or the shell is not installed, when the account may not make what was chosen, or
    /// when the sshd does not answer.
    pub fn start(self) -> Fleet {
        match self.try_start() {
            Ok(fleet) => fleet,
            Err(unavailable) => panic!("{unavailable}"),
        }
    }

    /// Starts it, and returns when it answers.
    ///
    /// # Errors
    /// When this account may not make what was chosen; a test is skipped then, saying why.
    ///
    /// # Panics
    /// As [`Builder::start`] does otherwise.
    pub fn try_start(self) -> Result<Fleet, Unavailable> {
        self.start_in(None, &|_| ())
    }

    /// Makes a site for hosts without a sshd: the keys, and what clients read.
    pub(crate) fn site(&self, directory: &Path) -> Site {
        let site = Site::new(directory, None);
        self.plan.write_client_files(&site);
        let text = sshd::client(&self.plan, &site, &account::own(), &[]);
        fs::write(site.file("ssh_config"), text).unwrap();
        site
    }

    /// Starts it, in a network namespace when it is given a range; `connect` is called with the number
    /// of a process in there, and makes the addresses.
    pub(crate) fn start_in(
        self,
        range: Option<Range>,
        connect: &dyn Fn(u32),
    ) -> Result<Fleet, Unavailable> {
        let place = self.plan.place(range.is_some())?;
        for _ in 0..ATTEMPTS {
            if let Some(fleet) = attempt(&self.plan, range, place, connect) {
                return Ok(fleet);
            }
        }
        panic!("no port was free {ATTEMPTS} times");
    }
}

impl Plan {
    /// The keys, and what is known of them.
    fn write_client_files(&self, site: &Site) {
        keys::make(site, &self.host_keys, &self.known);
        let known = self.known.text(site, &self.host_keys);
        fs::write(site.file("known_hosts"), known).unwrap();
    }

    fn place(&self, needs_namespace: bool) -> Result<Place, Unavailable> {
        let probe = Command::new("unshare").args(["--mount", "true"]).output();
        let is_root = rustix::process::getuid().is_root();
        if is_root && probe.is_ok_and(|probe| probe.status.success()) {
            return Ok(Place::Own);
        }
        let needed = [
            (needs_namespace, "a network namespace"),
            (self.account.is_some(), "another account"),
            (self.password.is_some(), "a password"),
            (
                is_root && self.read_only_home,
                "a home that root cannot write",
            ),
        ];
        match needed.iter().find(|(needed, _)| *needed) {
            None => Ok(Place::Forced),
            Some((_, what)) => Err(Unavailable {
                why: format!("{what} takes root and the right to unshare"),
            }),
        }
    }
}

/// Starts it on some port; none if somebody else took that meanwhile.
fn attempt(
    plan: &Plan,
    range: Option<Range>,
    place: Place,
    connect: &dyn Fn(u32),
) -> Option<Fleet> {
    let directory = tempfile::Builder::new()
        .prefix("convoke-fleet-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    let site = Site::new(directory.path(), range);
    let account = plan.account.clone().unwrap_or_else(account::own);
    plan.write_client_files(&site);
    plan.login.make(&site, plan.hosts, place);
    if place == Place::Own {
        account::write(&site, plan, &account);
    }
    let server = sshd::server(plan, &site, place, &account);
    fs::write(site.file("sshd_config"), server).unwrap();
    let prepare = Prepare::of(plan, &site, place, range);
    let mut watcher = Watcher::start(&site, place, &prepare);
    watcher.wait_for_start(&site.directory);
    connect(watcher.pid());
    let fleet = Fleet::new(directory, site, plan.clone(), account, watcher, place);
    ready::wait(&fleet.site).then_some(fleet)
}
