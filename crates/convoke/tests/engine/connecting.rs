//! How hosts are connected: by which way, how many at once, how often, how long, and why not.

use std::sync::Arc;
use std::time::Duration;

use convoke::action::{Action, QUEUE};
use convoke::cancel::Cancel;
use convoke::connect::connector::{Ending, Route};
use convoke::connect::error::ConnectErrorKind;
use convoke::event::Kind;
use convoke::host::{Places, Reach};
use convoke::outcome::{CancelCause, Outcome, Unreachable, UnreachableKind};
use convoke_testkit::leak::Leaks;
use convoke_testkit::memory::{Memory, Script};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{everywhere, run};

const SECOND: Duration = Duration::from_secs(1);

fn busy() -> Script {
    Script::refuses(ConnectErrorKind::Refused, "nobody listens").for_now()
}

/// Runs `action` with a reach of its own; how many seconds it took, and the outcomes' words.
async fn timed(reach: Reach, action: Action) -> (u64, Vec<&'static str>) {
    let leaks = Leaks::begin();
    let began = Instant::now();
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let cancel = Cancel::new();
    let drain = async { while receiver.recv().await.is_some() {} };
    let (report, ()) = tokio::join!(action.run(&reach, sender, &cancel), drain);
    let results = report.results.iter();
    let words = results.map(|result| result.outcome.word()).collect();
    drop(reach);
    leaks.end().await;
    (began.elapsed().as_secs(), words)
}

/// Why the only host is unreachable.
async fn why(memory: &Memory) -> Unreachable {
    let ran = run(memory, everywhere(1), &Cancel::new()).await;
    match ran.outcomes()[..] {
        [Outcome::Unreachable(unreachable)] => unreachable.clone(),
        _ => panic!("{:?}", ran.report),
    }
}

