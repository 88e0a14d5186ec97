//! What will be done, complete and as a value, before anything is started.
//!
//! A plan can be printed and serialised; that is all a dry run is.

mod files;
mod going;
mod inquiry;
mod shown;

use std::path::PathBuf;
use std::sync::Arc;

use convoke::action::DEFAULT_FANOUT;
use convoke::connect::registry::Registry;
use convoke::host::Host;
use convoke::inventory::HostList;
use convoke::process::Command;

use crate::args::ExitRule;
use crate::config::{Pace, Reaching, Safety, Stdin, Work};
use crate::error::Usage;
use crate::render::Mode;
use crate::render::quote;
use crate::render::recap::Facts;
use crate::render::words;

pub(crate) use files::{FileForm, Files, LITTLE, Move, Moves};
pub(crate) use inquiry::Questions;

/// The scheme of this machine.
const LOCAL: &str = "local";

/// What will be done.
pub(crate) struct Plan {
    /// The hosts, in order.
    pub(crate) hosts: Vec<Host>,
    /// The same hosts, as short as they can be written.
    folded: String,
    /// What runs there.
    pub(crate) work: Work,
    /// Whether our stdin is sent.
    pub(crate) stdin: Stdin,
    /// How they are gone through.
    pub(crate) pace: Pace,
    /// How many hosts at once.
    pub(crate) crowd: Crowd,
    /// By which means they are reached.
    reaching: Reaching,
    /// The form of the output.
    pub(crate) mode: Mode,
    /// Whether what could drive a terminal is escaped in it.
    pub(crate) safety: Safety,
    /// Where results are kept as files.
    pub(crate) outdir: Option<PathBuf>,
    /// What the exit code says.
    pub(crate) exit_rule: ExitRule,
}

/// What a plan is made of.
pub(crate) struct Parts<'a> {
    pub(crate) hosts: &'a HostList,
    pub(crate) work: Work,
    pub(crate) stdin: Stdin,
    pub(crate) pace: Pace,
    pub(crate) reaching: Reaching,
    pub(crate) mode: Mode,
    pub(crate) safety: Safety,
    pub(crate) outdir: Option<PathBuf>,
    pub(crate) exit_rule: ExitRule,
    /// How many hosts fit below the limit of descriptors.
    pub(crate) room: usize,
}

impl Plan {
    /// Makes a plan that can be carried out with the connectors of `registry`.
    ///
    /// # Errors
    /// A host has a scheme without a connector.
    pub(crate) fn new(parts: Parts<'_>, registry: &Registry) -> Result<Self, Usage> {
        let hosts = hosts(parts.hosts, registry, &parts.reaching)?;
        Ok(Plan {
            crowd: Crowd::of(hosts.len(), parts.pace.fanout, DEFAULT_FANOUT, parts.room),
            hosts,
            folded: parts.hosts.fold(),
            work: parts.work,
            stdin: parts.stdin,
            pace: parts.pace,
            reaching: parts.reaching,
            mode: parts.mode,
            safety: parts.safety,
            outdir: parts.outdir,
            exit_rule: parts.exit_rule,
        })
    }

    /// The command, without its input.
    pub(crate) fn command(&self) -> Command {
        self.work.command.clone()
    }

    /// The names of the hosts, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = Arc<str>> {
        self.hosts.iter().map(|host| Arc::clone(host.name()))
    }

    /// What hints about failures need to know.
    pub(crate) fn facts(&self) -> Facts {
        let program = self.work.command.start.argv.first();
        Facts {
            verb: "run",
            program: program.cloned().unwrap_or_default(),
            form: self.work.form,
            limits: self.work.command.start.limits,
            fanout: self.crowd.fanout,
            each: None,
            asked: None,
        }
    }
}

/// How many hosts are worked on at once.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// So many.
    pub(crate) fanout: usize,
    /// What the operator should know of it.
    pub(crate) warning: Option<String>,
}

impl Crowd {
    /// Of so many hosts as many as the operator wished, or as usual for the work, if so many fit.
    pub(crate) fn of(hosts: usize, wished: Option<usize>, usual: usize, room: usize) -> Self {
        let wanted = wished.unwrap_or(usual).min(hosts).max(1);
        let fanout = wanted.min(room);
        let warning = (fanout < wanted).then(|| {
            format!(
                "warning: the descriptor limit allows {} at once, not {wanted}\n\
                 hint: `ulimit -n` raises it\n",
                words::count(fanout, "host", "hosts")
            )
        });
        Crowd { fanout, warning }
    }
}

/// The hosts of these names, all of which the connectors of `registry` can reach.
///
/// # Errors
/// A host has a scheme without a connector, or one whose connector does not understand it, or is this machine and
/// somebody shall log in there.
pub(crate) fn hosts(
    names: &HostList,
    registry: &Registry,
    reaching: &Reaching,
) -> Result<Vec<Host>, Usage> {
    let hosts = names
        .iter()
        .map(|name| Host::new(name.as_str()).map_err(|error| Usage::new(error.to_string())));
    let hosts: Vec<Host> = hosts.collect::<Result<_, _>>()?;
    check_schemes(&hosts, registry)?;
    check_login(&hosts, reaching)?;
    for host in &hosts {
        let judged = registry.find(host.endpoint());
        let judged = judged.and_then(|connector| connector.check(host.endpoint()));
        judged.map_err(|error| {
            let usage = Usage::new(error.text);
            match error.hint {
                Some(hint) => usage.hint(hint),
                None => usage,
            }
        })?;
    }
    Ok(hosts)
}

/// Refuses to let somebody log in on this machine, where everything is done as whoever we are.
fn check_login(hosts: &[Host], reaching: &Reaching) -> Result<(), Usage> {
    let mut ours = hosts
        .iter()
        .filter(|host| host.endpoint().scheme() == LOCAL);
    match (&reaching.ssh.login, ours.next()) {
        (Some(user), Some(host)) => Err(Usage::new(format!(
            "-l {user:?}: {} is this machine, where nobody logs in",
            host.name()
        ))
        .hint("there everything is done as you; `sudo -u USER convoke …` is somebody else")),
        _ => Ok(()),
    }
}

/// Refuses hosts that no connector reaches.
fn check_schemes(hosts: &[Host], registry: &Registry) -> Result<(), Usage> {
    let Some(first) = stranger(hosts, registry) else {
        return Ok(());
    };
    let (scheme, rest) = (first.endpoint().scheme(), first.endpoint().rest());
    let same = hosts
        .iter()
        .filter(|host| host.endpoint().scheme() == scheme);
    let folded = words::fold(same.map(|host| &**host.name()));
    let usage = Usage::new(format!(
        "no connector for {scheme} endpoints in this build: {folded}"
    ));
    if ["/", "./", "~"].iter().any(|path| rest.starts_with(path)) {
        return Err(usage.hint(apart(first)));
    }
    let ours: Vec<String> = registry.schemes().map(|ours| format!("{ours}:")).collect();
    Err(usage.hint(format!("hosts are reached by {}", ours.join(", "))))
}

/// What to write when what follows a colon is a path.
fn apart(host: &Host) -> String {
    let (word, rest) = (host.endpoint().scheme(), host.endpoint().rest());
    format!("a path is a word of its own: write `{word} {rest}`")
}

/// The first host that no connector reaches.
fn stranger<'a>(hosts: &'a [Host], registry: &Registry) -> Option<&'a Host> {
    let is_known = |host: &Host| {
        let mut schemes = registry.schemes();
        schemes.any(|known| known == host.endpoint().scheme())
    };
    hosts.iter().find(|host| !is_known(host))
}

#[cfg(test)]
mod tests;
