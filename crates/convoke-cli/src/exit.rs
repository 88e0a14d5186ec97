//! Exit codes: the one place that decides them.

use std::io;

use convoke::connect::error::ConnectErrorKind;
use convoke::outcome::{CancelCause, Outcome, Stage, Status, UnreachableKind};
use convoke::report::Report;

use crate::args::ExitRule;

/// Every host is ok.
pub(crate) const OK: u8 = 0;
/// A command failed: non-zero, killed by a signal, not started, timed out.
pub(crate) const FAILED: u8 = 1;
/// Usage, configuration, or no host selected.
pub(crate) const USAGE: u8 = 2;
/// A host was unreachable or lost.
pub(crate) const UNREACHABLE: u8 = 3;
/// Failures stopped the run early.
pub(crate) const STOPPED_EARLY: u8 = 4;
/// A bug of ours.
pub(crate) const BUG: u8 = 70;

/// The errno of a program that is not there, on every Linux.
const ENOENT: i32 = 2;

/// What stopped the run from outside; the first of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The terminal was hung up.
    Hangup,
    /// The operator interrupted it.
    Interrupt,
    /// Nobody reads our stdout any more.
    OutputClosed,
    /// Our output could not be written, for another reason.
    OutputFailed,
    /// Our stdin could not be read.
    InputFailed,
    /// We were asked to terminate.
    Terminate,
}

impl Stop {
    /// What it means that our own output could not be written, whatever the verb and the form: code 141 when
    /// nobody reads it any more, else 1.
    pub(crate) fn of_write(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::OutputClosed,
            _ => Stop::OutputFailed,
        }
    }

    /// Why hosts are cancelled then.
    pub(crate) fn cause(self) -> CancelCause {
        match self {
            Stop::Hangup | Stop::Interrupt | Stop::Terminate => CancelCause::Operator,
            Stop::InputFailed => CancelCause::Input,
            Stop::OutputClosed | Stop::OutputFailed => CancelCause::Output,
        }
    }

    /// The exit code of a run that was stopped like this.
    pub(crate) fn code(self) -> u8 {
        match self {
            Stop::Hangup => 129,
            Stop::Interrupt => 130,
            Stop::OutputClosed => 141,
            Stop::Terminate => 143,
            Stop::OutputFailed | Stop::InputFailed => FAILED,
        }
    }
}

/// The exit code of a run that came to its end.
pub(crate) fn code(report: &Report, stop: Option<Stop>, rule: ExitRule) -> u8 {
    let stop = stop.or_else(|| interrupt(report));
    match rule {
        ExitRule::Kind => by_kind(report, stop),
        ExitRule::Max => by_number(report, stop),
    }
}

/// The interrupt that only a program heard which had the terminal: an ssh that asked there.
fn interrupt(report: &Report) -> Option<Stop> {
    let mut outcomes = report.results.iter().map(|result| &result.outcome);
    let by_operator = |outcome: &Outcome| match outcome {
        Outcome::Cancelled(cancelled) => cancelled.why == CancelCause::Operator,
        _ => false,
    };
    outcomes.any(by_operator).then_some(Stop::Interrupt)
}

/// 70, the signal that stopped the run, 4, 2, 3, 1: the first of them that applies.
fn by_kind(report: &Report, stop: Option<Stop>) -> u8 {
    let has = |is: fn(&Outcome) -> bool| report.results.iter().any(|result| is(&result.outcome));
    if has(|outcome| matches!(outcome, Outcome::Crashed { .. })) {
        BUG
    } else if let Some(signal) = stop.map(Stop::code).filter(|code| *code > FAILED) {
        signal
    } else if report.stopped_early {
        STOPPED_EARLY
    } else if is_misconfigured(report) {
        USAGE
    } else if has(|outcome| matches!(outcome, Outcome::Unreachable(_) | Outcome::Lost(_))) {
        UNREACHABLE
    } else if report.is_ok() && stop.is_none() {
        OK
    } else {
        FAILED
    }
}

/// Whether nothing was reached because of how the operator has configured ssh: no host is to blame.
fn is_misconfigured(report: &Report) -> bool {
    let mut outcomes = report.results.iter().map(|result| &result.outcome);
    !report.results.is_empty()
        && outcomes.all(|outcome| match outcome {
            Outcome::Unreachable(unreachable) => is_configuration(&[unreachable.kind]),
            _ => false,
        })
}

/// Whether the operator's configuration of ssh is to blame for all of these.
pub(crate) fn is_configuration(kinds: &[UnreachableKind]) -> bool {
    let configuration = UnreachableKind::Connect(ConnectErrorKind::Configuration);
    kinds.iter().all(|kind| *kind == configuration)
}

/// The largest code of all hosts, and of what stopped the run.
fn by_number(report: &Report, stop: Option<Stop>) -> u8 {
    // What we had to stop because we failed did not fail there.
    let is_ours = matches!(stop, Some(Stop::OutputFailed | Stop::InputFailed));
    let outcomes = report.results.iter().map(|result| &result.outcome);
    let theirs = outcomes.filter(|outcome| !(is_ours && matches!(outcome, Outcome::Cancelled(_))));
    let codes = theirs.filter_map(remote_code);
    codes.chain(stop.map(Stop::code)).max().unwrap_or(OK)
}

/// What a shell on the host would have called the outcome.
fn remote_code(outcome: &Outcome) -> Option<u8> {
    match outcome {
        Outcome::Exited(exited) => Some(match exited.status {
            Status::Code(code) => code,
            Status::Signal(signal) => signal.saturating_add(128),
        }),
        Outcome::Checked(_) | Outcome::Done(_) => Some(OK),
        Outcome::Failed(_) => Some(FAILED),
        Outcome::TimedOut(_) => Some(124),
        Outcome::NotStarted(start) => match (start.stage, start.errno) {
            (Stage::Exec, ENOENT) => Some(127),
            _ => Some(126),
        },
        Outcome::Cancelled(_) => Some(130),
        Outcome::Unreachable(_) | Outcome::Lost(_) => Some(255),
        Outcome::Crashed { .. } => Some(BUG),
        Outcome::Skipped(_) => None,
    }
}

#[cfg(test)]
mod tests;
