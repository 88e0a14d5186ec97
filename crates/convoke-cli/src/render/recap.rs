//! The last words about a run: how many hosts, what failed where, and what helps.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bstr::BString;
use convoke::outcome::{Outcome, Stage, UnreachableKind};
use convoke::report::{HostResult, Report};

use super::escape::one_line;
use super::words;
use crate::config::Form;

/// The errno of a program that is not there, that is no program, and of arguments that are too long.
const ENOENT: i32 = 2;
const E2BIG: i32 = 7;
const ENOEXEC: i32 = 8;

/// How many different causes are told before the rest is only counted.
const CAUSES: usize = 20;

/// How many characters a list of hosts may take.
const HOSTS_CHARS: usize = 300;

/// What hints need to know of the command.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The program that was asked for.
    pub(crate) program: BString,
    /// How it was written.
    pub(crate) form: Form,
}

/// The lines for stderr; none when a single host is ok and left nothing behind.
pub(crate) fn text(report: &Report, facts: &Facts) -> String {
    let mut text = String::new();
    let causes = causes(report, is_told);
    match report.results.as_slice() {
        [] => {}
        [only] => {
            if is_told(only) {
                push_line(&mut text, "", &only.host, &words::outcome(&only.outcome));
            }
        }
        _ => {
            push_counts(&mut text, report);
            for (words, hosts) in causes.iter().take(CAUSES) {
                let hosts = shortened(words::fold(hosts.iter().copied()), hosts.len());
                push_line(&mut text, "  ", &hosts, words);
            }
            if causes.len() > CAUSES {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "  and {} more causes", causes.len() - CAUSES);
            }
        }
    }
    for hint in hints(report, facts) {
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

/// The lines for stderr of a quiet run: what only we can tell, as the command never spoke or was cut off.
pub(crate) fn errors(report: &Report, facts: &Facts) -> String {
    let mut text = String::new();
    for (words, hosts) in causes(report, is_error).iter().take(CAUSES) {
        let hosts = shortened(words::fold(hosts.iter().copied()), hosts.len());
        push_line(&mut text, "", &hosts, words);
    }
    for hint in hints(report, facts) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

/// Whether something else than the command itself says that it failed.
fn is_error(result: &HostResult) -> bool {
    !matches!(
        result.outcome,
        Outcome::Exited(_) | Outcome::Cancelled(_) | Outcome::Skipped(_)
    )
}

/// Whether there is more to tell than that it is ok.
fn is_told(result: &HostResult) -> bool {
    let left_nothing = match &result.outcome {
        Outcome::Exited(exited) => {
            exited.left_running == 0 && !exited.stream_cut && exited.survivors.is_empty()
        }
        _ => false,
    };
    !(result.outcome.is_ok() && left_nothing)
}

/// What is told, each cause once with its hosts, in host order.
fn causes(report: &Report, is_told: fn(&HostResult) -> bool) -> Vec<(String, Vec<&str>)> {
    let mut causes: Vec<(String, Vec<&str>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for result in report.results.iter().filter(|result| is_told(result)) {
        let words = words::outcome(&result.outcome);
        let place = *places.entry(words.clone()).or_insert(causes.len());
        if place == causes.len() {
            causes.push((words, Vec::new()));
        }
        causes[place].1.push(&result.host);
    }
    causes
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
        Outcome::Exited(_) | Outcome::NotStarted(_) | Outcome::TimedOut(_) => "failed",
        Outcome::Unreachable(_) => "unreachable",
        Outcome::Lost(_) => "lost",
        Outcome::Cancelled(_) => "cancelled",
        Outcome::Skipped(_) => "skipped",
        Outcome::Crashed { .. } => "crashed",
    }
}

fn push_line(text: &mut String, indent: &str, hosts: &str, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{indent}{hosts}: {words}");
}

fn shortened(hosts: String, number: usize) -> String {
    match hosts.char_indices().nth(HOSTS_CHARS) {
        Some((end, _)) => format!("{}… ({number} hosts)", &hosts[..end]),
        None => hosts,
    }
}

/// What helps, each hint once.
fn hints(report: &Report, facts: &Facts) -> BTreeSet<String> {
    let outcomes = report.results.iter().map(|result| &result.outcome);
    outcomes
        .filter_map(|outcome| hint(outcome, facts))
        .collect()
}

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
        Outcome::Unreachable(unreachable) => match (&unreachable.hint, unreachable.kind) {
            (Some(hint), _) => return Some(one_line(hint.as_bytes())),
            (None, UnreachableKind::Resources) => "--fanout N works on fewer hosts at once",
            (None, _) => return None,
        },
        Outcome::Crashed { .. } => "this is a bug of convoke; -vv shows what led to it",
        _ => return None,
    };
    Some(hint.to_owned())
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
