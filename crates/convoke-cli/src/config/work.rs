//! The command of `convoke run`, with the variables it gets.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use bstr::BString;
use convoke::process::Command;
use convoke::proto::command::{Leftovers, Limits, Shell};

use super::{bytes, env_file};
use crate::args;
use crate::error::Usage;

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

impl Work {
    /// What the arguments mean. Reads the files that hold variables.
    ///
    /// # Errors
    /// The command has no name, or a variable or a file of them is wrong.
    pub(super) fn new(run: args::Run) -> Result<Self, Usage> {
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
            return Err(Usage::new("the program has no name").hint(
                "the first word after the hosts names the program; is a shell variable empty?",
            ));
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

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
