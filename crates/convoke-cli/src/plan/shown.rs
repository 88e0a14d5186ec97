//! The plan in words and as it is serialised: all that a dry run shows. Values that are secret are in neither.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bstr::{BString, ByteSlice as _};
use convoke::proto::command::{Leftovers, Shell};
use serde::Serialize;

use super::Plan;
use super::going::{Going, GoingSummary};
use super::quote::quoted;
use crate::args::ExitRule;
use crate::config::{Safety, Stdin};

impl Plan {
    /// The plan as lines for people. Values that are secret are not in it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |word: &str, what: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{word:<9} {what}");
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
                let time = Duration::from_millis(limit);
                line(word, &humantime::format_duration(time).to_string());
            }
        }
        if start.leftovers == Leftovers::Kill {
            line("leftovers", "killed");
        }
        self.going().lines(&mut line);
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
            going: self.going().summary(),
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

    /// How the hosts are gone through.
    fn going(&self) -> Going<'_> {
        Going {
            reaching: &self.reaching,
            pace: &self.pace,
            hosts: self.hosts.len(),
            fanout: self.crowd.fanout,
        }
    }
}

/// The number of the JSON form of a plan.
pub(super) const SCHEMA: u32 = 1;

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
    #[serde(flatten)]
    going: GoingSummary,
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
pub(super) enum Text {
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

pub(super) fn bytes_of(path: &Path) -> BString {
    path.as_os_str().as_bytes().into()
}

pub(super) fn lossless(bytes: &BString) -> Text {
    match bytes.to_str() {
        Ok(text) => Text::Utf8(text.to_owned()),
        Err(_) => Text::Other(STANDARD.encode(bytes)),
    }
}
