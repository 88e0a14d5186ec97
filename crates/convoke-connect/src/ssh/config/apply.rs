//! One host's way through the files: what is set first counts.

use std::sync::Arc;

use super::account::Account;
use super::condition::{Again, Condition, Pass, Subject};
use super::directive::Directive;
use super::file::File;
use super::forward::Forward;
use super::jump::Jump;
use super::keywords::{self, COUNT};
use super::pattern::{Patterns, matches};
use super::tokens;

/// What was set so far.
#[derive(Debug)]
pub(super) struct Chosen {
    values: Vec<Option<Arc<str>>>,
    pub(super) user_files: Option<Arc<[String]>>,
    pub(super) system_files: Option<Arc<[String]>>,
    pub(super) agent_socket: Option<Arc<str>>,
    pub(super) proxy_command: Option<Arc<str>>,
    pub(super) jump: Option<Arc<Jump>>,
    pub(super) identities: Vec<(Arc<str>, Owned)>,
    pub(super) certificates: Vec<(Arc<str>, Owned)>,
    pub(super) send: Vec<String>,
    pub(super) set: Vec<String>,
    pub(super) local: Vec<Forward>,
    pub(super) remote: Vec<Forward>,
    pub(super) rekey: (Option<u64>, Option<u32>),
    /// Whether a condition asks for another pass.
    pub(super) again: Again,
}

/// Who named a file: equal names of different ones are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owned {
    CommandLine,
    User,
    System,
}

/// For whom lines are applied, and how.
pub(super) struct Walk<'a> {
    pub(super) account: &'a Account,
    /// The name that was asked for.
    pub(super) original: &'a str,
    /// The same, or in the final pass what became of it.
    pub(super) host: &'a str,
    pub(super) pass: Pass,
    pub(super) owned: Owned,
}

/// Whether lines count, by the last `Host` or `Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Active {
    Yes,
    No,
    /// Nothing in here does, whatever it says.
    Never,
}

/// How many key files ssh takes.
const MOST_KEYS: usize = 100;

impl Chosen {
    pub(super) fn new() -> Self {
        Chosen {
            values: vec![None; COUNT],
            user_files: None,
            system_files: None,
            agent_socket: None,
            proxy_command: None,
            jump: None,
            identities: Vec::new(),
            certificates: Vec::new(),
            send: Vec::new(),
            set: Vec::new(),
            local: Vec::new(),
            remote: Vec::new(),
            rekey: (None, None),
            again: Again::No,
        }
    }

