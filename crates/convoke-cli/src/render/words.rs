//! Outcomes, hosts and numbers in words.

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bstr::{BString, ByteSlice as _};
use convoke::inventory::{HostList, HostName};
use convoke::outcome::{
    CancelCause, Cancelled, Exited, Failed, FailureCause, Fate, Killed, Limit, Lost, NotStarted,
    Outcome, SkipCause, Stage, Status, Survivor, TimedOut,
};
use convoke::printable::escaped;
use convoke::proto::command::Limits;

use super::escape::one_line;
use crate::error::in_words;

/// How many processes are named before the rest is only counted.
const NAMED: usize = 4;

/// The signals that have a name, by the numbers they have on every Linux we run on.
const SIGNALS: [(u8, &str); 17] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (9, "KILL"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
    (24, "XCPU"),
    (25, "XFSZ"),
];

/// What became of a step, on one line: `exited 3`. Equal words mean equal outcomes.
///
/// `limits` are those of the step.
pub(crate) fn outcome(outcome: &Outcome, limits: &Limits) -> String {
    match outcome {
        Outcome::Exited(exited) => self::exited(exited),
        Outcome::Checked(checked) => format!("answered within {:.1?}", checked.round_trip),
        Outcome::Done(_) => "done".to_owned(),
        Outcome::Failed(failed) => self::failed(failed),
        Outcome::NotStarted(start) => not_started(start),
        Outcome::TimedOut(timed_out) => self::timed_out(timed_out, limits),
        Outcome::Unreachable(unreachable) => {
            let text = one_line(unreachable.text.as_bytes());
            format!("unreachable ({}): {text}", unreachable.kind.as_str())
        }
        Outcome::Lost(lost) => self::lost(lost),
        Outcome::Cancelled(cancelled) => self::cancelled(cancelled),
        Outcome::Skipped(skipped) => match skipped.why {
            SkipCause::MaxFail => "skipped: too many hosts had failed".to_owned(),
            SkipCause::FailFast => "skipped: another host had failed".to_owned(),
            _ => "skipped".to_owned(),
        },
        Outcome::Crashed { text } => format!("crashed: {}", one_line(text.as_bytes())),
    }
}

fn exited(exited: &Exited) -> String {
    let mut words = match exited.status {
        Status::Code(code) => format!("exited {code}"),
        Status::Signal(signal) => format!("killed by {}", self::signal(signal)),
    };
    if exited.left_running > 0 {
        let left = count(exited.left_running as usize, "process", "processes");
        // Writing to a string cannot fail.
        let _ = write!(words, ", left {left} running");
    }
    if exited.stream_cut {
        words.push_str(", whose output was cut");
    }
    words + &survivors(&exited.survivors)
}

fn failed(failed: &Failed) -> String {
    let (first, also) = failures(failed);
    let also: String = also.iter().map(|one| format!("; {one}")).collect();
    first + &also
}

/// What failed first, and the lines of all the rest. What reads the same is told once.
pub(crate) fn failures(failed: &Failed) -> (String, Vec<String>) {
    let words = |cause: &FailureCause| one_line(cause.to_string().as_bytes());
    let mut told = vec![words(&failed.cause)];
    for text in failed.also.iter().map(words) {
        if !told.contains(&text) {
            told.push(text);
        }
    }
    let first = format!("failed: {}", told.remove(0));
    told.extend((failed.more > 0).then(|| format!("and {} more", failed.more)));
    (first, told)
}

fn not_started(start: &NotStarted) -> String {
    if let Some(why) = &start.why {
        return format!("not started: {}", one_line(why.as_bytes()));
    }
    let reason = errno(start.errno);
    let tried = tried(&start.tried);
    match start.stage {
        Stage::Cwd => format!("not started: failed to enter the directory{tried}: {reason}"),
        Stage::User => format!("not started: failed to become the user{tried}: {reason}"),
        Stage::Group => format!("not started: failed to join the group{tried}: {reason}"),
        Stage::Exec => format!("not started: failed to execute{tried}: {reason}"),
        Stage::Fork => format!("not started: failed to make a process: {reason}"),
    }
}

/// What was tried, with a blank before it: the one path, or the name that was looked up in many
/// directories.
fn tried(paths: &[BString]) -> String {
    match paths {
        [] => String::new(),
        [path] => format!(" \"{}\"", escaped(path)),
        [path, ..] => {
            let name = path.rsplit_str("/").next().unwrap_or_default();
            format!(
                " \"{}\", looked up in {} directories of PATH",
                escaped(name),
                paths.len()
            )
        }
    }
}

