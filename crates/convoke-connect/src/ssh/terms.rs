//! What the settings of a host mean for a connection.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::{Limits, Preferred};

use super::algorithms;
use super::proxy::Proxy;
use super::rules::Rules;
use super::settings::Settings;
use super::words::{Account, Tokens, files, fits, is_set, seconds};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::openssh::explained::{place, runs_ssh};
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// Where ssh connects unless it is told otherwise.
const PORT: u16 = 22;

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

impl Terms {
    /// Reads the settings of `target`, of which none that is in force may be missing here: see
    /// [`super::force`]. `defaults` are those of the installed ssh.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Configuration`] for what this client cannot do as ssh would.
    pub(super) fn read(
        settings: &Settings,
        defaults: &Settings,
        target: &Target,
        account: &Account,
        surroundings: &Surroundings,
    ) -> Result<Self, ConnectError> {
        let set = |name: &str| settings.get(name).filter(|value| *value != "none");
        let host = set("hostname").unwrap_or(&target.host).to_owned();
        let port = set("port").and_then(|port| port.parse().ok());
        let port = port.or(target.port).unwrap_or(PORT);
        let user = set("user").or(target.user.as_deref());
        let user = user.ok_or_else(|| wrong("ssh does not say which user to log in as".into()))?;
        let alias = set("hostkeyalias").map(str::to_owned);
        let tokens = Tokens {
            account,
            surroundings,
            target,
            host: &host,
            port,
            user,
            alias: alias.as_deref(),
        };
        let rules = Rules::read(settings, defaults, &tokens)?;
        let prompts = set("numberofpasswordprompts").and_then(|count| count.parse().ok());
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
            server: server(settings, &host, port),
            offered: algorithms::offered(settings)?,
            login: Login {
                user: user.to_owned(),
                methods: methods(settings),
                identities: files(settings, &["identityfile"], &tokens)?,
                certificates: files(settings, &["certificatefile"], &tokens)?,
                only_those: is_set(set("identitiesonly")),
                agent: agent(settings, &tokens)?,
                accepted: list(set("pubkeyacceptedalgorithms").or(set("pubkeyacceptedkeytypes"))),
                smallest_rsa: rules.smallest_rsa,
                never_ask: is_set(set("batchmode")),
                prompts: prompts.unwrap_or(PROMPTS),
                known_as: alias.clone().unwrap_or_else(|| host.clone()),
            },
            environment: environment(settings, surroundings),
            host,
            port,
            rules: Arc::new(rules),
        })
    }
}

fn wrong(text: String) -> ConnectError {
    ConnectError::new(ConnectErrorKind::Configuration, text)
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

fn literal(address: &str) -> Result<IpAddr, ConnectError> {
    let parsed = address.parse();
    parsed.map_err(|_| {
        wrong(format!(
            "bindaddress {address} is not served by the native client"
        ))
    })
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

/// The socket of `IdentityAgent`, else of `SSH_AUTH_SOCK`.
fn agent(settings: &Settings, tokens: &Tokens<'_>) -> Result<Option<PathBuf>, ConnectError> {
    let variable = |name: &str| {
        let value = tokens.surroundings.variable(name);
        value.filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    match settings.get("identityagent") {
        None | Some("SSH_AUTH_SOCK") => Ok(variable("SSH_AUTH_SOCK")),
        Some("none") => Ok(None),
        Some(value) => match value.strip_prefix('$') {
            Some(name) if !name.starts_with('{') => Ok(variable(name)),
            _ => tokens.path("identityagent", value).map(Some),
        },
    }
}

/// What `SendEnv` finds in our environment, and `SetEnv`.
fn environment(settings: &Settings, surroundings: &Surroundings) -> Vec<(String, String)> {
    let patterns = settings.all("sendenv");
    let wanted = |name: &str| {
        let mut patterns = patterns.iter().flat_map(|line| line.split_whitespace());
        patterns.any(|pattern| fits(pattern, name))
    };
    let ours = surroundings.environment.iter().filter_map(|(name, value)| {
        let (name, value) = (name.to_str()?, value.to_str()?);
        wanted(name).then(|| (name.to_owned(), value.to_owned()))
    });
    let set = settings.all("setenv").iter();
    let set = set.filter_map(|line| line.split_once('='));
    let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ours.chain(set).collect()
}
