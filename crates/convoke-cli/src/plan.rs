//! What will be done, complete and as a value, before anything is started.
//!
//! A plan can be printed and serialised; that is all a dry run is.

mod quote;

use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bstr::{BString, ByteSlice as _};
use convoke::action::{DEFAULT_FANOUT, MaxFail, OnFailure};
use convoke::connect::registry::Registry;
use convoke::host::Host;
use convoke::inventory::HostList;
use convoke::process::Command;
use convoke::proto::command::{Leftovers, Shell};
use serde::Serialize;

use crate::args::ExitRule;
use crate::config::{Pace, Reaching, Safety, Stdin, Work};
use crate::error::Usage;
use crate::render::Mode;
use crate::render::recap::Facts;
use crate::render::words;
use quote::quoted;

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
    /// How many hosts at once.
    pub(crate) fanout: usize,
    /// By which means they are reached.
    reaching: Reaching,
    /// How many hosts may fail.
    pub(crate) max_fail: Option<MaxFail>,
    /// What a failure means for the others.
    pub(crate) on_failure: OnFailure,
    /// The form of the output.
    pub(crate) mode: Mode,
    /// Whether what could drive a terminal is escaped in it.
    pub(crate) safety: Safety,
    /// Where results are kept as files.
    pub(crate) outdir: Option<PathBuf>,
    /// What the exit code says.
    pub(crate) exit_rule: ExitRule,
    /// What the operator should know beforehand.
    pub(crate) warning: Option<String>,
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
        let hosts = hosts(parts.hosts, registry)?;
        let Crowd { fanout, warning } = Crowd::of(hosts.len(), parts.pace.fanout, parts.room);
        Ok(Plan {
            hosts,
            folded: parts.hosts.fold(),
            work: parts.work,
            stdin: parts.stdin,
            fanout,
            reaching: parts.reaching,
            max_fail: parts.pace.max_fail,
            on_failure: parts.pace.on_failure,
            mode: parts.mode,
            safety: parts.safety,
            outdir: parts.outdir,
            exit_rule: parts.exit_rule,
            warning,
        })
    }

    /// The plan as lines for people. Values that are secret are not in it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |word: &str, what: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{word:<10}{what}");
        };
        line("hosts", &format!("{} ({})", self.folded, self.hosts.len()));
        let start = &self.work.command.start;
        line("command", &quoted(&start.argv));
        if start.shell == Shell::Login {
            line("through", "the account's login shell");
        }
        if let Some(cwd) = &start.cwd {
            line("directory", &quoted([cwd]));
        }
        for (name, value) in self.variables() {
            let value = value.map_or_else(|| "(not shown)".to_owned(), |value| quoted([value]));
            line("variable", &format!("{}={value}", quoted([name])));
        }
        if self.stdin == Stdin::Sent {
            line("stdin", "ours, to every host");
        }
        for (word, limit) in [
            ("timeout", start.limits.total_ms),
            ("idle", start.limits.idle_ms),
            ("grace", Some(start.limits.grace_ms.into())),
        ] {
            if let Some(limit) = limit {
                let time = std::time::Duration::from_millis(limit);
                line(word, &humantime::format_duration(time).to_string());
            }
        }
        if start.leftovers == Leftovers::Kill {
            line("leftovers", "killed");
        }
        let ssh = self.ssh_words();
        if !ssh.is_empty() {
            line("ssh", &quoted(&ssh));
        }
        if let Some(hosts) = self.reaching.connecting {
            let hosts = words::count(hosts, "host", "hosts");
            line("connected", &format!("{hosts} at once"));
        }
        if let Some(limit) = self.reaching.connect_limit {
            line("connect", &humantime::format_duration(limit).to_string());
        }
        line("at once", &words::count(self.fanout, "host", "hosts"));
        if let Some(stop) = self.stop_at() {
            let hosts = words::count(stop, "failed host", "failed hosts");
            let then = match self.on_failure {
                OnFailure::StopAll => "everything is ended",
                OnFailure::GoOn => "nothing new is started",
            };
            line("stop at", &format!("{hosts}: {then}"));
        }
        match self.safety {
            Safety::Escaped => line("output", self.mode.as_str()),
            Safety::Raw => line(
                "output",
                &format!("{}, nothing escaped", self.mode.as_str()),
            ),
        }
        if let Some(outdir) = &self.outdir {
            line("files in", &quoted([&bytes_of(outdir)]));
        }
        match self.exit_rule {
            ExitRule::Kind => {}
            ExitRule::Max => line("exit code", "the largest remote code"),
        }
        text
    }

    /// The plan as it is serialised. Values that are secret are not in it.
    pub(crate) fn summary(&self) -> impl Serialize {
        let start = &self.work.command.start;
        Summary {
            schema: SCHEMA,
            kind: "plan",
            hosts: self
                .hosts
                .iter()
                .map(|host| host.name().to_string())
                .collect(),
            argv: start.argv.iter().map(lossless).collect(),
            login: start.shell == Shell::Login,
            cwd: start.cwd.as_ref().map(lossless),
            env: self.variables().map(Variable::from).collect(),
            stdin: self.stdin == Stdin::Sent,
            timeout_ms: start.limits.total_ms,
            idle_timeout_ms: start.limits.idle_ms,
            grace_ms: start.limits.grace_ms,
            kill_leftovers: start.leftovers == Leftovers::Kill,
            ssh: self.ssh_words().iter().map(lossless).collect(),
            connecting: self.reaching.connecting,
            connect_timeout_ms: self
                .reaching
                .connect_limit
                .map(|limit| limit.as_millis() as u64),
            fanout: self.fanout,
            stop_at_failures: self.stop_at(),
            fail_fast: self.on_failure == OnFailure::StopAll,
            output: self.mode.as_str(),
            outdir: self.outdir.as_deref().map(|path| lossless(&bytes_of(path))),
            raw: self.safety == Safety::Raw,
            exit_code: match self.exit_rule {
                ExitRule::Kind => "kind",
                ExitRule::Max => "max",
            },
        }
    }

    /// Each variable, without its value when that is secret.
    fn variables(&self) -> impl Iterator<Item = (&BString, Option<&BString>)> {
        let secret = &self.work.secret;
        let env = self.work.command.start.env.iter();
        env.map(|(name, value)| (name, (!secret.contains(name)).then_some(value)))
    }

    /// What was asked of ssh, as its own command line says it.
    fn ssh_words(&self) -> Vec<BString> {
        let words = self.reaching.ssh_words();
        words
            .into_iter()
            .map(|word| word.into_vec().into())
            .collect()
    }

    /// How many failed hosts stop the run.
    fn stop_at(&self) -> Option<usize> {
        match self.on_failure {
            OnFailure::StopAll => Some(1),
            OnFailure::GoOn => self.max_fail.map(|limit| limit.of(self.hosts.len())),
        }
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
            program: program.cloned().unwrap_or_default(),
            form: self.work.form,
            limits: self.work.command.start.limits,
            fanout: self.fanout,
        }
    }
}

