//! `convoke trust`: the keys of hosts, shown before anybody logs in there, and added to known hosts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use convoke::connect::connector::Connector as _;
use convoke::connect::ssh::{Native, Sight, Standing};
use convoke::host::{Host, Reach, look};
use convoke::outcome::Unreachable;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{print, say};
use crate::config::{Consent, Environment, Stdin, Trust, Volume};
use crate::descriptors;
use crate::error::{Usage, in_words};
use crate::exit::{self, Stop};
use crate::operator::Operator;
use crate::plan;
use crate::render::floor::Floor;
use crate::render::keys::{self, Shown};
use crate::selection;
use crate::signals::{self, Signals};

/// What came of looking at the key of a host.
type Looked = (Arc<str>, Result<Sight, Unreachable>);

/// Shows the keys, asks, adds them, and returns the exit code.
///
/// # Errors
/// What is wrong with the selection; nothing has been connected then.
pub(crate) fn run(config: Trust, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    let names = selection::hosts(&config.selection, Stdin::Unread)?;
    let reach = config.reaching.reach(None);
    let hosts = plan::hosts(&names, &reach.registry, &config.reaching)?;
    refuse_others(&hosts)?;
    if hosts.is_empty() {
        return Ok(exit::OK);
    }
    let room = descriptors::hosts_that_fit(&names, 0)?;
    let terminal = here.operator(Stdin::Unread, hosts.len());
    let asks_beforehand = config.reaching.asks_beforehand;
    let operator = Arc::new(Operator::new(
        terminal,
        floor,
        hosts.len(),
        asks_beforehand,
    )?);
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(no_runtime)?;
    let native = Arc::new(Native::new(config.reaching.ssh.clone()));
    let work = Undertaking {
        native: Arc::clone(&native),
        reach: Reach {
            ask: Arc::clone(&operator) as _,
            ..reach
        },
        room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
        operator: Arc::clone(&operator),
        consent: config.consent,
        talk: config.talk,
    };
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(no_runtime)?;
        let (_, line) = operator.stage();
        signals::tidy_before_suspension(line, operator.echo()).map_err(no_runtime)?;
        tokio::select! {
            biased;
            stop = signals.next() => Ok(stop.code()),
            code = work.carry_out(hosts) => code,
        }
    });
    if let Some(echo) = operator.echo() {
        echo.restore();
    }
    native.end();
    runtime.shutdown_background();
    ended
}

fn no_runtime(error: std::io::Error) -> Usage {
    Usage::new(format!("failed to start: {}", in_words(&error)))
}

/// Only hosts over ssh have keys, and only the native client can look at them.
fn refuse_others(hosts: &[Host]) -> Result<(), Usage> {
    let is_ssh = |host: &&Host| matches!(host.endpoint().scheme(), "ssh" | "ssh+native");
    match hosts.iter().find(|host| !is_ssh(host)) {
        None => Ok(()),
        Some(other) if other.endpoint().scheme() == "openssh" => Err(Usage::new(format!(
            "{} is reached by the system's ssh, which shows its key itself",
            other.name()
        ))
        .hint("`ssh HOST` asks whether to accept it; without openssh: it can be trusted here")),
        Some(other) => Err(Usage::new(format!("{} has no host key", other.name()))
            .hint("only hosts over ssh have one")),
    }
}

/// What is done.
struct Undertaking {
    native: Arc<Native>,
    reach: Reach,
    /// How many hosts fit below the limit of descriptors.
    room: Arc<Semaphore>,
    operator: Arc<Operator>,
    consent: Consent,
    talk: Volume,
}

