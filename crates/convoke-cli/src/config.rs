//! What a command line means here: the arguments together with our environment.

mod env_file;
mod environment;
mod files;
mod inquiry;
mod place;
mod reaching;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::time::Duration;

use bstr::BString;
use convoke::action::{MaxFail, OnFailure};
use convoke::process::Command;
use convoke::proto::command::{Leftovers, Limits, Shell};

use crate::args::{self, Color, ExitRule, Talk};
use crate::error::Usage;

pub(crate) use environment::{Environment, Paper, PaperKind};
pub(crate) use files::{Get, Moving, Put, Source, Target, Wanted, unreadable};
pub(crate) use inquiry::{Asked, Hidden, Inquiry, ListForm};
pub(crate) use reaching::Reaching;

/// What `convoke run` is asked to do.
#[derive(Debug)]
pub(crate) struct Run {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// What runs there; its input is decided by `stdin`.
    pub(crate) command: Work,
    /// Whether our stdin is read.
    pub(crate) stdin: Stdin,
    /// How the hosts are gone through.
    pub(crate) pace: Pace,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// What is shown, and how.
    pub(crate) output: Output,
    /// What the exit code says.
    pub(crate) exit_rule: ExitRule,
    /// Whether anything happens at all.
    pub(crate) rehearsal: Rehearsal,
}

/// What `convoke hosts` is asked to do.
#[derive(Debug)]
pub(crate) enum Hosts {
    /// To show which hosts an expression selects.
    List {
        /// Which hosts.
        selection: Selection,
        /// In which form.
        form: HostsForm,
    },
    /// To see whether they can be reached.
    Check(Box<Check>),
}

/// What `convoke hosts --check` is asked to do.
#[derive(Debug)]
pub(crate) struct Check {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// What is shown, and how.
    pub(crate) output: Output,
}

/// What `convoke trust` is asked to do.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// Who decides.
    pub(crate) consent: Consent,
    /// How much is said on stderr.
    pub(crate) talk: Volume,
}

/// Who decides whether unknown keys are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The operator, when they have been shown.
    Asked,
    /// The operator has, unseen.
    Given,
}

/// A host expression, and whether it may select nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The expression as typed.
    pub(crate) expr: String,
    /// Whether it may select nothing.
    pub(crate) empty: Empty,
}

/// Whether an empty selection is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// It is.
    Refused,
    /// It is not.
    Allowed,
}

/// How a list of hosts is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostsForm {
    /// One a line, in order.
    Lines,
    /// Folded and sorted.
    Folded,
    /// Only their number.
    Count,
}

/// A command, and what of it must be shown nowhere.
#[derive(Clone)]
pub(crate) struct Work {
    /// The command.
    pub(crate) command: Command,
    /// How it was written.
    pub(crate) form: Form,
    /// The names of variables whose values are secret.
    pub(crate) secret: BTreeSet<BString>,
}

/// Names the program only: arguments are long, and variables may be secret.
impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work")
            .field("program", &self.command.start.argv.first())
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// How a command was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a program and its arguments.
    Words,
    /// As a line for a shell.
    Line,
}

/// Whether our stdin is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// Never.
    Unread,
    /// It goes to every host.
    Sent,
}

/// How the hosts are gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How many at once, when the operator said.
    pub(crate) fanout: Option<usize>,
    /// How many may fail.
    pub(crate) max_fail: Option<MaxFail>,
    /// What a failure means for the others.
    pub(crate) on_failure: OnFailure,
}

/// What is shown, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The form that was asked for.
    pub(crate) form: OutputForm,
    /// Whether what could drive a terminal is escaped.
    pub(crate) safety: Safety,
    /// What stdout is.
    pub(crate) stdout: Paper,
    /// What stderr is.
    pub(crate) stderr: Paper,
    /// How much is said on stderr.
    pub(crate) talk: Volume,
    /// Where big output is kept until it is shown.
    pub(crate) temporary: PathBuf,
    /// Where results are kept as files.
    pub(crate) outdir: Option<PathBuf>,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputForm {
    /// One host's bytes as they are, several hosts' lines with a prefix.
    Plain,
    /// Lines with a prefix, however many hosts there are.
    Prefixed,
    /// Equal results once.
    Gathered,
    /// The result of most hosts, and what differs from it.
    Differences,
    /// A line a host: whether and how it was reached.
    Checks,
    /// What moved is only counted.
    Files,
    /// The events.
    Json,
}

