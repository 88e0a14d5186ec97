//! What an action promises about many hosts.

use std::time::Duration;

use convoke::action::{Action, MaxFail, OnFailure};
use convoke::cancel::Cancel;
use convoke::event::Kind;
use convoke::host::{Host, Work};
use convoke::outcome::{CancelCause, Outcome, SkipCause};
use convoke::process::Command;
use convoke::proto::exit::{Cause, Killed, Status};
use convoke_testkit::memory::{Gate, Memory, Script};

use super::{everywhere, hosts, name, run, run_watched};

#[tokio::test(start_paused = true)]
async fn results_come_in_host_order_whatever_order_they_arrived_in() {
    let later = |seconds| {
        let up = Script::new().have().hello().started(42);
        up.delay(Duration::from_secs(seconds)).exit(0)
    };
    let memory = Memory::new(Script::exits(0))
        .host("h1", later(9))
        .host("h2", later(5));
    let ran = run(&memory, everywhere(3), &Cancel::new()).await;
    let reported = ran.report.results.iter().map(|result| result.host.clone());
    assert!(reported.eq((1..=3).map(name)));
    let ended = ran
        .events
        .iter()
        .filter(|e| matches!(e.kind, Kind::Ended(_)));
    let ended = ended.map(|event| event.host.clone());
    assert!(ended.eq([3, 2, 1].map(name)));
}

