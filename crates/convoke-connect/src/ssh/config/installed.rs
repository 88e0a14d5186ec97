//! What the ssh of this machine says about itself: its defaults, its algorithms, and who we are.
//!
//! Two runs of `ssh -G` without a configuration tell it: one as it is, one with markers for what the first
//! hides. So it is true whatever version is installed. Only for a machine without an ssh it is written
//! down here.

use sha1::{Digest as _, Sha1};

use super::account::{Account, Hash};
use crate::ssh::settings::Settings;
use crate::surroundings::Surroundings;

/// The arguments of the first run: the defaults.
pub const PLAIN: [&str; 5] = ["-G", "-F", "/dev/null", "--", "host"];

/// The arguments of the second run: names of algorithms beyond the defaults, what a batch changes, the
/// printed name of a silent log, and the account.
pub const MARKED: [&str; 17] = [
    "-G",
    "-F",
    "/dev/null",
    "-o",
    "BatchMode=yes",
    "-o",
    "LogLevel=QUIET",
    "-o",
    "HostKeyAlgorithms=*",
    "-o",
    "CASignatureAlgorithms=*",
    "-o",
    "PubkeyAcceptedAlgorithms=*",
    "-o",
    "ControlPath=/%u|%i|%l|%C|%d",
    "--",
    "host",
];

/// The names of further lists, each for `ssh -Q NAME`, and the options that take them: asked only
/// for a configuration that names what is not among the defaults.
pub const LISTS: [(&str, &str); 3] = [
    ("cipher", "ciphers"),
    ("mac", "macs"),
    ("kex", "kexalgorithms"),
];

/// What was told.
#[derive(Debug, Clone)]
pub struct Installed {
    pub(super) defaults: Settings,
    pub(super) account: Account,
    /// `ServerAliveInterval` where `BatchMode` is on and nothing sets it: not 0 on Debian.
    pub(super) alive_in_batch: String,
    /// What `LogLevel QUIET` is printed as.
    pub(super) quiet: String,
    /// Where the system's configuration is.
    pub(super) directory: String,
    host_keys: Vec<String>,
    signatures: Vec<String>,
    /// What `ssh -Q` told, by options.
    listed: Vec<(&'static str, Vec<String>)>,
}

/// The token `%C`: a hash of our host name, the host, the port and the user.
pub(super) fn connection(parts: [&str; 4]) -> String {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let bytes = digest.iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// What OpenSSH 9.2 has as defaults, as it prints them, without what belongs to an account.
const DEFAULTS: &str = include_str!("installed/defaults.txt");

/// All that OpenSSH 9.2 has of algorithms, by options.
const ALGORITHMS: &str = include_str!("installed/algorithms.txt");

/// Printed since 8.7, the first version that splits lines as we do.
const SINCE: &str = "stdinnull";

impl Installed {
    /// Reads what the two runs printed. None when this ssh is too old, or prints what is not understood.
    pub fn parse(plain: &str, marked: &str) -> Option<Self> {
        let defaults = Settings::parse(plain);
        let marked = Settings::parse(marked);
        defaults.get(SINCE)?;
        let mut account = marked.get("controlpath")?.strip_prefix('/')?.splitn(5, '|');
        let mut part = || account.next().map(str::to_owned);
        let known_hosts = defaults.get("globalknownhostsfile")?;
        let directory = known_hosts.split(' ').next()?.rsplit_once('/')?.0;
        let (name, uid, host_name) = (part()?, part()?, part()?);
        let expected = connection([&host_name, "host", defaults.get("port")?, &name]);
        let hash = match part()? == expected {
            true => Hash::Known,
            false => Hash::Unknown,
        };
        let listed = |name: &str| {
            let list = marked.get(name)?;
            Some(list.split(',').map(str::to_owned).collect())
        };
        Some(Installed {
            account: Account {
                name,
                uid,
                host_name,
                home: part()?,
                hash,
            },
            alive_in_batch: marked.get("serveraliveinterval")?.to_owned(),
            quiet: marked.get("loglevel")?.to_owned(),
            directory: directory.to_owned(),
            host_keys: listed("hostkeyalgorithms")?,
            signatures: listed("casignaturealgorithms")?,
            listed: Vec::new(),
            defaults,
        })
    }

    /// What an ssh would say that is not installed. None for an account that nobody knows.
    pub(super) fn absent(surroundings: &Surroundings) -> Option<Self> {
        let account = Account::of(surroundings)?;
        let Account {
            name,
            uid,
            host_name: here,
            home,
            ..
        } = &account;
        let hash = connection([here, "host", "22", name]);
        let known_hosts = format!("{home}/.ssh/known_hosts {home}/.ssh/known_hosts2");
        let plain = format!(
            "host host\nhostname host\nuser {name}\nuserknownhostsfile {known_hosts}\n{DEFAULTS}"
        );
        // The first value of an option counts.
        let control_path = format!("controlpath /{name}|{uid}|{here}|{hash}|{home}");
        let marked = format!("{control_path}\nloglevel SILENT\n{ALGORITHMS}{plain}");
        let mut absent = Self::parse(&plain, &marked)?;
        let all = Settings::parse(ALGORITHMS);
        for (_, option) in LISTS {
            absent.list(option, &all.get(option)?.replace(',', "\n"));
        }
        Some(absent)
    }

    /// Who we are for it.
    pub(in crate::ssh) fn account(&self) -> &Account {
        &self.account
    }

    /// What is printed for a host that nothing is configured for.
    pub fn defaults(&self) -> &Settings {
        &self.defaults
    }

    /// The default list of an option of algorithms.
    pub(super) fn default_algorithms(&self, name: &str) -> Vec<&str> {
        self.defaults.get(name).map_or(Vec::new(), split)
    }

    /// Adds what `ssh -Q` printed for an option of [`LISTS`], a name a line.
    pub fn list(&mut self, option: &'static str, printed: &str) {
        let names = printed.lines().map(str::to_owned).collect();
        self.listed.push((option, names));
    }

    /// Whether more can be known of the algorithms of an option than is.
    pub(super) fn lacks_list(&self, option: &str) -> bool {
        let is_known = self.listed.iter().any(|(one, _)| *one == option);
        !is_known && LISTS.iter().any(|(_, one)| *one == option)
    }

    /// All algorithms that an option may name, as far as they are known.
    pub(super) fn all_algorithms(&self, name: &str) -> Vec<&str> {
        let listed: &[String] = match name {
            "hostkeyalgorithms" | "pubkeyacceptedalgorithms" | "hostbasedacceptedalgorithms" => {
                &self.host_keys
            }
            "casignaturealgorithms" => &self.signatures,
            _ => match self.listed.iter().find(|(one, _)| *one == name) {
                Some((_, listed)) => listed,
                // What is not among the defaults is left to ssh.
                None => return self.default_algorithms(name),
            },
        };
        listed.iter().map(String::as_str).collect()
    }
}

fn split(list: &str) -> Vec<&str> {
    list.split(',').collect()
}
