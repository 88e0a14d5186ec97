//! The configuration of one run: told from the files, or asked of ssh where that cannot be exact.

mod program;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::process::Output;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::tokens::{self, Environment};
use super::{
    Account, Destination, Disk, FileSystem, Installed, LISTS, Lacks, MARKED, PLAIN, Parsed,
    Purpose, Resolution, Unread,
};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::SshOptions;
use crate::ssh::openssh::diagnose;
use crate::ssh::settings::Settings;
use crate::surroundings::Surroundings;
use program::Program;

/// Stands for the command that a host is given: some conditions ask whether there is one.
const COMMAND: &str = "exit";

/// Stands for the next host behind a hop.
const BEHIND: &str = "host:22";

/// What an ssh says instead of an answer that has a command already.
const TWO_COMMANDS: &str = "Cannot execute command-line and remote command.";

/// Takes that one away.
const ONE_COMMAND: [&str; 2] = ["-o", "RemoteCommand=none"];

/// What an ssh with `-v` says before the name of a file that it reads.
const READS: &str = "debug1: Reading configuration data ";

/// Why every host is asked for where ssh reads other files than we.
const ELSEWHERE: &str = "an ssh that reads other configuration files than usual";

/// What the configuration makes of hosts, for the surroundings of the first question: an instance
/// serves one run. Each host is asked for at most once, and the files are read once.
#[derive(Debug)]
pub struct Configuration {
    options: SshOptions,
    known: OnceCell<Known>,
    asked: Mutex<HashMap<Question, Arc<OnceCell<Answer>>>>,
    program: Program,
    /// Whether ssh reads the files that we do.
    reads_the_same: OnceCell<bool>,
    /// With lines that are not understood.
    proven: OnceCell<Option<Parsed>>,
}

/// A host, and what it is reached for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    destination: Destination,
    purpose: Purpose,
}

/// What is known of all hosts.
#[derive(Debug)]
struct Known {
    /// Of the installed ssh.
    defaults: Settings,
    /// None of a version that is not known.
    installed: Option<Installed>,
    owner: Option<Owner>,
    /// Or why every host must be asked for.
    parsed: Result<Parsed, String>,
}

/// How files are read.
type Reading = fn(Installed, &SshOptions, &Surroundings, &dyn FileSystem) -> Result<Parsed, Unread>;

/// Why the lines of a configuration are not known to be right.
enum Unproven {
    /// ssh has not taken them yet.
    NotYet,
    /// It cannot be asked.
    Failed(ConnectError),
}

impl From<ConnectError> for Unproven {
    fn from(error: ConnectError) -> Self {
        Unproven::Failed(error)
    }
}

/// Who we are, and with which environment. What depends on it is told in the words of ssh.
#[derive(Debug)]
pub(in crate::ssh) struct Owner {
    pub(in crate::ssh) account: Account,
    pub(in crate::ssh) environment: Environment,
}

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What `ssh -G` prints.
    pub settings: Settings,
    /// Why ssh was asked, if it was.
    pub asked: Option<String>,
}

/// What ssh said of one host.
#[derive(Debug, Clone)]
enum Answer {
    Told(Arc<Told>),
    /// What is wrong.
    Wrong(String),
    Unknown,
}

impl Configuration {
    /// A configuration that nothing was read of.
    pub fn new(options: SshOptions) -> Self {
        Configuration {
            program: Program::new(&options.program),
            options,
            known: OnceCell::new(),
            asked: Mutex::default(),
            reads_the_same: OnceCell::new(),
            proven: OnceCell::new(),
        }
    }

    /// What every ssh is told beside its configuration.
    pub fn options(&self) -> &SshOptions {
        &self.options
    }

