//! The configuration of one run: told from the files, or asked of ssh where that cannot be exact.

use std::collections::HashMap;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};

use super::{Destination, Disk, Installed, LISTS, Lacks, MARKED, PLAIN, Parsed, Resolution};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::openssh::session::{self, Session};
use crate::openssh::{SshOptions, child, diagnose};
use crate::ssh::settings::Settings;
use crate::surroundings::Surroundings;

/// How many answers are waited for at once; each takes a few milliseconds of a processor.
const AT_ONCE: usize = 4;

/// How long an answer may take: a `Match exec` may ask a service somewhere.
const LIMIT: Duration = Duration::from_secs(10);

/// What the configuration makes of hosts, for the surroundings of the first question: an instance
/// serves one run. Each host is asked for at most once, and the files are read once.
#[derive(Debug)]
pub struct Configuration {
    options: SshOptions,
    known: OnceCell<Known>,
    asked: Mutex<HashMap<Destination, Arc<OnceCell<Arc<Told>>>>>,
    turns: Semaphore,
}

/// What is known of all hosts.
#[derive(Debug)]
struct Known {
    /// Of the installed ssh.
    defaults: Settings,
    /// Or why every host must be asked for.
    parsed: Result<Parsed, String>,
}

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What `ssh -G` prints.
    pub settings: Settings,
    /// Why ssh was asked, if it was.
    pub asked: Option<String>,
}

impl Configuration {
    /// A configuration that nothing was read of.
    pub fn new(options: SshOptions) -> Self {
        Configuration {
            options,
            known: OnceCell::new(),
            asked: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// What the configuration makes of a host.
    ///
    /// May be dropped at any moment; a program that was started for it is then ended.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Spawn`] and [`ConnectErrorKind::Resources`] when ssh cannot be started,
    /// [`ConnectErrorKind::Configuration`] with its own words when it refuses the configuration, or does
    /// not answer in 10 s.
    pub async fn of(
        &self,
        destination: &Destination,
        surroundings: &Surroundings,
    ) -> Result<Arc<Told>, ConnectError> {
        let why = match &self.known(surroundings).await?.parsed {
            Err(why) => why.clone(),
            Ok(parsed) => match parsed.resolve(destination) {
                Resolution::Told(settings) => {
                    return Ok(Arc::new(Told {
                        settings,
                        asked: None,
                    }));
                }
                Resolution::Ask(why) => why,
            },
        };
        let host = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(destination.clone()).or_default())
        };
        let told = host.get_or_try_init(async || {
            let arguments = self.arguments(destination);
            let output = self.run(&arguments, surroundings).await?;
            Ok::<_, ConnectError>(Arc::new(Told {
                settings: Settings::parse(&text(&output)),
                asked: Some(why),
            }))
        });
        told.await.cloned()
    }

    /// The defaults of the installed ssh: the settings of a host that nothing is configured for.
    ///
    /// # Errors
    /// When ssh cannot be started.
    pub async fn defaults(&self, surroundings: &Surroundings) -> Result<&Settings, ConnectError> {
        let known = self.known(surroundings).await?;
        Ok(&known.defaults)
    }

    async fn known(&self, surroundings: &Surroundings) -> Result<&Known, ConnectError> {
        let known = self.known.get_or_try_init(async || {
            let (plain, marked) = (texts(&PLAIN), texts(&MARKED));
            let plain = self.run(&plain, surroundings);
            let (plain, marked) = tokio::join!(plain, self.run(&marked, surroundings));
            let plain = text(&plain?);
            let parsed = match marked {
                Ok(marked) => match Installed::parse(&plain, &text(&marked)) {
                    Some(installed) => self.read(installed, surroundings).await,
                    None => Err("a version of ssh that is not known".into()),
                },
                // One that cannot be started fails for good; one that has other words is asked.
                Err(error) if error.kind == ConnectErrorKind::Configuration => Err(error.text),
                Err(error) => return Err(error),
            };
            Ok(Known {
                defaults: Settings::parse(&plain),
                parsed,
            })
        });
        known.await
    }

    /// Reads the files; with longer lists of algorithms if they need them.
    async fn read(
        &self,
        mut installed: Installed,
        surroundings: &Surroundings,
    ) -> Result<Parsed, String> {
        let read =
            |installed: Installed| Parsed::read(installed, &self.options, surroundings, &Disk);
        let mut parsed = read(installed.clone());
        if let Err(unread) = &parsed
            && unread.lacks == Lacks::Lists
        {
            for (list, option) in LISTS {
                // An ssh that has no such list fails, and is asked for the hosts.
                if let Ok(output) = self.run(&texts(&["-Q", list]), surroundings).await {
                    installed.list(option, &text(&output));
                }
            }
            parsed = read(installed.clone());
        }
        parsed.map_err(|unread| unread.why)
    }

    /// The arguments that make ssh print what it makes of a host.
    fn arguments(&self, destination: &Destination) -> Vec<std::ffi::OsString> {
        let options = &self.options;
        let mut arguments = texts(&["-G"]);
        if let Some(config) = &options.config {
            arguments.extend(["-F".into(), config.into()]);
        }
        for identity in &options.identities {
            arguments.extend(["-i".into(), identity.into()]);
        }
        if let Some(user) = destination.user.as_ref().or(options.login.as_ref()) {
            arguments.extend(["-l".into(), user.into()]);
        }
        if let Some(port) = destination.port.or(options.port) {
            arguments.extend(["-p".into(), port.to_string().into()]);
        }
        for option in &options.options {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments.extend(["--".into(), (&destination.host).into()]);
        arguments
    }

    async fn run(
        &self,
        arguments: &[std::ffi::OsString],
        surroundings: &Surroundings,
    ) -> Result<Output, ConnectError> {
        let refuse = |text: String| ConnectError::new(ConnectErrorKind::Configuration, text);
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| refuse("ssh is no longer asked".into()))?;
        // What a condition runs must not find our terminal.
        let mut command = session::command(&self.options.program, Session::Own, surroundings);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let running = command.spawn();
        let running = running.map_err(|error| child::not_started(&command, error))?;
        let output = match tokio::time::timeout(LIMIT, running.wait_with_output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(child::not_started(&command, error)),
            Err(_) => {
                let limit = LIMIT.as_secs();
                return Err(refuse(format!("ssh -G did not end in {limit} s")));
            }
        };
        match output.status.success() {
            true => Ok(output),
            false => {
                let said = diagnose::configuration(&output.stderr);
                Err(refuse(said.map_or_else(
                    || "ssh -G failed".into(),
                    |mistake| mistake.text,
                )))
            }
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn texts(arguments: &[&str]) -> Vec<std::ffi::OsString> {
    arguments.iter().map(Into::into).collect()
}
