//! By which means hosts are reached.

use std::ffi::OsString;
use std::time::Duration;

use convoke::agents::Agents;
use convoke::connect::openssh::SshOptions;
use convoke::connect::registry::Registry;
use convoke::connect::surroundings::Surroundings;
use convoke::connect::terminal::Terminal;
use convoke::host::{Places, Reach};

use crate::args;
use crate::error::Usage;

/// By which means hosts are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reaching {
    /// What every ssh is told.
    pub(crate) ssh: SshOptions,
    /// How many hosts are connected at once, when the operator said.
    pub(crate) connecting: Option<usize>,
    /// How long a host may take until its shell answers, when the operator said.
    pub(crate) connect_limit: Option<Duration>,
}

impl Reaching {
    /// What the arguments mean.
    ///
    /// # Errors
    /// The user is none whose name can be handed on.
    pub(crate) fn new(reaching: args::Reaching) -> Result<Self, Usage> {
        let ssh = SshOptions {
            login: reaching.user,
            port: reaching.port,
            identities: reaching.identity,
            config: reaching.ssh_config,
            options: reaching.ssh_option,
            ..SshOptions::default()
        };
        ssh.check().map_err(Usage::new)?;
        Ok(Reaching {
            ssh,
            connecting: reaching.connecting,
            connect_limit: reaching.connect_timeout,
        })
    }

    /// The means themselves; nothing is connected. The terminal may be lent to whatever connects.
    pub(crate) fn reach(&self, terminal: Option<Terminal>) -> Reach {
        let usual = Reach::new(Surroundings::of_this_process(), Agents::embedded());
        Reach {
            registry: Registry::with_ssh(self.ssh.clone()),
            connecting: self.connecting.map_or(usual.connecting, Places::new),
            connect_limit: self.connect_limit.unwrap_or(usual.connect_limit),
            terminal,
            ..usual
        }
    }

    /// What was asked of ssh, as its own command line says it.
    pub(crate) fn ssh_words(&self) -> Vec<OsString> {
        let word = |word: &str| OsString::from(word);
        let mut words = Vec::new();
        if let Some(user) = &self.ssh.login {
            words.extend([word("-l"), word(user)]);
        }
        if let Some(port) = self.ssh.port {
            words.extend([word("-p"), word(&port.to_string())]);
        }
        for file in &self.ssh.identities {
            words.extend([word("-i"), file.into()]);
        }
        if let Some(file) = &self.ssh.config {
            words.extend([word("-F"), file.into()]);
        }
        for option in &self.ssh.options {
            words.extend([word("-o"), word(option)]);
        }
        words
    }
}