/// The number of the JSON form of a plan.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Summary {
    schema: u32,
    kind: &'static str,
    hosts: Vec<String>,
    argv: Vec<Text>,
    login: bool,
    cwd: Option<Text>,
    env: Vec<Variable>,
    stdin: bool,
    timeout_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
    grace_ms: u32,
    kill_leftovers: bool,
    ssh: Vec<Text>,
    connecting: Option<usize>,
    connect_timeout_ms: Option<u64>,
    fanout: usize,
    stop_at_failures: Option<usize>,
    fail_fast: bool,
    output: &'static str,
    outdir: Option<Text>,
    raw: bool,
    exit_code: &'static str,
}

#[derive(Serialize)]
struct Variable {
    name: Text,
    /// `null` when it is secret.
    value: Option<Text>,
}

/// Bytes as they are in events: as `text` when they are UTF-8, else as `base64`.
#[derive(Serialize)]
enum Text {
    #[serde(rename = "text")]
    Utf8(String),
    #[serde(rename = "base64")]
    Other(String),
}

impl From<(&BString, Option<&BString>)> for Variable {
    fn from((name, value): (&BString, Option<&BString>)) -> Self {
        Variable {
            name: lossless(name),
            value: value.map(lossless),
        }
    }
}

fn bytes_of(path: &Path) -> BString {
    path.as_os_str().as_bytes().into()
}

fn lossless(bytes: &BString) -> Text {
    match bytes.to_str() {
        Ok(text) => Text::Utf8(text.to_owned()),
        Err(_) => Text::Other(STANDARD.encode(bytes)),
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
    /// Of so many hosts as many as the operator wished, if so many fit.
    pub(crate) fn of(hosts: usize, wished: Option<usize>, room: usize) -> Self {
        let wanted = wished.unwrap_or(DEFAULT_FANOUT).min(hosts).max(1);
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
/// A host has a scheme without a connector.
pub(crate) fn hosts(names: &HostList, registry: &Registry) -> Result<Vec<Host>, Usage> {
    let hosts = names
        .iter()
        .map(|name| Host::new(name.as_str()).map_err(|error| Usage::new(error.to_string())));
    let hosts: Vec<Host> = hosts.collect::<Result<_, _>>()?;
    check_schemes(&hosts, registry)?;
    Ok(hosts)
}

fn check_schemes(hosts: &[Host], registry: &Registry) -> Result<(), Usage> {
    let is_known = |host: &&Host| {
        registry
            .schemes()
            .any(|known| known == host.endpoint().scheme())
    };
    let Some(first) = hosts.iter().find(|host| !is_known(host)) else {
        return Ok(());
    };
    let scheme = first.endpoint().scheme();
    let same = hosts
        .iter()
        .filter(|host| host.endpoint().scheme() == scheme);
    let folded = words::fold(same.map(|host| &**host.name()));
    let what = format!("no connector for {scheme} endpoints yet in this build: {folded}");
    Err(Usage::new(what)
        .hint("hosts of this machine are written local:NAME, as in local:demo[1-3]"))
}

#[cfg(test)]
mod tests;