fn at_server(name: &str) -> Route {
    Route {
        server: Some(name.to_owned()),
        ..Route::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_host_is_tried_three_times() {
    let memory = Memory::new(busy());
    let unreachable = why(&memory).await;
    assert_eq!(memory.record("h1").attempts, 3);
    assert_eq!(unreachable.text, "nobody listens (3 attempts)");
    let kind = UnreachableKind::Connect(ConnectErrorKind::Refused);
    assert_eq!(unreachable.kind, kind);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_busy_is_reached_by_another_attempt() {
    let closes = Script::new()
        .close()
        .diagnosed(ConnectErrorKind::Closed, "too many")
        .for_now();
    let scripts = vec![busy(), closes, Script::exits(0)];
    let memory = Memory::new(Script::new()).host_with("h1", scripts);
    let ran = run(&memory, everywhere(1), &Cancel::new()).await;
    assert_eq!(ran.words(), ["exited"]);
    assert_eq!(memory.record("h1").attempts, 3);
    for (event, attempt) in ran.events.iter().zip(1..=3) {
        assert_eq!(event.kind, Kind::Connecting { attempt });
    }
    let Kind::Connected(connected) = &ran.events[3].kind else {
        panic!("{:?}", ran.events);
    };
    // The attempts before the last do not count.
    assert_eq!(connected.took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_another_attempt_does_not_mend_is_the_last() {
    let denied = |script: Script| script.diagnosed(ConnectErrorKind::Authentication, "denied");
    for script in [
        Script::refuses(ConnectErrorKind::Authentication, "denied"),
        denied(Script::new().grumbles("Permission denied\n").close()),
    ] {
        let memory = Memory::new(script);
        let unreachable = why(&memory).await;
        assert_eq!(memory.record("h1").attempts, 1);
        assert_eq!(unreachable.text, "denied");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_connector_can_tell_is_the_reason() {
    let ended = Ending::Unknown {
        remark: "255".into(),
    };
    let script = Script::new()
        .grumbles("banner\nHost key verification failed.\n")
        .close()
        .ending(Some(ended.clone()))
        .diagnosed(ConnectErrorKind::HostKeyUnknown, "its key is not known");
    let memory = Memory::new(script);
    let expected = Unreachable {
        kind: UnreachableKind::Connect(ConnectErrorKind::HostKeyUnknown),
        text: "its key is not known".into(),
        hint: Some("try h1".into()),
    };
    assert_eq!(why(&memory).await, expected);
    let noise = b"banner\nHost key verification failed.\n".to_vec();
    assert_eq!(memory.record("h1").diagnosed, [(Some(ended), noise)]);
}

#[tokio::test(start_paused = true)]
async fn a_connector_is_not_asked_about_a_host_that_has_answered() {
    for script in [
        Script::new().answer("unknown Linux vax").close(),
        Script::new().answer("nowhere 1 5 1 5 9").close(),
        Script::new().noise(vec![b'x'; 70_000]),
    ] {
        let memory = Memory::new(script.diagnosed(ConnectErrorKind::Closed, "wrong"));
        assert_ne!(why(&memory).await.text, "wrong");
        assert_eq!(memory.record("h1").diagnosed, []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_noise_of_a_failure_that_nobody_can_explain_is_kept() {
    let memory = Memory::new(Script::new().grumbles("no such thing\n").close());
    let unreachable = why(&memory).await;
    assert_eq!(unreachable.kind, UnreachableKind::NoShell);
    assert!(
        unreachable.text.ends_with(": no such thing"),
        "{unreachable:?}"
    );
    assert_eq!(memory.record("h1").attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_end_is_asked_for_a_second() {
    let script = Script::new().close().ending(None);
    let memory = Memory::new(script.diagnosed(ConnectErrorKind::Closed, "cut"));
    let began = Instant::now();
    assert_eq!(why(&memory).await.text, "cut");
    assert_eq!(began.elapsed(), SECOND);
    assert_eq!(memory.record("h1").diagnosed, [(None, Vec::new())]);
}

#[tokio::test(start_paused = true)]
async fn the_connect_limit_covers_all_attempts() {
    let slowly_closed = Script::new()
        .delay(9 * SECOND)
        .close()
        .diagnosed(ConnectErrorKind::Closed, "too many")
        .for_now();
    let memory = Memory::new(slowly_closed);
    let began = Instant::now();
    let unreachable = why(&memory).await;
    assert_eq!(memory.record("h1").attempts, 3);
    assert_eq!(began.elapsed().as_secs(), 20);
    assert_eq!(unreachable.kind, UnreachableKind::Timeout);
    assert_eq!(
        unreachable.text,
        "no answer within 20 s: too many (3 attempts)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_passes_says_what_was_waited_for() {
    let silent = || Script::new().grumbles("debug: hop1\n").silence();
    let diagnosed = silent().diagnosed(ConnectErrorKind::NoRoute, "no way to hop1");
    for (script, text, hint) in [
        (Script::never_connects(), "no answer within 20 s", None),
        (silent(), "no answer within 20 s: debug: hop1", None),
        (
            diagnosed,
            "no answer within 20 s: no way to hop1",
            Some("try h1".to_owned()),
        ),
    ] {
        let expected = Unreachable {
            kind: UnreachableKind::Timeout,
            text: text.into(),
            hint,
        };
        assert_eq!(why(&Memory::new(script)).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_hosts_are_connected_at_once_and_no_more() {
    let slow = || Script::new().delay(SECOND).have().hello().started(42);
    for (places, seconds) in [(1, 20), (4, 5), (7, 3), (100, 1)] {
        let memory = Memory::new(slow().exit(0));
        let reach = Reach {
            connecting: Places::new(places),
            ..memory.reach()
        };
        let (took, words) = timed(reach, everywhere(20)).await;
        assert_eq!((took, words), (seconds, vec!["exited"; 20]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_answered_makes_room_for_the_next() {
    let long = Script::new().have().hello().started(42);
    let memory = Memory::new(long.delay(10 * SECOND).exit(0));
    let reach = Reach {
        connecting: Places::new(1),
        ..memory.reach()
    };
    let (took, _) = timed(reach, everywhere(5)).await;
    assert_eq!((took, memory.peak()), (10, 5));
}

#[tokio::test(start_paused = true)]
async fn a_server_is_connected_by_eight_hosts_at_once() {
    let slow = Script::new().delay(SECOND).have().hello().started(42);
    let memory = Memory::new(slow.exit(0)).route(at_server("10.0.0.7:22"));
    let (took, words) = timed(memory.reach(), everywhere(24)).await;
    assert_eq!((took, words), (3, vec!["exited"; 24]));
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_place_does_not_count_for_the_connect_limit() {
    let memory = Memory::new(Script::new().delay(15 * SECOND).have().hello());
    let reach = Reach {
        connecting: Places::new(1),
        ..memory.reach()
    };
    let action = Action::everywhere(super::hosts(4), convoke::host::Work::Check);
    let (took, words) = timed(reach, action).await;
    assert_eq!((took, words), (60, vec!["checked"; 4]));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_wait_for_a_place_and_for_another_attempt_at_once() {
    let stop_after = |time, cancel: Cancel| async move {
        tokio::time::sleep(time).await;
        cancel.fire(CancelCause::Operator);
    };
    let waiting = Memory::new(Script::never_connects()).route(at_server("one"));
    for (memory, hosts, time) in [
        (waiting, 20, SECOND),
        (Memory::new(busy()), 1, Duration::from_millis(100)),
    ] {
        let cancel = Cancel::new();
        let began = Instant::now();
        let ran = run(&memory, everywhere(hosts), &cancel);
        let (ran, ()) = tokio::join!(ran, stop_after(time, cancel.clone()));
        assert_eq!(began.elapsed(), time);
        for outcome in ran.outcomes() {
            let Outcome::Cancelled(cancelled) = outcome else {
                panic!("{outcome:?}");
            };
            assert!(!cancelled.was_running);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_may_be_opened_by_another_connector_than_was_asked() {
    let inner = Memory::new(Script::exits(0));
    let memory = Memory::new(Script::never_connects()).route(Route {
        instead: Some(Arc::new(inner.clone())),
        ..Route::default()
    });
    let ran = run(&memory, everywhere(1), &Cancel::new()).await;
    assert_eq!(ran.words(), ["exited"]);
    assert_eq!(memory.record("h1").attempts, 0);
    assert_eq!(inner.record("h1").attempts, 1);
}
