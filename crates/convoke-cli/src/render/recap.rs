//! The last words about a run: how many hosts, what failed where, and what helps.

mod cause;

use std::fmt::Write as _;
use std::time::Duration;

use bstr::BString;
use convoke::outcome::{Failed, Failure, FailureCause, Field, Outcome, Reason, Stage};
use convoke::proto::command::Limits;
use convoke::report::{HostResult, Report};

use super::escape::one_line;
use super::progress::rate;
use super::words;
use crate::config::{Asked, Form, Get};
use cause::Cause;

/// The errno of what only root may do.
const EPERM: i32 = 1;

/// The errno of a program that is not there, that is no program, and of arguments that are too long.
const ENOENT: i32 = 2;
const E2BIG: i32 = 7;
const ENOEXEC: i32 = 8;

/// The errno of a file where a directory is asked for, and of a directory where a file is.
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;

/// The errno of a symbolic link where none is followed, and of links that lead round.
const ELOOP: i32 = 40;

/// The word of the cause that something ran out here.
const RESOURCES: &str = "resources";

/// How many different causes are told before the rest is only counted.
const CAUSES: usize = 20;

/// How many characters a list of hosts may take.
const HOSTS_CHARS: usize = 300;

/// What is known of the work, for words and hints about what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The verb that was typed.
    pub(crate) verb: &'static str,
    /// The program that was asked for.
    pub(crate) program: BString,
    /// How it was written.
    pub(crate) form: Form,
    /// When the hosts ended it.
    pub(crate) limits: Limits,
    /// How many hosts were worked on at once.
    pub(crate) fanout: usize,
    /// How many bytes each host gets, when files go there and it is known.
    pub(crate) each: Option<u64>,
    /// What the hosts were asked, when no command ran.
    pub(crate) asked: Option<Asked>,
}

impl Facts {
    /// Nothing is run on the hosts.
    pub(crate) fn of_no_command(verb: &'static str, fanout: usize) -> Self {
        Facts {
            verb,
            program: BString::default(),
            form: Form::Words,
            limits: Limits::default(),
            fanout,
            each: None,
            asked: None,
        }
    }

    /// Files move; each host gets so many bytes, when that is known.
    pub(crate) fn of_files(verb: &'static str, fanout: usize, each: Option<u64>) -> Self {
        Facts {
            each,
            ..Self::of_no_command(verb, fanout)
        }
    }

    /// Hosts are asked something.
    pub(crate) fn of_inquiry(fanout: usize, asked: Asked) -> Self {
        let verb = asked.verb();
        Facts {
            asked: Some(asked),
            ..Self::of_no_command(verb, fanout)
        }
    }
}

/// Whether several hosts are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// They are.
    Always,
    /// Only when there is something else to tell.
    WithFailures,
}

/// The lines for stderr; none when a single host is ok and left nothing behind.
pub(crate) fn text(report: &Report, facts: &Facts, count: Count) -> String {
    let causes = causes(report, facts, is_told);
    let mut text = String::new();
    let is_counted = count == Count::Always || !causes.is_empty();
    let indent = match report.results.len() {
        2.. if is_counted => {
            push_counts(&mut text, report);
            "  "
        }
        _ => "",
    };
    push_causes(&mut text, &causes, indent, facts);
    text
}

/// The lines for stderr of a quiet run: what only we can tell, as the command never spoke or was cut off.
pub(crate) fn errors(report: &Report, facts: &Facts) -> String {
    let mut text = String::new();
    push_causes(&mut text, &causes(report, facts, is_error), "", facts);
    text
}

/// The line about the bytes of files that arrived; none when no file did.
pub(crate) fn volume(report: &Report, took: Duration) -> String {
    let bytes = report.results.iter().map(|result| match &result.outcome {
        Outcome::Done(done) => Some(done.bytes),
        _ => None,
    });
    match bytes.flatten().reduce(u64::saturating_add) {
        Some(sum) => format!(
            "{} in {:.1} s, {}\n",
            words::bytes(sum),
            took.as_secs_f64(),
            rate(sum, took)
        ),
        None => String::new(),
    }
}

/// Whether something else than the command itself says that it failed.
fn is_error(result: &HostResult) -> bool {
    !matches!(
        result.outcome,
        Outcome::Exited(_)
            | Outcome::Checked(_)
            | Outcome::Done(_)
            | Outcome::Cancelled(_)
            | Outcome::Skipped(_)
    )
}

/// Whether there is more to tell than that it is ok.
fn is_told(result: &HostResult) -> bool {
    let left_nothing = match &result.outcome {
        Outcome::Exited(exited) => {
            exited.left_running == 0 && !exited.stream_cut && exited.survivors.is_empty()
        }
        Outcome::Checked(_) | Outcome::Done(_) => true,
        _ => false,
    };
    !(result.outcome.is_ok() && left_nothing)
}

/// What is told, each cause once with its hosts, in host order: what failed, then what never came to that.
fn causes<'a>(
    report: &'a Report,
    facts: &Facts,
    is_told: fn(&HostResult) -> bool,
) -> Vec<Cause<'a>> {
    let results = report.results.iter().filter(|result| is_told(result));
    let mut causes = cause::fold(results, &facts.limits, |outcome| hint(outcome, facts));
    causes.sort_by_key(|cause| rank(&cause.outcome));
    causes
}

/// What is told first has the lowest: why others were cancelled is told before them.
fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Cancelled(_) | Outcome::Skipped(_) => 1,
        outcome if outcome.is_ok() => 2,
        _ => 0,
    }
}

