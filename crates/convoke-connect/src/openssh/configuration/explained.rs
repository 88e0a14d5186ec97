//! How ssh understands its configuration for one host, and which files it read for that.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use super::Settings;
use crate::openssh::options::SshOptions;
use crate::openssh::target::Target;

/// Where ssh connects unless it is told otherwise.
const PORT: u16 = 22;

/// Options that would keep our pipes from the command, with the value that they must have. They are
/// passed only where they are in force: an ssh that has them set knows them, an older one would refuse
/// them.
const OVERRULED: [(&str, &str, &str); 4] = [
    ("remotecommand", "none", "RemoteCommand=none"),
    ("sessiontype", "default", "SessionType=default"),
    ("stdinnull", "no", "StdinNull=no"),
    ("forkafterauthentication", "no", NO_FORK),
];

/// Overrules `ForkAfterAuthentication`.
pub(super) const NO_FORK: &str = "ForkAfterAuthentication=no";

/// What the configuration makes of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) hostname: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) proxy: Proxy,
    pub(crate) patience: Patience,
    /// What must be overruled, as for `-o`.
    pub(crate) overruled: Vec<&'static str>,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
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
            user: None,
            proxy: Proxy::None,
            patience: Patience::Configured,
            overruled: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Reads the output of `ssh -v -G`.
    pub(crate) fn parse(output: &Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let pairs = stdout.lines().filter_map(|line| line.split_once(' '));
        let settings: Settings = pairs
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let set = |name: &str| settings.get(name).filter(|value| *value != "none");
        let port = set("port").and_then(|port| port.parse().ok());
        Explained {
            hostname: set("hostname").cloned().unwrap_or_default(),
            port: port.unwrap_or(PORT),
            user: set("user").cloned(),
            proxy: match (set("proxyjump"), set("proxycommand")) {
                (Some(jump), _) => Proxy::Jump(first_hop(jump)),
                (None, Some(command)) => Proxy::Command(command.clone()),
                (None, None) => Proxy::None,
            },
            patience: match settings.get("connecttimeout").map(String::as_str) {
                Some("none") => Patience::Endless,
                _ => Patience::Configured,
            },
            overruled: OVERRULED
                .iter()
                .filter(|(name, wanted, _)| settings.get(*name).is_some_and(|v| v != wanted))
                .map(|(_, _, option)| *option)
                .collect(),
            files: files(&String::from_utf8_lossy(&output.stderr)),
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

/// Whether ssh explained nothing because it is to go into the background.
pub(super) fn wants_to_fork(output: &Output) -> bool {
    let said = "Cannot fork into background without a command to execute.";
    let stderr = String::from_utf8_lossy(&output.stderr);
    !output.status.success() && stderr.lines().any(|line| line.trim_end() == said)
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
pub(super) fn first_hop(jump: &str) -> String {
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

fn runs_ssh(command: &str) -> bool {
    let mut words = command.split_whitespace().filter(|word| *word != "exec");
    let program = words.next().unwrap_or_default();
    program.rsplit('/').next() == Some("ssh")
}

/// The files that ssh says it read.
fn files(chatter: &str) -> Vec<PathBuf> {
    let said = "debug1: Reading configuration data ";
    let lines = chatter.lines().filter_map(|line| line.strip_prefix(said));
    lines.map(|file| PathBuf::from(file.trim_end())).collect()
}

/// Whether these files and options may set what must be overruled.
pub(crate) fn may_overrule(files: &[PathBuf], options: &SshOptions) -> bool {
    let matters = |text: &str| {
        let keyword = keyword(text);
        OVERRULED.iter().any(|(name, ..)| *name == keyword)
            // A file a host: its files were not all read.
            || keyword == "include" && text.contains(['%', '$'])
    };
    let unread_or_matters = |file: &PathBuf| match fs::read(file) {
        Ok(text) => String::from_utf8_lossy(&text).lines().any(matters),
        Err(_) => true,
    };
    let is_plain = |option: &String| !matters(option);
    files.is_empty() || !options.options.iter().all(is_plain) || files.iter().any(unread_or_matters)
}

/// The name of the option that a line of a configuration sets, in lower case.
pub(crate) fn keyword(line: &str) -> String {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
    let end = line.find(|c: char| !c.is_ascii_alphanumeric());
    line[..end.unwrap_or(line.len())].to_ascii_lowercase()
}
