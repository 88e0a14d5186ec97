//! The exit codes of the contract, as tables.

use convoke::outcome::{
    CancelCause, Cancelled, Exited, Fate, Killed, Limit, Lost, NotStarted, SkipCause, Skipped,
    TimedOut, Unreachable, UnreachableKind,
};
use convoke::report::HostResult;

use super::*;

fn exited(status: Status) -> Outcome {
    Outcome::Exited(Exited {
        status,
        left_running: 0,
        stream_cut: false,
        survivors: Vec::new(),
    })
}

fn not_started(stage: Stage, errno: i32) -> Outcome {
    Outcome::NotStarted(NotStarted {
        stage,
        errno,
        tried: Vec::new(),
        why: None,
    })
}

fn timed_out() -> Outcome {
    Outcome::TimedOut(TimedOut {
        limit: Limit::Total,
        killed: Killed::Term,
        survivors: Vec::new(),
    })
}

fn unreachable() -> Outcome {
    Outcome::Unreachable(Unreachable {
        kind: UnreachableKind::NoShell,
        text: String::new(),
        hint: None,
    })
}

fn misconfigured() -> Outcome {
    Outcome::Unreachable(Unreachable {
        kind: UnreachableKind::Connect(ConnectErrorKind::Configuration),
        text: String::new(),
        hint: None,
    })
}

fn lost() -> Outcome {
    Outcome::Lost(Lost {
        text: String::new(),
        fate: Fate::Unknown,
    })
}

fn cancelled() -> Outcome {
    Outcome::Cancelled(Cancelled {
        why: CancelCause::Operator,
        was_running: true,
        survivors: Vec::new(),
    })
}

fn skipped() -> Outcome {
    Outcome::Skipped(Skipped {
        why: SkipCause::MaxFail,
    })
}

fn crashed() -> Outcome {
    Outcome::Crashed {
        text: String::new(),
    }
}

fn report(outcomes: Vec<Outcome>) -> Report {
    Report {
        stopped_early: outcomes
            .iter()
            .any(|one| matches!(one, Outcome::Skipped(_))),
        results: outcomes
            .into_iter()
            .map(|outcome| HostResult {
                host: "h".into(),
                outcome,
            })
            .collect(),
    }
}

#[test]
fn the_gravest_kind_of_failure_decides() {
    let ok = || exited(Status::Code(0));
    for (outcomes, stop, expected) in [
        (vec![], None, 0),
        (vec![ok(), ok()], None, 0),
        (vec![ok(), exited(Status::Code(9))], None, 1),
        (vec![exited(Status::Signal(9))], None, 1),
        (vec![not_started(Stage::Exec, 2)], None, 1),
        (vec![timed_out()], None, 1),
        (vec![timed_out(), unreachable()], None, 3),
        (vec![lost(), exited(Status::Code(200))], None, 3),
        (vec![misconfigured(), misconfigured()], None, 2),
        (vec![misconfigured(), unreachable()], None, 3),
        (vec![misconfigured(), ok()], None, 3),
        (vec![misconfigured(), skipped()], None, 4),
        (vec![misconfigured()], Some(Stop::Interrupt), 130),
        (vec![unreachable(), skipped()], None, 4),
        (vec![cancelled()], Some(Stop::Interrupt), 130),
        // Pressed while ssh had the terminal.
        (vec![cancelled()], None, 130),
        (
            vec![cancelled(), unreachable(), skipped()],
            Some(Stop::Hangup),
            129,
        ),
        (vec![cancelled()], Some(Stop::OutputClosed), 141),
        (vec![ok()], Some(Stop::Terminate), 143),
        (vec![ok()], Some(Stop::OutputFailed), 1),
        (vec![ok()], Some(Stop::InputFailed), 1),
        (
            vec![unreachable(), cancelled()],
            Some(Stop::OutputFailed),
            3,
        ),
        (vec![skipped(), cancelled()], Some(Stop::OutputFailed), 4),
        (vec![crashed(), cancelled()], Some(Stop::Interrupt), 70),
    ] {
        let case = format!("{outcomes:?} {stop:?}");
        assert_eq!(
            code(&report(outcomes), stop, ExitRule::Kind),
            expected,
            "{case}"
        );
    }
}

#[test]
fn the_largest_code_decides_when_asked_for() {
    for (outcomes, stop, expected) in [
        (vec![], None, 0),
        (vec![exited(Status::Code(0))], None, 0),
        (
            vec![exited(Status::Code(3)), exited(Status::Code(2))],
            None,
            3,
        ),
        (vec![exited(Status::Signal(15))], None, 143),
        (vec![exited(Status::Signal(200))], None, 255),
        (vec![timed_out()], None, 124),
        (vec![not_started(Stage::Exec, 2)], None, 127),
        (vec![not_started(Stage::Exec, 13)], None, 126),
        (vec![not_started(Stage::Cwd, 2)], None, 126),
        (vec![cancelled()], Some(Stop::Interrupt), 130),
        (vec![cancelled()], Some(Stop::Terminate), 143),
        (vec![unreachable(), crashed()], None, 255),
        (vec![misconfigured()], None, 255),
        (vec![lost()], None, 255),
        (vec![crashed(), exited(Status::Code(1))], None, 70),
        (vec![skipped(), exited(Status::Code(1))], None, 1),
        (vec![skipped()], None, 0),
    ] {
        let case = format!("{outcomes:?} {stop:?}");
        assert_eq!(
            code(&report(outcomes), stop, ExitRule::Max),
            expected,
            "{case}"
        );
    }
}
