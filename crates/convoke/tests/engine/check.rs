//! Hosts that are asked for nothing but an answer.

use std::time::Duration;

use convoke::action::Action;
use convoke::cancel::Cancel;
use convoke::connect::error::ConnectErrorKind;
use convoke::event::Kind;
use convoke::host::Work;
use convoke::outcome::{CancelCause, Checked, Outcome, UnreachableKind};
use convoke_testkit::memory::{Memory, Script};
use tokio::time::Instant;

use super::{Ran, hosts, run};

async fn check(script: Script, count: usize) -> Ran {
    let action = Action::everywhere(hosts(count), Work::Check);
    run(&Memory::new(script), action, &Cancel::new()).await
}

fn up() -> Script {
    Script::new().have().hello()
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_is_checked_and_nothing_runs() {
    let memory = Memory::new(up());
    let action = Action::everywhere(hosts(3), Work::Check);
    let ran = run(&memory, action, &Cancel::new()).await;
    let checked = Outcome::Checked(Checked {
        round_trip: Duration::ZERO,
    });
    assert_eq!(ran.outcomes(), [&checked; 3]);
    assert!(ran.report.is_ok());
    assert_eq!(memory.record("h1").starts, []);
    let of_first = ran
        .events
        .iter()
        .filter(|event| event.host == super::name(1));
    let words: Vec<_> = of_first.map(|event| event.kind.word()).collect();
    assert_eq!(words, ["connecting", "connected", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn the_times_of_connecting_and_of_an_answer_are_told_apart() {
    let slow = Script::new().delay(Duration::from_secs(2)).have().hello();
    let ran = check(slow.delay(Duration::from_millis(1500)), 1).await;
    let Kind::Connected(connected) = &ran.events[1].kind else {
        panic!("{:?}", ran.events);
    };
    let json = serde_json::to_value(&ran.events).unwrap();
    assert_eq!(connected.took, Duration::from_secs(2));
    assert_eq!(json[1]["data"]["took_ms"], 2000.0);
    assert_eq!(json[2]["data"]["outcome"], "checked");
    assert_eq!(json[2]["data"]["round_trip_ms"], 1500.0);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_is_unreachable() {
    use UnreachableKind as Is;
    for (script, kind) in [
        (Script::never_connects(), Is::Timeout),
        (Script::new().have().close(), Is::Hello),
        (Script::new().have().silence(), Is::Hello),
        (up().close(), Is::Connect(ConnectErrorKind::Closed)),
        (up().silence(), Is::Timeout),
    ] {
        let ran = check(script.clone(), 1).await;
        let [Outcome::Unreachable(unreachable)] = ran.outcomes()[..] else {
            panic!("{script:?} {:?}", ran.report);
        };
        assert_eq!(unreachable.kind, kind, "{script:?} {unreachable:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_noise_of_a_host_that_does_not_answer_is_kept() {
    let ran = check(Script::new().have().grumbles("no loader\n").close(), 1).await;
    let [Outcome::Unreachable(unreachable)] = ran.outcomes()[..] else {
        panic!("{:?}", ran.report);
    };
    assert!(unreachable.text.ends_with(": no loader"), "{unreachable:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_a_check_at_once() {
    for script in [up().silence(), Script::new().have().silence()] {
        let memory = Memory::new(script);
        let cancel = Cancel::new();
        let began = Instant::now();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.fire(CancelCause::Operator);
        };
        let action = Action::everywhere(hosts(1), Work::Check);
        let (ran, ()) = tokio::join!(run(&memory, action, &cancel), stop);
        assert_eq!(ran.words(), ["cancelled"]);
        assert!(began.elapsed() < Duration::from_secs(4));
    }
}
