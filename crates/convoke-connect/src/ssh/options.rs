//! What the user asked of ssh, and the command lines that follow from it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use super::session::{self, Session};
use super::target::{self, Target};
use crate::surroundings::Surroundings;

/// What ssh is told beside its configuration: the options of its command line that are ours, too.
///
/// As for ssh, what stands here wins over the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshOptions {
    /// The login (`-l`), for hosts that are written without a user.
    pub login: Option<String>,
    /// The port (`-p`), for hosts that are written without one.
    pub port: Option<u16>,
    /// Key files (`-i`).
    pub identities: Vec<PathBuf>,
    /// The configuration file (`-F`), instead of the user's and the system's.
    pub config: Option<PathBuf>,
    /// `KEY=VALUE`, as after `-o`, verbatim.
    pub options: Vec<String>,
    /// The program, looked up in the PATH of the surroundings.
    pub program: PathBuf,
}

impl Default for SshOptions {
    fn default() -> Self {
        SshOptions {
            login: None,
            port: None,
            identities: Vec::new(),
            config: None,
            options: Vec::new(),
            program: "ssh".into(),
        }
    }
}

/// Who may ask the operator something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// ssh, on the terminal; the way to the server may take so long.
    Allowed(Duration),
    /// Nobody; ssh is told how long the way may take if that is not configured.
    Forbidden(Option<Duration>),
}

impl SshOptions {
    /// Looks at what reaches shells and the command line of ssh.
    ///
    /// # Errors
    /// What is wrong with the login, in words for people.
    pub fn check(&self) -> Result<(), String> {
        self.login.as_deref().map_or(Ok(()), target::check_user)
    }

    /// Whether nothing is asked that could change who is reached, and as whom.
    pub(crate) fn is_silent(&self) -> bool {
        let program = self.program.clone();
        *self
            == SshOptions {
                program,
                ..Self::default()
            }
    }

    /// Whether an option of this name, in lower case, is among those given with `-o`.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.options
            .iter()
            .any(|option| super::openssh::explained::keyword(option) == name)
    }

    /// The command that connects. For ssh the first value of an option wins, so what must be in force
    /// stands first and what may be overruled last.
    pub(super) fn connecting(
        &self,
        target: &Target,
        command: &str,
        overruled: &[&str],
        asking: Asking,
        surroundings: &Surroundings,
    ) -> Command {
        let session = match asking {
            Asking::Allowed(_) => Session::Ours,
            Asking::Forbidden(_) => Session::Own,
        };
        let mut ssh = session::command(&self.program, session, surroundings);
        ssh.arg("-T");
        if session == Session::Own {
            ssh.args(["-o", "BatchMode=yes"]);
        }
        for option in overruled {
            ssh.args(["-o", option]);
        }
        self.add(&mut ssh, target);
        let limit = match asking {
            // ssh alone knows when it waits for a server, and when for a person.
            Asking::Allowed(limit) => Some(limit),
            Asking::Forbidden(limit) => limit,
        };
        if let Some(limit) = limit
            && !self.mentions("connecttimeout")
        {
            let seconds = limit.as_secs_f64().ceil().max(1.0);
            ssh.args(["-o", &format!("ConnectTimeout={seconds}")]);
        }
        ssh.args(["-o", "ControlMaster=no"]);
        if !self.mentions("loglevel") {
            ssh.args(["-o", "LogLevel=DEBUG1"]);
        }
        ssh.args(["--", &target.host, command]);
        ssh
    }

    /// The command that prints the version of ssh, to stderr.
    pub(crate) fn version(&self, surroundings: &Surroundings) -> Command {
        let mut ssh = session::command(&self.program, Session::Own, surroundings);
        ssh.arg("-V");
        ssh
    }

    fn add(&self, ssh: &mut Command, target: &Target) {
        if let Some(config) = &self.config {
            ssh.arg("-F").arg(config);
        }
        for identity in &self.identities {
            ssh.arg("-i").arg(identity);
        }
        if let Some(user) = target.user.as_ref().or(self.login.as_ref()) {
            ssh.args(["-l", user]);
        }
        if let Some(port) = target.port.or(self.port) {
            ssh.args(["-p", &port.to_string()]);
        }
        for option in &self.options {
            ssh.args(["-o", option]);
        }
    }
}
