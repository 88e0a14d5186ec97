//! What the settings of a host mean for a connection by the system's ssh.

use crate::ssh::options::SshOptions;
use crate::ssh::settings::Settings;
use crate::ssh::target::Target;

/// Where ssh connects unless it is told otherwise.
const PORT: u16 = 22;

/// Options that would keep our pipes from the command, with the value that they must have. They are
/// passed only where they are in force: an ssh that has them set knows them, an older one would refuse
/// them.
const OVERRULED: [(&str, &str, &str); 4] = [
    ("remotecommand", "none", "RemoteCommand=none"),
    ("sessiontype", "default", "SessionType=default"),
    ("stdinnull", "no", "StdinNull=no"),
    (
        "forkafterauthentication",
        "no",
        "ForkAfterAuthentication=no",
    ),
];

/// What the configuration makes of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) hostname: String,
    pub(crate) port: u16,
    pub(crate) proxy: Proxy,
    pub(crate) patience: Patience,
    /// What must be overruled, as for `-o`.
    pub(crate) overruled: Vec<&'static str>,
}

/// What stands between us and the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proxy {
    None,
    /// Other ssh servers; the first of them.
    Jump(String),
    /// A program.
    Command(String),
}

/// How long ssh waits for a server to take a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the system does: nothing else is configured.
    Endless,
    /// Perhaps as long as somebody configured.
    Configured,
}

impl Explained {
    /// A host that no configuration says anything of.
    pub(crate) fn plain(target: &Target, options: &SshOptions) -> Self {
        Explained {
            hostname: target.host.clone(),
            port: target.port.or(options.port).unwrap_or(PORT),
            proxy: Proxy::None,
            patience: Patience::Configured,
            overruled: Vec::new(),
        }
    }

    /// A host with these settings.
    pub(crate) fn of(settings: &Settings) -> Self {
        let set = |name: &str| settings.get(name).filter(|value| *value != "none");
        let port = set("port").and_then(|port| port.parse().ok());
        Explained {
            hostname: set("hostname").unwrap_or_default().to_owned(),
            port: port.unwrap_or(PORT),
            proxy: match (set("proxyjump"), set("proxycommand")) {
                (Some(jump), _) => Proxy::Jump(first_hop(jump)),
                (None, Some(command)) => Proxy::Command(command.to_owned()),
                (None, None) => Proxy::None,
            },
            patience: match settings.get("connecttimeout") {
                Some("none") => Patience::Endless,
                _ => Patience::Configured,
            },
            overruled: OVERRULED
                .iter()
                .filter(|(name, wanted, _)| settings.get(name).is_some_and(|v| v != *wanted))
                .map(|(_, _, option)| *option)
                .collect(),
        }
    }

    /// The server that has the work of a connection.
    pub(crate) fn server(&self) -> String {
        match &self.proxy {
            Proxy::None => place(&self.hostname, self.port),
            Proxy::Jump(hop) => hop.clone(),
            // A jump in other words: equal commands lead over equal hops.
            Proxy::Command(command) if runs_ssh(command) => command.clone(),
            Proxy::Command(_) => place(&self.hostname, self.port),
        }
    }
}

pub(crate) fn place(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The first of the hops `user@a:22,b`, without the user: the work is the server's.
fn first_hop(jump: &str) -> String {
    let hop = jump.split(',').next().unwrap_or_default();
    let hop = hop.strip_prefix("ssh://").unwrap_or(hop);
    let hop = hop.rsplit_once('@').map_or(hop, |(_, hop)| hop);
    let (host, port) = match hop.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().unwrap_or(PORT))
        }
        _ => (hop, PORT),
    };
    place(host.trim_matches(['[', ']']), port)
}

pub(crate) fn runs_ssh(command: &str) -> bool {
    let mut words = command.split_whitespace().filter(|word| *word != "exec");
    let program = words.next().unwrap_or_default();
    program.rsplit('/').next() == Some("ssh")
}

/// The name of the option that a line of a configuration sets, in lower case.
pub(crate) fn keyword(line: &str) -> String {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
    let end = line.find(|c: char| !c.is_ascii_alphanumeric());
    line[..end.unwrap_or(line.len())].to_ascii_lowercase()
}