/// Whether what could drive a terminal is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// It is.
    Escaped,
    /// The operator wants it as it is.
    Raw,
}

/// How much is said on stderr besides what hosts say; in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Errors.
    Quiet,
    /// Recap and progress, too.
    Normal,
    /// What connections say, too.
    Verbose,
    /// Everything, frame by frame.
    Trace,
}

/// Whether anything happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rehearsal {
    /// The plan is shown, nothing is started.
    Dry,
    /// The plan is carried out.
    Wet,
}

impl Run {
    /// What the arguments mean. Reads the files that hold variables, and sees whether those for ssh can be read.
    ///
    /// # Errors
    /// Whatever is missing, contradictory or malformed.
    pub(crate) fn new(run: args::Run, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let output = Output {
            form: match () {
                () if run.json => OutputForm::Json,
                () if run.gather => OutputForm::Gathered,
                () if run.diff => OutputForm::Differences,
                () if run.prefix => OutputForm::Prefixed,
                () => OutputForm::Plain,
            },
            safety: if run.raw {
                Safety::Raw
            } else {
                Safety::Escaped
            },
            stdout: here.stdout(talk.color),
            stderr: here.stderr(talk.color),
            talk: Volume::of(talk),
            temporary: here.temporary.clone(),
            outdir: run.outdir.clone().map(PathBuf::from),
        };
        let pace = Pace {
            fanout: run.fanout,
            max_fail: run.max_fail,
            on_failure: if run.fail_fast {
                OnFailure::StopAll
            } else {
                OnFailure::GoOn
            },
        };
        Ok(Run {
            selection: Selection {
                expr: run.hosts.clone(),
                empty: Empty::of(run.allow_empty),
            },
            stdin: if run.stdin {
                Stdin::Sent
            } else {
                Stdin::Unread
            },
            exit_rule: run.exit_code,
            rehearsal: if run.dry_run {
                Rehearsal::Dry
            } else {
                Rehearsal::Wet
            },
            reaching: Reaching::new(run.reaching.clone())?,
            command: Work::new(run)?,
            pace,
            output,
        })
    }
}

impl Hosts {
    /// What the arguments mean.
    ///
    /// # Errors
    /// It is said how hosts are reached, and none is to be.
    pub(crate) fn new(hosts: args::Hosts, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let selection = Selection {
            expr: hosts.expr,
            empty: Empty::of(hosts.allow_empty),
        };
        if hosts.check {
            return Ok(Hosts::Check(Box::new(Check {
                selection,
                reaching: Reaching::new(hosts.reaching)?,
                output: Output {
                    form: match hosts.json {
                        true => OutputForm::Json,
                        false => OutputForm::Checks,
                    },
                    safety: Safety::Escaped,
                    stdout: here.stdout(talk.color),
                    stderr: here.stderr(talk.color),
                    talk: Volume::of(talk),
                    temporary: here.temporary.clone(),
                    outdir: None,
                },
            })));
        }
        if hosts.reaching != args::Reaching::default() {
            return Err(Usage::new("nothing is reached without --check")
                .hint("options of ssh belong to `convoke hosts --check` and `convoke run`"));
        }
        Ok(Hosts::List {
            selection,
            form: match (hosts.fold, hosts.count) {
                (true, _) => HostsForm::Folded,
                (false, true) => HostsForm::Count,
                (false, false) => HostsForm::Lines,
            },
        })
    }
}

impl Trust {
    /// What the arguments mean.
    ///
    /// # Errors
    /// There is nobody to ask.
    pub(crate) fn new(trust: args::Trust, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let consent = match trust.yes {
            true => Consent::Given,
            false if here.operator(Stdin::Unread, 1).is_some() => Consent::Asked,
            false => {
                return Err(Usage::new("there is no terminal to ask on").hint(
                    "--yes trusts every unknown key without asking; only over a network that you trust",
                ));
            }
        };
        Ok(Trust {
            selection: Selection {
                expr: trust.expr,
                empty: Empty::of(trust.allow_empty),
            },
            reaching: Reaching::new(trust.reaching)?,
            consent,
            talk: Volume::of(talk),
        })
    }
}