impl Undertaking {
    async fn carry_out(&self, hosts: Vec<Host>) -> Result<u8, Usage> {
        self.operator.prepare().await?;
        let looked = self.look(hosts).await;
        let shown = Shown::of(&looked);
        let printed = print(shown.keys().as_bytes());
        if printed != exit::OK {
            return Ok(printed);
        }
        say(&shown.refusals());
        let new = looked.iter().filter_map(|(name, looked)| match looked {
            Ok(sight) if matches!(sight.standing(), Standing::New) => Some((name, sight)),
            _ => None,
        });
        let new: Vec<_> = new.collect();
        let added = match new.is_empty() || self.agrees(&new).await {
            true => self.add(&new),
            false => {
                say("nothing was added\n");
                exit::FAILED
            }
        };
        Ok(code(&looked, added))
    }

    /// The keys of all hosts, in host order.
    async fn look(&self, hosts: Vec<Host>) -> Vec<Looked> {
        let mut looking = JoinSet::new();
        for (number, host) in hosts.iter().cloned().enumerate() {
            let (native, reach) = (Arc::clone(&self.native), self.reach.clone());
            let room = Arc::clone(&self.room);
            looking.spawn(async move {
                // It is never closed.
                let _room = room.acquire().await;
                (number, look(&host, &native, &reach).await)
            });
        }
        let mut looked = BTreeMap::new();
        while let Some(ended) = looking.join_next().await {
            // Only a panic ends one without a result, and it has said what it is.
            if let Ok((number, result)) = ended {
                looked.insert(number, result);
            }
        }
        let looked = looked.into_iter().filter_map(|(number, result)| {
            let host = hosts.get(number)?;
            Some((Arc::clone(host.name()), result))
        });
        looked.collect()
    }

    /// Whether unknown keys are to be trusted. A single one may be agreed to by its fingerprint, as with ssh.
    async fn agrees(&self, new: &[(&Arc<str>, &Sight)]) -> bool {
        if self.consent == Consent::Given {
            return true;
        }
        let only = keys::only(new.iter().map(|(_, sight)| *sight));
        let answers = match only {
            Some(_) => "yes/no/[fingerprint]",
            None => "yes/no",
        };
        let mut prompt = format!(
            "{} ({answers})? ",
            keys::question(new.iter().map(|(_, sight)| *sight), new.len())
        );
        loop {
            match self.operator.line(&prompt).await.as_deref() {
                None => return false,
                Some(no) if no.eq_ignore_ascii_case("no") => return false,
                Some(yes) if yes.eq_ignore_ascii_case("yes") => return true,
                Some(print) if only.as_deref() == Some(print) => return true,
                Some(_) => prompt = format!("Please type {}: ", answers.replace('/', ", ")),
            }
        }
    }

    /// Adds the keys, and says to which file.
    fn add(&self, new: &[(&Arc<str>, &Sight)]) -> u8 {
        let mut files: BTreeMap<PathBuf, Vec<&str>> = BTreeMap::new();
        let mut code = exit::OK;
        for (name, sight) in new {
            match sight.trust() {
                Ok(file) => files
                    .entry(file.unwrap_or_default())
                    .or_default()
                    .push(name),
                Err(error) => {
                    let error = in_words(&error);
                    say(&format!(
                        "error: {name}: failed to add the key to known hosts: {error}\n"
                    ));
                    code = Stop::OutputFailed.code();
                }
            }
        }
        if self.talk > Volume::Quiet {
            for (file, names) in files {
                say(&keys::added(&file, &names));
            }
        }
        code
    }
}

/// The exit code of what came of all hosts; `added` is that of adding new keys.
fn code(looked: &[Looked], added: u8) -> u8 {
    let failures = looked
        .iter()
        .filter_map(|(_, looked)| looked.as_ref().err());
    let refused = looked.iter().filter_map(|(_, looked)| looked.as_ref().ok());
    let is_refused = |sight: &Sight| matches!(sight.standing(), Standing::Refused(_));
    let refused = refused.filter(|sight| is_refused(sight)).count();
    let kinds: Vec<_> = failures.map(|failure| failure.kind).collect();
    if kinds.len() == looked.len() && exit::is_configuration(&kinds) {
        exit::USAGE
    } else if refused > 0 || !kinds.is_empty() {
        exit::UNREACHABLE
    } else {
        added
    }
}
