//! By which means hosts are reached.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use convoke::agents::Agents;
use convoke::connect::registry::Registry;
use convoke::connect::ssh::SshOptions;
use convoke::connect::surroundings::Surroundings;
use convoke::connect::terminal::Terminal;
use convoke::host::{Places, Reach};

use crate::args;
use crate::error::{Usage, in_words};

/// By which means hosts are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reaching {
    /// What every ssh is told.
    pub(crate) ssh: SshOptions,
    /// Whether a password is asked for beforehand.
    pub(crate) asks_beforehand: bool,
    /// How many hosts are connected at once, when the operator said.
    pub(crate) connecting: Option<usize>,
    /// How long a host may take until its shell answers, when the operator said.
    pub(crate) connect_limit: Option<Duration>,
}

impl Reaching {
    /// What the arguments mean.
    ///
    /// # Errors
    /// The user is none whose name can be handed on, or a file cannot be read: ssh itself passes over a
    /// key that is not there, and says so of its configuration once a host.
    pub(crate) fn new(reaching: args::Reaching) -> Result<Self, Usage> {
        let ssh = SshOptions {
            login: reaching.user,
            port: reaching.port,
            identities: reaching.identity,
            config: reaching.ssh_config,
            options: reaching.ssh_option,
            ..SshOptions::default()
        };
        ssh.check()
            .map_err(|error| Usage::new(format!("-l: {error}")))?;
        for file in ssh.identities.iter().filter(|file| is_literal(file)) {
            // Of a key in an ssh-agent the public half is enough.
            readable("-i", file).or_else(|error| {
                let mut public = file.clone().into_os_string();
                public.push(".pub");
                readable("-i", Path::new(&public)).map_err(|_| error)
            })?;
        }
        // ssh takes `none` as no file at all.
        if let Some(file) = ssh.config.as_deref().filter(|file| *file != "none") {
            readable("-F", file)?;
        }
        Ok(Reaching {
            ssh,
            asks_beforehand: reaching.ask_pass,
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

/// Whether ssh takes a name as it is.
fn is_literal(file: &Path) -> bool {
    let name = file.to_string_lossy();
    !name.starts_with('~') && !name.contains(['%', '$'])
}

/// Whether a file can be read, which a directory cannot. A pipe is left to ssh: opening one waits for its writer, and
/// what is read is gone.
fn readable(option: &str, file: &Path) -> Result<(), Usage> {
    let read = match std::fs::metadata(file) {
        Ok(what) if !what.is_file() && !what.is_dir() => Ok(0),
        Ok(_) => File::open(file).and_then(|mut file| file.read(&mut [0])),
        Err(error) => Err(error),
    };
    match read {
        Ok(_) => Ok(()),
        Err(error) => Err(Usage::new(format!(
            "{option}: failed to read {file:?}: {}",
            in_words(&error)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(name: &str) -> Result<Reaching, Usage> {
        Reaching::new(args::Reaching {
            identity: vec![name.into()],
            ..args::Reaching::default()
        })
    }

    #[test]
    fn a_key_that_cannot_be_read_is_refused_and_its_public_half_is_enough() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key").display().to_string();
        assert!(with_key(&key).is_err());
        std::fs::write(format!("{key}.pub"), "").unwrap();
        assert!(with_key(&key).is_ok());
        // What only ssh can expand is left to it.
        assert!(with_key("~/.ssh/none").is_ok());
        assert!(with_key("%d/none").is_ok());
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_refused() {
        let with = |name: &str| {
            Reaching::new(args::Reaching {
                ssh_config: Some(name.into()),
                ..args::Reaching::default()
            })
        };
        assert!(with("/dev/null").is_ok());
        assert!(with("none").is_ok());
        assert!(with("/").is_err());
        // Nobody writes into it, and nobody waits for that.
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        assert!(with(pipe.to_str().unwrap()).is_ok());
        assert!(with("/nosuch/file").is_err());
    }
}
