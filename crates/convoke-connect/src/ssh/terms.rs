//! What the settings of a host mean for a connection.

use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::{Limits, Preferred};

use super::algorithms;
use super::config::{Directly, Owner, Tokens, matches};
use super::proxy::Proxy;
use super::rules::Rules;
use super::settings::Settings;
use super::words::{Unserved, files, is_set, seconds};
use crate::ssh::openssh::explained::{place, runs_ssh};
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// `NumberOfPasswordPrompts` unless it is configured.
const PROMPTS: u32 = 3;

/// What is sent or received with one key at most, in bytes (RFC 4253, 9).
const GIGABYTE: usize = 1 << 30;

/// How a host is reached.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) host: String,
    pub(super) port: u16,
    /// What stands between us and the server.
    pub(super) proxy: Proxy,
    /// The server that has the work of the connection when there is no hop.
    pub(super) server: String,
    pub(super) family: Family,
    pub(super) bind: Option<IpAddr>,
    /// For the connection and the key exchange together.
    pub(super) limit: Option<Duration>,
    pub(super) keep_alive: bool,
    pub(super) alive: Alive,
    /// When keys are exchanged again.
    pub(super) rekey: Limits,
    pub(super) rules: Arc<Rules>,
    /// Without the types of host keys.
    pub(super) offered: Preferred,
    pub(super) login: Login,
    /// What the command's environment is asked to hold.
    pub(super) environment: Vec<(String, String)>,
}

/// Which addresses of a name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    V4,
    V6,
}

/// How often a silent server is asked whether it lives, and how many answers may be missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alive {
    pub(super) interval: Option<Duration>,
    pub(super) missing: usize,
}

/// As whom, and by which means.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) user: String,
    /// In the order in which they are tried.
    pub(super) methods: Vec<String>,
    pub(super) identities: Vec<PathBuf>,
    pub(super) certificates: Vec<PathBuf>,
    /// `IdentitiesOnly`.
    pub(super) only_those: bool,
    /// The socket of the ssh-agent.
    pub(super) agent: Option<PathBuf>,
    /// `PubkeyAcceptedAlgorithms`.
    pub(super) accepted: Vec<String>,
    pub(super) smallest_rsa: u32,
    /// `BatchMode`.
    pub(super) never_ask: bool,
    /// `NumberOfPasswordPrompts`.
    pub(super) prompts: u32,
    /// The name of the host in questions: as ssh shows it.
    pub(super) known_as: String,
}

impl Login {
    fn read(
        settings: &Settings,
        tokens: &Tokens<'_>,
        rules: &Rules,
        surroundings: &Surroundings,
    ) -> Result<Self, Unserved> {
        let prompts = settings.get("numberofpasswordprompts");
        let prompts = prompts.and_then(|count| count.parse().ok());
        let accepted = settings.get("pubkeyacceptedalgorithms");
        let accepted = accepted.or(settings.get("pubkeyacceptedkeytypes"));
        let alias = settings.get("hostkeyalias");
        Ok(Login {
            user: tokens.user.to_owned(),
            methods: methods(settings),
            identities: files(settings, "identityfile", tokens)?,
            certificates: files(settings, "certificatefile", tokens)?,
            only_those: is_set(settings.get("identitiesonly")),
            agent: agent(settings, surroundings)?,
            accepted: list(accepted),
            smallest_rsa: rules.smallest_rsa,
            never_ask: is_set(settings.get("batchmode")),
            prompts: prompts.unwrap_or(PROMPTS),
            known_as: alias.unwrap_or(tokens.host).to_owned(),
        })
    }

    /// Only what somebody who stands between could not make use of.
    pub(super) fn without_secrets(&self) -> Self {
        let is_harmless = |method: &&String| method.as_str() == "publickey";
        let methods = self.methods.iter().filter(is_harmless);
        Login {
            methods: methods.cloned().collect(),
            ..self.clone()
        }
    }

    /// Whether `PubkeyAcceptedAlgorithms` has an algorithm.
    pub(super) fn accepts(&self, name: &str) -> bool {
        self.accepted.iter().any(|one| one == name)
    }
}

/// What terms depend on besides the settings of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    /// The defaults of the installed ssh.
    pub(super) defaults: &'a Settings,
    pub(super) owner: &'a Owner,
    pub(super) surroundings: &'a Surroundings,
}