fn timed_out(timed_out: &TimedOut, limits: &Limits) -> String {
    let (what, limit, option) = match timed_out.limit {
        Limit::Total => ("exit", limits.total_ms, "--timeout"),
        Limit::Idle => ("output", limits.idle_ms, "--idle-timeout"),
    };
    let within = limit.map(|limit| format!(" within {}", time(Duration::from_millis(limit))));
    let within = within.unwrap_or_default();
    let killed = match timed_out.killed {
        Killed::Term => "TERM",
        Killed::Kill => "KILL",
    };
    format!(
        "timed out: no {what}{within} ({option}), ended by {killed}{}",
        survivors(&timed_out.survivors)
    )
}

fn lost(lost: &Lost) -> String {
    let text = one_line(lost.text.as_bytes());
    match lost.fate {
        Fate::EndsBy(time) => format!("lost: {text}; may still run until {}", clock(time)),
        Fate::Ended => format!("lost: {text}; what ran was ended"),
        Fate::Unknown => format!("lost: {text}; whether it still runs is unknown"),
        Fate::NotPlaced => format!("lost: {text}; the file did not take its place"),
        Fate::MaybePlaced => format!("lost: {text}; whether the file took its place is unknown"),
        Fate::Unanswered => format!("lost: {text}"),
    }
}

fn cancelled(cancelled: &Cancelled) -> String {
    let when = match cancelled.was_running {
        true => "",
        false => " before it started",
    };
    let why = match (cancelled.why, cancelled.was_running) {
        (CancelCause::Operator, _) => "",
        (CancelCause::FailFast, true) => " after a failure elsewhere",
        (CancelCause::FailFast, false) => ", after a failure elsewhere",
        (CancelCause::Input, _) => ", as the input could not be read",
        (CancelCause::Output, _) => ", as the output could not be written",
    };
    format!("cancelled{when}{why}{}", survivors(&cancelled.survivors))
}

fn survivors(survivors: &[Survivor]) -> String {
    if survivors.is_empty() {
        return String::new();
    }
    let processes = survivors
        .iter()
        .map(|one| format!("{} of uid {}", one.pid, one.uid));
    format!("; not ours to end, and may still run: {}", named(processes))
}

/// The first few of some texts, and how many more there are.
fn named(texts: impl ExactSizeIterator<Item = String>) -> String {
    let more = texts.len().saturating_sub(NAMED);
    let first: Vec<String> = texts.take(NAMED).collect();
    match more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn signal(number: u8) -> String {
    match SIGNALS.iter().find(|(signal, _)| *signal == number) {
        Some((_, name)) => format!("SIG{name}"),
        None => format!("signal {number}"),
    }
}

/// An error number of a host in words; the numbers are those of our own kernel.
fn errno(number: i32) -> String {
    in_words(&io::Error::from_raw_os_error(number))
}

/// A length of time: `1 s`, `0.2 s`, `1m 30s`.
fn time(time: Duration) -> String {
    match time < Duration::from_secs(60) {
        true => format!("{} s", time.as_secs_f64()),
        false => humantime::format_duration(time).to_string(),
    }
}

/// The time of day, in UTC: the zone of the operator is not known without a library.
fn clock(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
        % 86_400;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02} UTC")
}

/// Hosts as short as they can be written.
pub(crate) fn fold<'a>(hosts: impl IntoIterator<Item = &'a str>) -> String {
    let hosts: Vec<&str> = hosts.into_iter().collect();
    let names: Result<Vec<_>, _> = hosts.iter().map(|host| HostName::parse(host)).collect();
    match names {
        Ok(names) => names.iter().collect::<HostList>().fold(),
        // Hosts of a library user need no name that an expression can write.
        Err(_) => {
            let names: Vec<String> = hosts.iter().map(|host| one_line(host.as_bytes())).collect();
            names.join(",")
        }
    }
}

/// A number of bytes: `17 B`, `4.0 KiB`, `256 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64 / 1024.0;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    // What would be shown as 1024 is one of the next unit.
    while value >= 1023.5
        && let Some(next) = units.next()
    {
        value /= 1024.0;
        unit = next;
    }
    match value < 99.95 {
        true => format!("{value:.1} {unit}"),
        false => format!("{value:.0} {unit}"),
    }
}

/// `1 host`, `2 hosts`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
