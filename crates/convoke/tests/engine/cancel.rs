//! What the operator stops.

use std::time::{Duration, SystemTime};

use convoke::action::MaxFail;
use convoke::cancel::Cancel;
use convoke::event::{Kind, Stream};
use convoke::outcome::{CancelCause, Fate, Outcome};
use convoke::proto::exit::{Cause, Killed, Status};
use convoke_testkit::leak::Leaks;
use convoke_testkit::memory::{Memory, Script};
use tokio::time::Instant;

use super::{everywhere, run, run_watched};

fn running() -> Script {
    Script::new().have().hello().started(42)
}

/// Whether an outcome is a cancel by the operator, and of something that ran.
fn cancelled(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Cancelled(cancelled) => {
            assert_eq!(cancelled.why, CancelCause::Operator);
            Some(cancelled.was_running)
        }
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_kills_what_runs_and_keeps_its_last_words() {
    let killed = Cause::Request(Killed::Term);
    let script = running().until_killed().stdout("last words");
    let memory = Memory::new(script.exit_as(Status::Signal(15), killed));
    let cancel = Cancel::new();
    let ran = run_watched(&memory, everywhere(1), &cancel, |event| {
        if let Kind::Started { .. } = event.kind {
            cancel.fire(CancelCause::Operator);
        }
    })
    .await;
    assert_eq!(cancelled(ran.outcomes()[0]), Some(true));
    assert_eq!(ran.output("memory:h1", Stream::Stdout), b"last words");
    assert!(!ran.report.stopped_early);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stops_what_waits_before_it_begins() {
    let killed = Cause::Request(Killed::Term);
    let script = running().until_killed();
    let memory = Memory::new(script.exit_as(Status::Signal(15), killed));
    let cancel = Cancel::new();
    // What the operator stops is no failure that reaches a limit.
    let action = everywhere(3).fanout(1).max_fail(Some(MaxFail::Hosts(1)));
    let ran = run_watched(&memory, action, &cancel, |event| {
        if let Kind::Started { .. } = event.kind {
            cancel.fire(CancelCause::Operator);
        }
    })
    .await;
    let all: Vec<_> = ran.outcomes().into_iter().map(cancelled).collect();
    assert_eq!(all, [Some(true), Some(false), Some(false)]);
    assert_eq!(memory.record("h2").connections, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_an_attempt_to_connect_at_once() {
    for script in [
        Script::never_connects(),
        Script::new().silence(),
        Script::new().answer("need x86_64-linux gz").silence(),
    ] {
        let cancel = Cancel::new();
        let began = Instant::now();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.fire(CancelCause::Operator);
        };
        let memory = Memory::new(script);
        let (ran, ()) = tokio::join!(run(&memory, everywhere(1), &cancel), stop);
        assert_eq!(cancelled(ran.outcomes()[0]), Some(false));
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}

/// What becomes of a command that is cancelled after a second.
async fn cancelled_soon(script: Script) -> Outcome {
    let memory = Memory::new(script);
    let cancel = Cancel::new();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.fire(CancelCause::Operator);
    };
    let (ran, ()) = tokio::join!(run(&memory, everywhere(1), &cancel), stop);
    ran.outcomes()[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_command_whose_agent_falls_silent_before_its_hello_may_have_run() {
    let outcome = cancelled_soon(Script::new().have().silence()).await;
    let Outcome::Lost(lost) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        lost.text,
        "the agent did not say hello: the command was to end, and its exit did not come within 20 s"
    );
    let Fate::EndsBy(time) = lost.fate else {
        panic!("{lost:?}");
    };
    let left = time.duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(600), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_command_whose_agent_ends_without_a_hello_never_ran() {
    let silent = Script::new().have().delay(Duration::from_secs(3));
    let outcome = cancelled_soon(silent.close()).await;
    assert_eq!(cancelled(&outcome), Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_had_ended_by_itself_when_it_was_cancelled_exited() {
    let memory = Memory::new(running().until_killed().exit(0));
    let cancel = Cancel::new();
    let ran = run_watched(&memory, everywhere(1), &cancel, |event| {
        if let Kind::Started { .. } = event.kind {
            cancel.fire(CancelCause::Operator);
        }
    })
    .await;
    assert_eq!(ran.words(), ["exited"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_command_whose_exit_never_comes_is_lost_after_the_grace() {
    let memory = Memory::new(running().until_killed().until_stdin_ends());
    let cancel = Cancel::new();
    let began = Instant::now();
    let ran = run_watched(&memory, everywhere(1), &cancel, |event| {
        if let Kind::Started { .. } = event.kind {
            cancel.fire(CancelCause::Operator);
        }
    })
    .await;
    let Outcome::Lost(lost) = ran.outcomes()[0] else {
        panic!("{:?}", ran.report);
    };
    assert_eq!(
        lost.text,
        "the command was to end, and its exit did not come within 20 s"
    );
    assert!((20..=25).contains(&began.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_still_ends_every_host_once() {
    let memory = Memory::new(Script::never_connects());
    let cancel = Cancel::new();
    cancel.fire(CancelCause::Operator);
    let ran = run(&memory, everywhere(5), &cancel).await;
    let ended = ran
        .events
        .iter()
        .filter(|e| matches!(e.kind, Kind::Ended(_)));
    assert_eq!(ended.count(), 5);
    assert_eq!(ran.words(), ["cancelled"; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_run_leaves_nothing() {
    for script in [
        Script::never_connects(),
        Script::new().silence(),
        Script::new().have().silence(),
        running().silence(),
        running().flood(10_000_000),
    ] {
        let leaks = Leaks::begin();
        let memory = Memory::new(script);
        let reach = memory.reach();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let cancel = Cancel::new();
        let action = everywhere(3).run(&reach, sender, &cancel);
        let cut = tokio::time::timeout(Duration::from_secs(5), action).await;
        assert!(cut.is_err());
        drop(receiver);
        leaks.end().await;
    }
}