impl Terms {
    /// Reads the settings of `target`, of which none that is in force may be missing here: see
    /// [`super::force`].
    ///
    /// # Errors
    /// What this client cannot do as ssh would.
    pub(super) fn read(
        settings: &Settings,
        target: &Target,
        ours: &Ours<'_>,
    ) -> Result<Self, Unserved> {
        // Always printed. `none` is a name like any other.
        let printed = |name: &str| {
            let value = settings.get(name);
            value.ok_or_else(|| Unserved(format!("a configuration without its {name}")))
        };
        let (host, user, port) = (printed("hostname")?, printed("user")?, printed("port")?);
        let tokens = Tokens {
            account: &ours.owner.account,
            original: &target.host,
            host,
            key_alias: settings.get("hostkeyalias").unwrap_or(&target.host),
            port,
            user,
            directly: match settings.get("proxyjump") {
                None | Some("none") => Directly::Yes,
                Some(_) => Directly::No,
            },
            environment: &ours.owner.environment,
        };
        let port = port.parse().map_err(|_| Unserved::of("port", port))?;
        let set = |name: &str| settings.get(name).filter(|value| *value != "none");
        let rules = Rules::read(settings, ours.defaults, &tokens.account.home)?;
        let missing = set("serveralivecountmax").and_then(|count| count.parse().ok());
        Ok(Terms {
            family: match set("addressfamily") {
                Some("inet") => Family::V4,
                Some("inet6") => Family::V6,
                _ => Family::Any,
            },
            bind: set("bindaddress").map(literal).transpose()?,
            limit: seconds(set("connecttimeout")),
            keep_alive: !matches!(settings.get("tcpkeepalive"), Some("no" | "false")),
            alive: Alive {
                interval: seconds(set("serveraliveinterval")),
                missing: missing.unwrap_or(3),
            },
            rekey: rekey(set("rekeylimit")),
            proxy: Proxy::read(settings, &tokens)?,
            server: server(settings, host, port),
            offered: algorithms::offered(settings)?,
            login: Login::read(settings, &tokens, &rules, ours.surroundings)?,
            environment: environment(settings, ours.surroundings)?,
            host: host.to_owned(),
            port,
            rules: Arc::new(rules),
        })
    }
}

/// A jump in other words is spared as one: equal commands lead over equal hops.
fn server(settings: &Settings, host: &str, port: u16) -> String {
    match settings.get("proxycommand") {
        Some(command) if runs_ssh(command) => command.to_owned(),
        _ => place(host, port),
    }
}

/// `RekeyLimit`: bytes and seconds, 0 for those that are not limited.
///
/// ssh's own limit depends on the cipher, and is not below a gigabyte, which is the most that there is
/// here.
fn rekey(value: Option<&str>) -> Limits {
    let mut numbers = value.unwrap_or_default().split_whitespace();
    let mut number = || numbers.next().and_then(|number| number.parse::<u64>().ok());
    let (bytes, time) = (number().unwrap_or(0), number().unwrap_or(0));
    let bytes = match usize::try_from(bytes) {
        Ok(0) | Err(_) => GIGABYTE,
        Ok(bytes) => bytes.min(GIGABYTE),
    };
    Limits {
        rekey_write_limit: bytes,
        rekey_read_limit: bytes,
        rekey_time_limit: match time {
            0 => Duration::MAX,
            seconds => Duration::from_secs(seconds),
        },
    }
}

fn literal(address: &str) -> Result<IpAddr, Unserved> {
    let parsed = address.parse();
    parsed.map_err(|_| Unserved::of("bindaddress", address))
}

fn list(value: Option<&str>) -> Vec<String> {
    let value = value.unwrap_or_default();
    value.split(',').map(str::to_owned).collect()
}

/// `PreferredAuthentications`, without what is turned off. Hosts and tickets do not authenticate here.
fn methods(settings: &Settings) -> Vec<String> {
    let preferred = settings.get("preferredauthentications");
    let preferred = list(Some(
        preferred.unwrap_or("publickey,keyboard-interactive,password"),
    ));
    let is_on = |method: &String| match method.as_str() {
        "publickey" => !matches!(settings.get("pubkeyauthentication"), Some("no" | "false")),
        "password" => is_set(settings.get("passwordauthentication")),
        "keyboard-interactive" => {
            is_set(settings.get("kbdinteractiveauthentication"))
                || is_set(settings.get("challengeresponseauthentication"))
        }
        _ => false,
    };
    preferred.into_iter().filter(is_on).collect()
}

/// The socket of `IdentityAgent`, which is printed expanded, else of `SSH_AUTH_SOCK`.
fn agent(settings: &Settings, surroundings: &Surroundings) -> Result<Option<PathBuf>, Unserved> {
    let variable = |name: &str| {
        let value = surroundings.variable(name);
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match settings.get("identityagent") {
        None | Some("SSH_AUTH_SOCK") => Ok(variable("SSH_AUTH_SOCK")),
        Some("none") => Ok(None),
        Some(value) => match value.strip_prefix('$') {
            Some(name) if is_name(name) => Ok(variable(name)),
            Some(_) => Err(Unserved::of("identityagent", value)),
            None => Ok(Some(value.into())),
        },
    }
}

/// What `SendEnv` finds in our environment, and `SetEnv`.
fn environment(
    settings: &Settings,
    surroundings: &Surroundings,
) -> Result<Vec<(String, String)>, Unserved> {
    let patterns = settings.all("sendenv");
    let mut found = Vec::new();
    for (name, value) in &surroundings.environment {
        let is_wanted = |pattern: &String| matches(pattern, name.as_bytes());
        if patterns.iter().any(is_wanted) {
            let text = name.to_str().zip(value.to_str());
            let (name, value) = text.ok_or_else(|| {
                let name = name.to_string_lossy();
                Unserved(format!("sendenv {name}, whose value is not text"))
            })?;
            found.push((name.to_owned(), value.to_owned()));
        }
    }
    let set = settings.all("setenv").iter();
    let set = set.filter_map(|line| line.split_once('='));
    found.extend(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(found)
}

#[cfg(test)]
mod tests;