    /// What the configuration makes of a host. None when this ssh cannot tell, or takes too long.
    ///
    /// May be dropped at any moment; a program that was started for it is then ended.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Spawn`] and [`ConnectErrorKind::Resources`] when ssh cannot be started,
    /// [`ConnectErrorKind::Configuration`] with its own words when it refuses the configuration.
    pub async fn of(
        &self,
        destination: &Destination,
        surroundings: &Surroundings,
    ) -> Result<Option<Arc<Told>>, ConnectError> {
        self.of_one(destination, Purpose::Command, surroundings)
            .await
    }

    /// The same for a host that is only on the way to another, behind the hops `before`.
    ///
    /// # Errors
    /// As of [`Configuration::of`].
    pub async fn of_hop(
        &self,
        destination: &Destination,
        before: Option<&str>,
        surroundings: &Surroundings,
    ) -> Result<Option<Arc<Told>>, ConnectError> {
        let before = before.map(str::to_owned);
        self.of_one(destination, Purpose::Way { before }, surroundings)
            .await
    }

    async fn of_one(
        &self,
        destination: &Destination,
        purpose: Purpose,
        surroundings: &Surroundings,
    ) -> Result<Option<Arc<Told>>, ConnectError> {
        let question = Question {
            destination: destination.clone(),
            purpose,
        };
        let parsed = match &self.known(surroundings).await?.parsed {
            Ok(parsed) => Ok(parsed),
            Err(why) => match self.proven(&question, why, surroundings).await? {
                Some(parsed) => Ok(parsed),
                None => Err(why),
            },
        };
        let why = match parsed {
            Err(why) => why.clone(),
            Ok(parsed) => match parsed.resolve(&question.destination, &question.purpose) {
                Resolution::Told(settings) => {
                    if self.reads(parsed, &question, surroundings).await? {
                        let asked = None;
                        return Ok(Some(Arc::new(Told { settings, asked })));
                    }
                    ELSEWHERE.to_owned()
                }
                // The command is not known yet.
                Resolution::Ask(_) if parsed.knows_commands() => return Ok(None),
                Resolution::Ask(why) => why,
            },
        };
        match self.answered(&question, &why, surroundings).await? {
            Answer::Told(told) => Ok(Some(told)),
            Answer::Wrong(text) => {
                let kind = ConnectErrorKind::Configuration;
                Err(ConnectError::new(kind, text))
            }
            Answer::Unknown => Ok(None),
        }
    }