#[tokio::test(start_paused = true)]
async fn each_host_may_have_work_of_its_own() {
    let memory = Memory::new(Script::exits(0));
    let work = |word| Work::Process(Command::new([word]));
    let list = hosts(2).into_iter().zip([work("one"), work("two")]);
    run(&memory, Action::new(list), &Cancel::new()).await;
    for (host, word) in [("h1", "one"), ("h2", "two")] {
        assert_eq!(memory.record(host).starts[0].argv, [word]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_hosts_are_no_failure() {
    let ran = run(&Memory::new(Script::new()), everywhere(0), &Cancel::new()).await;
    assert!(ran.report.is_ok() && ran.events.is_empty());
}

#[tokio::test(start_paused = true)]
async fn never_more_hosts_are_worked_on_than_the_fanout_and_never_fewer() {
    for fanout in [1, 3, 7, 100] {
        let up = Script::new().have().hello().started(42);
        let memory = Memory::new(up.delay(Duration::from_secs(1)).exit(0));
        let ran = run(&memory, everywhere(20).fanout(fanout), &Cancel::new()).await;
        assert!(ran.report.is_ok());
        assert_eq!(memory.peak(), fanout.min(20));
    }
}

#[tokio::test(start_paused = true)]
async fn a_fanout_of_nothing_is_one() {
    let memory = Memory::new(Script::exits(0));
    let ran = run(&memory, everywhere(3).fanout(0), &Cancel::new()).await;
    assert!(ran.report.is_ok());
    assert_eq!(memory.peak(), 1);
}

#[test]
fn a_percentage_of_hosts_is_rounded_up_and_at_least_one() {
    for (limit, hosts, at) in [
        (MaxFail::Hosts(3), 100, 3),
        (MaxFail::Hosts(0), 100, 1),
        (MaxFail::Percent(0), 100, 1),
        (MaxFail::Percent(1), 10, 1),
        (MaxFail::Percent(10), 10, 1),
        (MaxFail::Percent(10), 11, 2),
        (MaxFail::Percent(50), 3, 2),
        (MaxFail::Percent(100), 7, 7),
        (MaxFail::Percent(50), 0, 1),
    ] {
        assert_eq!(limit.of(hosts), at, "{limit:?} of {hosts}");
    }
}

#[test]
fn a_limit_is_read_as_it_is_written() {
    for (text, limit) in [
        ("1", Some(MaxFail::Hosts(1))),
        ("10%", Some(MaxFail::Percent(10))),
        ("0%", Some(MaxFail::Percent(0))),
        ("100%", Some(MaxFail::Percent(100))),
        ("0", None),
        ("101%", None),
        ("-1", None),
        ("", None),
        ("%", None),
        ("ten", None),
        ("5 %", None),
    ] {
        assert_eq!(text.parse::<MaxFail>().ok(), limit, "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_of_failures_nothing_new_is_started() {
    for (limit, tried) in [
        (MaxFail::Hosts(1), 1),
        (MaxFail::Hosts(3), 3),
        (MaxFail::Percent(35), 4),
        (MaxFail::Hosts(11), 10),
    ] {
        let memory = Memory::new(Script::exits(1));
        let action = everywhere(10).fanout(1).max_fail(Some(limit));
        let ran = run(&memory, action, &Cancel::new()).await;
        let words = [vec!["exited"; tried], vec!["skipped"; 10 - tried]].concat();
        assert_eq!(ran.words(), words, "{limit:?}");
        assert_eq!(ran.report.stopped_early, tried < 10);
    }
}

#[tokio::test(start_paused = true)]
async fn every_outcome_that_is_not_ok_counts_as_a_failure() {
    let up = || Script::new().have().hello();
    for failing in [
        Script::never_connects(),
        Script::panics("a bug"),
        up().not_started(convoke::outcome::Stage::Exec, 2),
        up().started(42).close(),
        up().started(42)
            .exit_as(Status::Signal(9), Cause::TotalLimit(Killed::Kill)),
    ] {
        let memory = Memory::new(Script::exits(0)).host("h1", failing);
        let action = everywhere(2).fanout(1).max_fail(Some(MaxFail::Hosts(1)));
        let ran = run(&memory, action, &Cancel::new()).await;
        assert_eq!(ran.words()[1], "skipped");
    }
}

#[tokio::test(start_paused = true)]
async fn what_runs_when_the_limit_is_reached_ends_as_it_would_have() {
    let slow = Script::new().have().hello().started(42);
    let slow = slow.delay(Duration::from_secs(5)).exit(0);
    let memory = Memory::new(slow).host("h1", Script::exits(1));
    let action = everywhere(5).fanout(3).max_fail(Some(MaxFail::Hosts(1)));
    let ran = run(&memory, action, &Cancel::new()).await;
    assert_eq!(
        ran.words(),
        ["exited", "exited", "exited", "skipped", "skipped"]
    );
    assert_eq!(memory.record("h2").kills, 0);
}

#[tokio::test(start_paused = true)]
async fn fail_fast_cancels_what_runs_and_skips_what_waits() {
    let gate = Gate::closed();
    let up = || Script::new().have().hello().started(42);
    let endless = up()
        .until_killed()
        .exit_as(Status::Signal(15), Cause::Request(Killed::Term));
    let memory = Memory::new(endless).host("h1", up().pass(&gate).exit(1));
    let action = everywhere(4).fanout(2).on_failure(OnFailure::StopAll);
    let ran = run_watched(&memory, action, &Cancel::new(), |event| {
        if let (Kind::Started { .. }, true) = (&event.kind, event.host == name(2)) {
            gate.let_pass(1);
        }
    })
    .await;
    assert_eq!(ran.words(), ["exited", "cancelled", "skipped", "skipped"]);
    let Outcome::Cancelled(cancelled) = ran.outcomes()[1] else {
        panic!("{:?}", ran.report);
    };
    assert_eq!(
        (cancelled.why, cancelled.was_running),
        (CancelCause::FailFast, true)
    );
    let Outcome::Skipped(skipped) = ran.outcomes()[2] else {
        panic!("{:?}", ran.report);
    };
    assert_eq!(skipped.why, SkipCause::FailFast);
    assert!(ran.report.stopped_early);
}

#[tokio::test(start_paused = true)]
async fn a_host_may_stand_in_the_list_twice() {
    let host = Host::new("memory:h1").unwrap();
    let memory = Memory::new(Script::exits(0));
    let action = Action::everywhere([host.clone(), host], super::program());
    let ran = run(&memory, action, &Cancel::new()).await;
    assert_eq!(ran.words(), ["exited", "exited"]);
}