fn push_causes(text: &mut String, causes: &[Cause<'_>], indent: &str, facts: &Facts) {
    let (told, counted) = causes.split_at(causes.len().min(CAUSES));
    for cause in told {
        let (first, more) = cause.lines(&facts.limits);
        let hosts = hosts(&cause.hosts);
        // The name `local:` has its colon.
        let colon = if hosts.ends_with(':') { "" } else { ":" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{indent}{hosts}{colon} {first}");
        for line in more {
            let _ = writeln!(text, "{indent}  {line}");
        }
    }
    if !counted.is_empty() {
        let _ = writeln!(text, "{indent}and {} more causes", counted.len());
    }
    let mut said: Vec<&str> = Vec::new();
    for hint in told.iter().filter_map(Cause::hint) {
        if !said.contains(&hint) {
            let _ = writeln!(text, "hint: {hint}");
            said.push(hint);
        }
    }
}

/// Hosts folded, with their number when they are several.
fn hosts(hosts: &[&str]) -> String {
    let folded = words::fold(hosts.iter().copied());
    let folded = match folded.char_indices().nth(HOSTS_CHARS) {
        Some((end, _)) => format!("{}…", &folded[..end]),
        None => folded,
    };
    match hosts.len() {
        1 => folded,
        several => format!("{folded} ({several})"),
    }
}

fn push_counts(text: &mut String, report: &Report) {
    let kinds = [
        "ok",
        "failed",
        "unreachable",
        "lost",
        "cancelled",
        "skipped",
        "crashed",
    ];
    let count = |kind| {
        let outcomes = report.results.iter().map(|result| kind_of(&result.outcome));
        outcomes.filter(|one| *one == kind).count()
    };
    let counts: Vec<String> = kinds
        .into_iter()
        .map(|kind| (count(kind), kind))
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{count} {kind}"))
        .collect();
    let total = words::count(report.results.len(), "host", "hosts");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{total}: {}", counts.join(", "));
}

fn kind_of(outcome: &Outcome) -> &'static str {
    match outcome {
        outcome if outcome.is_ok() => "ok",
        Outcome::Exited(_) | Outcome::Failed(_) | Outcome::NotStarted(_) | Outcome::TimedOut(_) => {
            "failed"
        }
        Outcome::Checked(_) | Outcome::Done(_) => "ok",
        Outcome::Unreachable(_) => "unreachable",
        Outcome::Lost(_) => "lost",
        Outcome::Cancelled(_) => "cancelled",
        Outcome::Skipped(_) => "skipped",
        Outcome::Crashed { .. } => "crashed",
    }
}

/// What helps.
fn hint(outcome: &Outcome, facts: &Facts) -> Option<String> {
    let hint = match outcome {
        Outcome::NotStarted(start) if start.stage == Stage::Exec => match start.errno {
            ENOENT if facts.form == Form::Words && holds_blanks(&facts.program) => {
                "the program's name holds blanks; use --sh 'LINE' for a line that a shell reads"
            }
            ENOENT if facts.form == Form::Words && is_relative(&facts.program) => {
                "commands start in the login home; --cwd DIR starts them elsewhere"
            }
            ENOEXEC => {
                "it is neither a program for that host nor a script that begins with a `#!` line"
            }
            E2BIG => "the arguments are too long; send data with --stdin",
            _ => return None,
        },
        Outcome::Unreachable(unreachable) => match (&unreachable.hint, unreachable.kind.as_str()) {
            (Some(hint), _) => return Some(one_line(hint.as_bytes())),
            (None, RESOURCES) if facts.fanout > 1 => "--fanout N works on fewer hosts at once",
            (None, RESOURCES) => "`ulimit -n` and `ulimit -u` show what this shell may have",
            (None, _) => return None,
        },
        Outcome::Failed(failed) => return of_failed(failed, facts).map(str::to_owned),
        Outcome::Crashed { .. } => "this is a bug of convoke; -vv shows what led to it",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// What helps where a verb could not be done.
fn of_failed(failed: &Failed, facts: &Facts) -> Option<&'static str> {
    let causes = || std::iter::once(&failed.cause).chain(&failed.also);
    let is_any = |errno| causes().any(|cause| is_errno(cause, errno));
    match facts.verb {
        _ if is_errno(&failed.cause, ELOOP) => Some(
            "links lead round, or one stands where a file is to be put; `convoke stat -P` shows links",
        ),
        "get" if is_any(EISDIR) => Some(Get::OF_A_DIRECTORY),
        "put" if is_of_others(&failed.cause) => Some(
            "only root gives files away, and a file keeps whose it was; `--owner YOU` replaces it by one of yours",
        ),
        "ls" if is_any(ENOTDIR) => Some(
            "it, or what stands above it, is no directory; `convoke stat HOSTS FILE` shows what a file is",
        ),
        _ => None,
    }
}

/// Whether a file would have belonged to somebody else.
fn is_of_others(cause: &FailureCause) -> bool {
    let is_owner = |failure: &Failure| failure.field == Field::Owner;
    is_errno(cause, EPERM) && matches!(cause, FailureCause::Host(failure) if is_owner(failure))
}

/// Whether the kernel of a host refused something for this reason.
fn is_errno(cause: &FailureCause, errno: i32) -> bool {
    matches!(cause, FailureCause::Host(failure) if failure.reason == Reason::Errno(errno))
}

/// Whether a program is a path that counts from the working directory.
fn is_relative(program: &[u8]) -> bool {
    program.contains(&b'/') && !program.starts_with(b"/")
}

fn holds_blanks(program: &[u8]) -> bool {
    program.iter().any(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests;