impl Work {
    fn new(run: args::Run) -> Result<Self, Usage> {
        let words = run.words.into_iter().map(bytes);
        let (mut command, form) = match run.sh {
            Some(line) => (Command::shell(bytes(line), words), Form::Line),
            None => (Command::new(words), Form::Words),
        };
        if form == Form::Words
            && command
                .start
                .argv
                .first()
                .is_some_and(|word| word.is_empty())
        {
            return Err(Usage::new("the program has no name")
                .hint("the first word after the hosts names the program; is a variable empty?"));
        }
        if run.outdir.as_ref().is_some_and(|dir| dir.is_empty()) {
            return Err(Usage::new("--outdir names no directory")
                .hint("a directory that does not exist is made"));
        }
        if run.cwd.as_ref().is_some_and(|cwd| cwd.is_empty()) {
            return Err(Usage::new("--cwd names no directory")
                .hint("without --cwd a command starts in the login home"));
        }
        if command.start.argv.is_empty() {
            return Err(Usage::new("no command given").hint(
                "write the program and its arguments after the hosts, or a shell line with --sh",
            ));
        }
        let (env, secret) = variables(&run.env_file, &run.env)?;
        command.start.env = env;
        command.start.cwd = run.cwd.map(bytes);
        command.start.limits = Limits {
            total_ms: run.timeout.map(milliseconds),
            idle_ms: run.idle_timeout.map(milliseconds),
            grace_ms: u32::try_from(milliseconds(run.grace)).unwrap_or(u32::MAX),
        };
        if run.login {
            command.start.shell = Shell::Login;
        }
        if run.kill_leftovers {
            command.start.leftovers = Leftovers::Kill;
        }
        Ok(Work {
            command,
            form,
            secret,
        })
    }
}

impl Pace {
    /// How many failed hosts of so many stop the run.
    pub(crate) fn stop_at(&self, hosts: usize) -> Option<usize> {
        match self.on_failure {
            OnFailure::StopAll => Some(1),
            OnFailure::GoOn => self.max_fail.map(|limit| limit.of(hosts)),
        }
    }
}

impl Empty {
    fn of(is_allowed: bool) -> Self {
        if is_allowed {
            Empty::Allowed
        } else {
            Empty::Refused
        }
    }
}

impl Volume {
    /// How much the operator wants to hear.
    pub(crate) fn of(talk: &Talk) -> Self {
        match (talk.quiet, talk.verbose) {
            (true, _) => Volume::Quiet,
            (false, 0) => Volume::Normal,
            (false, 1) => Volume::Verbose,
            (false, _) => Volume::Trace,
        }
    }
}

impl Color {
    /// Whether something is coloured that is or is not a terminal.
    fn applies(self, here: &Environment, is_terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if here.refuses_colour => false,
            Color::Auto if here.forces_colour => true,
            Color::Auto => is_terminal && !here.is_dumb,
        }
    }
}

/// A variable and its value.
type Pair = (BString, BString);

/// What a command's environment gets, each name once, and the names of those whose values are secret. Of a name
/// that is given twice the last one counts, and `--env` counts as later than every file.
fn variables(
    files: &[PathBuf],
    options: &[OsString],
) -> Result<(Vec<Pair>, BTreeSet<BString>), Usage> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut secret = BTreeSet::new();
    let mut set = |(name, value): Pair| match pairs.iter_mut().find(|(one, _)| *one == name) {
        Some(pair) => pair.1 = value,
        None => pairs.push((name, value)),
    };
    for file in files {
        for pair in env_file::read(file)? {
            secret.insert(pair.0.clone());
            set(pair);
        }
    }
    for option in options {
        let pair = variable(option)?;
        secret.remove(&pair.0);
        set(pair);
    }
    Ok((pairs, secret))
}

/// `NAME=VALUE` of `--env`. Its value is repeated nowhere: it may be a secret all the same.
fn variable(pair: &OsStr) -> Result<(BString, BString), Usage> {
    env_file::pair(pair.as_bytes()).map_err(|why| {
        Usage::new(format!("--env: {why}")).hint("write NAME=VALUE, as in --env LANG=C")
    })
}

fn bytes(text: OsString) -> BString {
    text.into_vec().into()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