    /// What ssh says of a host, for which it is asked once.
    async fn answered(
        &self,
        question: &Question,
        why: &str,
        surroundings: &Surroundings,
    ) -> Result<Answer, ConnectError> {
        let host = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(question.clone()).or_default())
        };
        let answer = host.get_or_try_init(|| self.answer(question, why.to_owned(), surroundings));
        answer.await.cloned()
    }

    /// The configuration with lines that are not understood, once ssh has taken them: it reads all of them
    /// for each host, and refuses a wrong one whatever the host.
    async fn proven(
        &self,
        question: &Question,
        why: &str,
        surroundings: &Surroundings,
    ) -> Result<Option<&Parsed>, ConnectError> {
        // The options of the command line are not passed for a hop.
        if question.purpose != Purpose::Command {
            return Ok(self.proven.get().and_then(Option::as_ref));
        }
        let proven = self.proven.get_or_try_init(async || {
            let known = self.known(surroundings).await?;
            let Some(installed) = &known.installed else {
                return Ok(None);
            };
            match self.answered(question, why, surroundings).await? {
                Answer::Told(_) => {
                    let parsed = self.read(installed.clone(), Parsed::trusting, surroundings);
                    Ok(parsed.await.ok())
                }
                Answer::Wrong(_) | Answer::Unknown => Err(Unproven::NotYet),
            }
        });
        match proven.await {
            Ok(parsed) => Ok(parsed.as_ref()),
            Err(Unproven::NotYet) => Ok(None),
            Err(Unproven::Failed(error)) => Err(error),
        }
    }

    /// The settings of a host that nothing is configured for: those of the installed ssh, or of OpenSSH 9.2
    /// where there is none. Empty when it does not tell.
    ///
    /// # Errors
    /// When ssh cannot be started.
    pub async fn defaults(&self, surroundings: &Surroundings) -> Result<&Settings, ConnectError> {
        let known = self.known(surroundings).await?;
        Ok(&known.defaults)
    }

    /// Who we are. None for an account that nobody knows.
    ///
    /// # Errors
    /// When ssh cannot be started.
    pub(in crate::ssh) async fn owner(
        &self,
        surroundings: &Surroundings,
    ) -> Result<Option<&Owner>, ConnectError> {
        let known = self.known(surroundings).await?;
        Ok(known.owner.as_ref())
    }

    async fn known(&self, surroundings: &Surroundings) -> Result<&Known, ConnectError> {
        let known = self.known.get_or_try_init(async || {
            let (plain, marked) = (texts(&PLAIN), texts(&MARKED));
            let plain = self.printed(&plain, surroundings);
            let (plain, marked) = tokio::join!(plain, self.printed(&marked, surroundings));
            let mut how: Reading = Parsed::read;
            let (defaults, installed) = match plain.and_then(|plain| Ok((plain, marked?))) {
                Ok((plain, marked)) => {
                    let (plain, marked) = (plain.unwrap_or_default(), marked.unwrap_or_default());
                    let installed = Installed::parse(&plain, &marked);
                    (Settings::parse(&plain), installed)
                }
                Err(error) if error.kind == ConnectErrorKind::Spawn => {
                    let absent = Installed::absent(surroundings).ok_or(error)?;
                    how = Parsed::trusting;
                    (absent.defaults().clone(), Some(absent))
                }
                Err(error) => return Err(error),
            };
            let account = match &installed {
                Some(installed) => Some(installed.account().clone()),
                None => Account::of(surroundings),
            };
            let owner = account.map(|account| Owner {
                account,
                environment: tokens::environment(surroundings),
            });
            let parsed = match installed.clone() {
                Some(installed) => self.read(installed, how, surroundings).await,
                None => Err("a version of ssh that is not known".into()),
            };
            Ok::<_, ConnectError>(Known {
                defaults,
                installed,
                owner,
                parsed,
            })
        });
        known.await
    }

    /// Reads the files; with longer lists of algorithms if they need them. Or says why they must be left
    /// to ssh.
    async fn read(
        &self,
        mut installed: Installed,
        how: Reading,
        surroundings: &Surroundings,
    ) -> Result<Parsed, String> {
        let read = |installed: Installed| how(installed, &self.options, surroundings, &Disk);
        let mut parsed = read(installed.clone());
        if let Err(unread) = &parsed
            && unread.lacks == Lacks::Lists
        {
            for (list, option) in LISTS {
                // An ssh that does not tell is asked for the hosts.
                let arguments = texts(&["-Q", list]);
                if let Ok(Some(printed)) = self.printed(&arguments, surroundings).await {
                    installed.list(option, &printed);
                }
            }
            parsed = read(installed.clone());
        }
        parsed.map_err(|unread| unread.why)
    }

    /// Whether ssh reads the files of `parsed`, which it is asked once a run: a program of its name may
    /// give it others, or a system keep them elsewhere.
    ///
    /// It is asked for a host that no command must be run for, so that none is run needlessly.
    async fn reads(
        &self,
        parsed: &Parsed,
        question: &Question,
        surroundings: &Surroundings,
    ) -> Result<bool, ConnectError> {
        if self.options.config.is_some() {
            return Ok(true);
        }
        let reads_the_same = self.reads_the_same.get_or_try_init(async || {
            let arguments = self.arguments(question, &["-v"]);
            match self.program.ask(&arguments, surroundings).await {
                Ok(said) => Ok(said.is_some_and(|said| read_by(&said) == parsed.names())),
                // Nobody else reads anything.
                Err(error) if error.kind == ConnectErrorKind::Spawn => Ok(true),
                Err(error) => Err(error),
            }
        });
        reads_the_same.await.copied()
    }

    /// Asks ssh for one host. Only that ssh could not be started is an error, and not remembered.
    async fn answer(
        &self,
        question: &Question,
        why: String,
        surroundings: &Surroundings,
    ) -> Result<Answer, ConnectError> {
        let arguments = self.arguments(question, &[]);
        let mut said = self.program.ask(&arguments, surroundings).await?;
        let has_command = said.as_ref().is_some_and(has_command);
        if has_command {
            let arguments = self.arguments(question, &ONE_COMMAND);
            said = self.program.ask(&arguments, surroundings).await?;
        }
        let Some(output) = said else {
            let broken = self.program.broken.get().cloned();
            return Ok(broken.map_or(Answer::Unknown, Answer::Wrong));
        };
        if output.status.success() {
            // Text that is not UTF-8 would not be what ssh does with it.
            let Ok(printed) = String::from_utf8(output.stdout) else {
                return Ok(Answer::Unknown);
            };
            let mut settings = Settings::parse(&printed);
            if has_command {
                settings.set("remotecommand", "");
            }
            let asked = Some(why);
            return Ok(Answer::Told(Arc::new(Told { settings, asked })));
        }
        let Some(mistake) = diagnose::configuration(&output.stderr) else {
            return Ok(Answer::Unknown);
        };
        if mistake.is_everywhere {
            let _ = self.program.broken.set(mistake.text.clone());
        }
        Ok(Answer::Wrong(mistake.text))
    }

    /// The arguments that make ssh print what it makes of a host.
    fn arguments(&self, question: &Question, overruled: &[&str]) -> Vec<OsString> {
        let Question {
            destination,
            purpose,
        } = question;
        let mut arguments = texts(&["-G"]);
        arguments.extend(texts(overruled));
        if let Some(config) = &self.options.config {
            arguments.extend(["-F".into(), config.into()]);
        }
        let options = match purpose {
            Purpose::Command => self.options.clone(),
            Purpose::Way { before } => {
                arguments.extend(texts(&["-W", BEHIND]));
                SshOptions {
                    options: before.iter().map(|it| format!("ProxyJump={it}")).collect(),
                    ..SshOptions::default()
                }
            }
        };
        for identity in options.identities {
            arguments.extend(["-i".into(), identity.into()]);
        }
        if let Some(user) = destination.user.clone().or(options.login) {
            arguments.extend(["-l".into(), user.into()]);
        }
        if let Some(port) = destination.port.or(options.port) {
            arguments.extend(["-p".into(), port.to_string().into()]);
        }
        for option in options.options {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments.extend(["--".into(), (&destination.host).into()]);
        if *purpose == Purpose::Command {
            arguments.push(COMMAND.into());
        }
        arguments
    }

    /// What an ssh prints that does not fail.
    async fn printed(
        &self,
        arguments: &[OsString],
        surroundings: &Surroundings,
    ) -> Result<Option<String>, ConnectError> {
        let output = self.program.ask(arguments, surroundings).await?;
        let output = output.filter(|output| output.status.success());
        Ok(output.and_then(|output| String::from_utf8(output.stdout).ok()))
    }
}

/// The configuration files that an ssh with `-v` says it has read.
fn read_by(output: &Output) -> BTreeSet<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines = stderr.lines().filter_map(|line| line.strip_prefix(READS));
    lines.map(|name| name.trim_end().to_owned()).collect()
}

/// Whether ssh told nothing because the configuration has a command, too.
fn has_command(output: &Output) -> bool {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut lines = stderr.lines();
    !output.status.success() && lines.any(|line| line.trim_end() == TWO_COMMANDS)
}

fn texts(arguments: &[&str]) -> Vec<OsString> {
    arguments.iter().map(Into::into).collect()
}