    /// The value that was set for an option.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (slot, _) = keywords::find(name)?;
        self.values.get(slot)?.as_deref()
    }

    /// All plain values.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let values = self.values.iter().enumerate();
        values.filter_map(|(slot, value)| Some((keywords::name(slot), value.as_deref()?)))
    }

    /// Sets an option, whatever it was.
    pub(super) fn put(&mut self, name: &str, value: &str) {
        if let Some((slot, _)) = keywords::find(name)
            && let Some(place) = self.values.get_mut(slot)
        {
            *place = Some(Arc::from(value));
        }
    }

    /// Applies the lines of a file.
    ///
    /// # Errors
    /// The first thing that only ssh can tell for this host.
    pub(super) fn apply(
        &mut self,
        file: &File,
        walk: &Walk<'_>,
        outer: Active,
    ) -> Result<(), String> {
        let mut active = outer;
        let mut place = 0;
        while let Some((number, directive)) = file.lines.get(place) {
            let at = |why: &str| format!("{} line {number}: {why}", file.path);
            match directive {
                Directive::Host(patterns) => match file.skip.named(place, walk.host) {
                    Some(Err(behind)) => {
                        active = outer.with(|| false);
                        place = behind;
                        continue;
                    }
                    Some(Ok(found)) => {
                        active = outer.with(|| true);
                        place = found;
                    }
                    None => active = outer.with(|| patterns.are_for(walk.host)),
                },
                Directive::Match(condition) => {
                    let holds = self.holds(condition, walk).map_err(|why| at(&why))?;
                    active = outer.with(|| holds);
                }
                Directive::Include(files) => {
                    let inner = match active {
                        Active::Yes => Active::Yes,
                        Active::No | Active::Never => Active::Never,
                    };
                    for file in files {
                        self.apply(file, walk, inner)?;
                    }
                }
                Directive::Unknown(name) => match self.get("ignoreunknown") {
                    Some(list) if ignores(list, name) => {}
                    _ => return Err(at(&format!("the option {name:?}"))),
                },
                Directive::Stray(..) if active != Active::Yes => {
                    return Err(at("an option that some versions take from any block"));
                }
                _ if active == Active::Yes => {
                    self.take(directive, walk.owned).map_err(|why| at(&why))?;
                }
                _ => {}
            }
            place += 1;
            if active != Active::Yes {
                place = file.skip.next(place);
            }
        }
        Ok(())
    }

    fn holds(&mut self, condition: &Condition, walk: &Walk<'_>) -> Result<bool, String> {
        self.again = self.again.max(condition.asks_again());
        let host = self.host_now(walk)?;
        let subject = Subject {
            host: &host,
            original: walk.original,
            user: self.get("user").unwrap_or(&walk.account.name),
            local_user: &walk.account.name,
            pass: walk.pass,
        };
        let holds = condition.holds(&subject);
        holds.map_err(|name| format!("Match {name}"))
    }

    /// The host as `Match` sees it.
    fn host_now(&self, walk: &Walk<'_>) -> Result<String, String> {
        match self.get("hostname") {
            None => Ok(walk.host.to_owned()),
            Some(name) if walk.pass == Pass::Final => Ok(name.to_owned()),
            Some(name) => tokens::host_name(name, walk.host),
        }
    }

    /// Applies one line that is in force.
    ///
    /// # Errors
    /// What is left to ssh.
    pub(super) fn take(&mut self, directive: &Directive, owned: Owned) -> Result<(), String> {
        match directive {
            Directive::Set(slot, value) => self.set_first(*slot, value),
            Directive::Stray(slot, value) => {
                if self.values.get(*slot).is_some_and(Option::is_some) {
                    return Err("an option that some versions set anew".into());
                }
                self.set_first(*slot, value);
            }
            Directive::Files(slot, files) => {
                let place = match keywords::name(*slot) {
                    "userknownhostsfile" => &mut self.user_files,
                    _ => &mut self.system_files,
                };
                place.get_or_insert_with(|| Arc::clone(files));
            }
            Directive::ProxyCommand(command) => match self.jump.as_deref() {
                Some(Jump::None) if self.proxy_command.is_none() => {
                    return Err(
                        "ProxyCommand behind ProxyJump none, which versions differ in".into(),
                    );
                }
                Some(_) => {}
                None => {
                    self.proxy_command
                        .get_or_insert_with(|| Arc::clone(command));
                }
            },
            Directive::ProxyJump(jump) => {
                if self.proxy_command.is_none() && self.jump.is_none() {
                    if matches!(**jump, Jump::Over { .. }) {
                        self.proxy_command = Some(Arc::from("none"));
                    }
                    self.jump = Some(Arc::clone(jump));
                }
            }
            Directive::Identity(path) => add(&mut self.identities, path, owned)?,
            Directive::Certificate(path) => add(&mut self.certificates, path, owned)?,
            Directive::SendEnv(names) => {
                for name in names {
                    match name.strip_prefix('-') {
                        Some(pattern) => self.send.retain(|sent| !matches(pattern, sent)),
                        None => self.send.push(name.clone()),
                    }
                }
            }
            Directive::SetEnv(pairs) if self.set.is_empty() => {
                for pair in pairs {
                    let name = |pair: &String| pair.split('=').next().map(str::to_owned);
                    if !self.set.iter().any(|other| name(other) == name(pair)) {
                        self.set.push(pair.clone());
                    }
                }
            }
            Directive::LocalForward(forward) => once(&mut self.local, forward),
            Directive::RemoteForward(forward) => once(&mut self.remote, forward),
            Directive::AgentSocket(slot, path) => {
                self.set_first(*slot, &Arc::from("yes"));
                self.agent_socket.get_or_insert_with(|| Arc::clone(path));
            }
            Directive::Rekey(size, time) => {
                self.rekey.0 = self.rekey.0.or(*size);
                self.rekey.1 = self.rekey.1.or(*time);
            }
            Directive::Asked(what) => return Err(what.to_string()),
            Directive::Unknown(name) => return Err(format!("the option {name:?}")),
            Directive::SetEnv(_) | Directive::Nothing => {}
            Directive::Host(_) | Directive::Match(_) | Directive::Include(_) => {
                return Err("a block outside of a file".into());
            }
        }
        Ok(())
    }

    fn set_first(&mut self, slot: usize, value: &Arc<str>) {
        if let Some(place) = self.values.get_mut(slot) {
            place.get_or_insert_with(|| Arc::clone(value));
        }
    }
}

impl Active {
    fn with(self, fits: impl FnOnce() -> bool) -> Active {
        match self {
            Active::Never => Active::Never,
            _ if fits() => Active::Yes,
            _ => Active::No,
        }
    }
}

fn add(files: &mut Vec<(Arc<str>, Owned)>, path: &Arc<str>, owned: Owned) -> Result<(), String> {
    if files.len() >= MOST_KEYS {
        return Err("too many key files".into());
    }
    if !files
        .iter()
        .any(|(other, by)| other == path && *by == owned)
    {
        files.push((Arc::clone(path), owned));
    }
    Ok(())
}

fn once(forwards: &mut Vec<Forward>, forward: &Forward) {
    if !forwards.contains(forward) {
        forwards.push(forward.clone());
    }
}

fn ignores(list: &str, name: &str) -> bool {
    Patterns::listed(list, true).is_ok_and(|patterns| patterns.are_for(name))
}
