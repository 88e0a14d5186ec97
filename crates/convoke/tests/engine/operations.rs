//! Operations and contents of files on hosts: what is answered, and what becomes of the host.

use std::time::Duration;

use convoke::action::Action;
use convoke::cancel::Cancel;
use convoke::connect::connector::Ending;
use convoke::event::Kind;
use convoke::files::Tilde;
use convoke::host::{Absence, Operations, Work};
use convoke::outcome::{CancelCause, Done, Failed, FailureCause, Outcome};
use convoke::proto::file::{Entry, FileKind, Follow, Stat};
use convoke::proto::frame::MAX_REQUEST;
use convoke::proto::operation::{Answer, Failure, Field, Operation, Reason, Record};
use convoke_testkit::memory::{Memory, Script};
use tokio::time::Instant;

use super::{Ran, hosts, run};

fn up() -> Script {
    Script::new().have().hello()
}

fn stat(path: &str) -> Operation {
    Operation::Stat {
        path: path.into(),
        follow: Follow::Yes,
        digests: Vec::new(),
    }
}

fn failure(path: &str, errno: i32) -> Failure {
    Failure {
        field: Field::Path,
        value: path.into(),
        reason: Reason::Errno(errno),
        path: None,
    }
}

fn a_file() -> Stat {
    Stat {
        mode: 0o600,
        size: 0,
        ..Stat::unknown(FileKind::File)
    }
}

async fn operate(script: Script, work: impl Into<Operations>) -> Ran {
    let action = Action::everywhere(hosts(1), Work::Operations(work.into()));
    run(&Memory::new(script), action, &Cancel::new()).await
}

fn only(ran: &Ran) -> Outcome {
    let [outcome] = ran.outcomes()[..] else {
        panic!("{:?}", ran.report);
    };
    outcome.clone()
}

fn kinds(ran: &Ran) -> Vec<&str> {
    ran.events.iter().map(|event| event.kind.word()).collect()
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_an_event_in_the_order_of_the_operations() {
    let script = up().answers(&[
        Record::Last(Answer::Stat(Some(Box::new(a_file())))),
        Record::Last(Answer::Stat(None)),
        Record::Last(Answer::Environment(vec![("A".into(), "1".into())])),
    ]);
    let environment = Operation::Environment {
        user: None,
        cwd: None,
    };
    let list = vec![stat("/a"), stat("/b"), environment];
    let ran = operate(script.done(), list).await;
    assert_eq!(only(&ran), Outcome::Done(Done { bytes: 0 }));
    let words = [
        "connecting",
        "connected",
        "answer",
        "answer",
        "answer",
        "ended",
    ];
    assert_eq!(kinds(&ran), words);
    let json = serde_json::to_value(&ran.events).unwrap();
    for (event, operation, subject) in [(2, 0, "/a"), (3, 1, "/b")] {
        assert_eq!(json[event]["data"]["operation"], operation);
        assert_eq!(json[event]["data"]["subject"], subject);
    }
    assert_eq!(json[2]["data"]["kind"], "file");
    assert_eq!(json[3]["data"]["exists"], false);
    assert!(json[4]["data"]["subject"].is_null());
    assert_eq!(json[4]["data"]["variables"][0]["name"], "A");
    assert_eq!(json[5]["data"]["outcome"], "done");
}

#[tokio::test(start_paused = true)]
async fn what_fails_does_not_stop_the_others_and_the_first_failure_is_the_cause() {
    let script = up().answers(&[
        Record::Failed(failure("/a", 13)),
        Record::Last(Answer::Stat(None)),
        Record::Failed(failure("/c", 20)),
    ]);
    let list = vec![stat("/a"), stat("/b"), stat("/c")];
    let ran = operate(script.done(), list).await;
    let mut failed = Failed::new(FailureCause::Host(failure("/a", 13)));
    failed.add(FailureCause::Host(failure("/c", 20)));
    assert_eq!(only(&ran), Outcome::Failed(failed));
    let json = serde_json::to_value(&ran.events).unwrap();
    assert_eq!(json[2]["data"]["answer"], "failed");
    assert_eq!(json[3]["data"]["exists"], false);
    assert_eq!(json[5]["data"]["errno"], 13);
    assert_eq!(json[5]["data"]["also"][0]["value"], "/c");
    assert_eq!(json[5]["data"]["more"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_a_failure_for_those_who_want_it() {
    let work = Operations {
        list: vec![stat("b")],
        absence: Absence::Failure,
        ..Operations::default()
    };
    // What the path is goes in the same flight, for the words.
    let answers = [Answer::Path(Some("/h/b".into())), Answer::Stat(None)];
    let script = up().answers(&answers.map(Record::Last)).done();
    let ran = operate(script, work).await;
    let missing = Failed::new(FailureCause::Host(failure("/h/b", 2)));
    assert_eq!(only(&ran), Outcome::Failed(missing));
    let is_answered = |kind: &Kind| matches!(kind, Kind::Answer { reply: Ok(_), .. });
    assert!(ran.events.iter().any(|event| is_answered(&event.kind)));
}

#[tokio::test(start_paused = true)]
async fn a_home_is_asked_for_beforehand_where_a_path_begins_with_one() {
    let work = |tilde| Operations {
        list: vec![stat("~/a"), stat("~no/b"), stat("/c")],
        absence: Absence::Failure,
        tilde,
    };
    let nobody = Failure {
        field: Field::User,
        value: "no".into(),
        reason: Reason::Unknown,
        path: None,
    };
    let homes = [
        Record::Last(Answer::Path(Some("/h/a".into()))),
        Record::Failed(nobody.clone()),
    ];
    let none = Record::Last(Answer::Stat(None));
    let script = up().answers(&homes).done();
    let script = script.answers(&[none.clone(), none.clone()]).done();
    let ran = operate(script, work(Tilde::Home)).await;
    let mut failed = Failed::new(FailureCause::Host(failure("/h/a", 2)));
    failed.add(FailureCause::Host(nobody));
    failed.add(FailureCause::Host(failure("/c", 2)));
    assert_eq!(only(&ran), Outcome::Failed(failed));
    let json = serde_json::to_value(&ran.events).unwrap();
    for (event, subject, answer) in [
        (2, "~/a", "stat"),
        (3, "~no/b", "failed"),
        (4, "/c", "stat"),
    ] {
        assert_eq!(json[event]["data"]["subject"], subject);
        assert_eq!(json[event]["data"]["answer"], answer);
    }
    // A name like any other costs nothing.
    let paths = ["/h/~/a", "/h/~no/b"].map(|path| Answer::Path(Some(path.into())));
    let records: Vec<Record> = paths.map(Record::Last).into_iter().collect();
    let script = up()
        .answers(&[&records[..], &vec![none; 3]].concat())
        .done();
    let ran = operate(script, work(Tilde::Verbatim)).await;
    assert_eq!(ran.words(), ["failed"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_failures_some_are_told_and_the_rest_is_counted() {
    let records: Vec<Record> = (0..15).map(|n| Record::Failed(failure("/x", n))).collect();
    let list: Vec<Operation> = (0..15).map(|_| stat("/x")).collect();
    let ran = operate(up().answers(&records).done(), list).await;
    let Outcome::Failed(failed) = only(&ran) else {
        panic!("{:?}", ran.report);
    };
    assert_eq!((failed.also.len(), failed.more), (9, 5));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fits_no_request_fails_alone() {
    let ok = Record::Last(Answer::Stat(None));
    let script = up().answers(std::slice::from_ref(&ok)).done();
    let script = script.answers(&[ok]).done();
    let long = "x".repeat(MAX_REQUEST + 1);
    let ran = operate(script, vec![stat("/a"), stat(&long), stat("/b")]).await;
    let Outcome::Failed(failed) = only(&ran) else {
        panic!("{:?}", ran.report);
    };
    let FailureCause::Host(Failure { reason, .. }) = failed.cause else {
        panic!("{failed:?}");
    };
    assert_eq!((reason, failed.also.len()), (Reason::TooLong, 0));
    assert_eq!(
        kinds(&ran).iter().filter(|kind| **kind == "answer").count(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_answers_are_none_is_lost() {
    let escape = Entry {
        name: "../x".into(),
        stat: a_file(),
    };
    let one = vec![stat("/a")];
    for script in [
        // Fewer, more, none that can be read, parts that do not fit, a name that leads elsewhere.
        up().answers(&[]).done(),
        up().answers(&[Record::Last(Answer::Done), Record::Last(Answer::Done)]),
        up().takes_request().stdout([0, 0, 0, 1, 99]),
        up().answers(&[Record::Part(Answer::Done), Record::Last(Answer::Done)]),
        up().answers(&[Record::Last(Answer::Entries(vec![escape]))])
            .done(),
    ] {
        let ran = operate(script.clone(), one.clone()).await;
        assert_eq!(ran.words(), ["lost"], "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_goes_away_is_unreachable_before_it_can_have_done_anything_and_lost_after() {
    for (script, word) in [
        (Script::new().have().close(), "unreachable"),
        (up().close(), "lost"),
        (up().takes_request().close(), "lost"),
        (
            up().answers(&[Record::Last(Answer::Done)]).silence(),
            "lost",
        ),
        (
            up().close().ending(Some(Ending::Killed { signal: 9 })),
            "lost",
        ),
    ] {
        let ran = operate(script.clone(), vec![stat("/a"), stat("/b")]).await;
        assert_eq!(ran.words(), [word], "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_it_at_once() {
    let waits = [
        Script::new().have().silence(),
        up().silence(),
        up().takes_request().silence(),
    ];
    for script in waits {
        let cancel = Cancel::new();
        let list = vec![stat("/a"), stat("/b")].into();
        let stop = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            cancel.fire(CancelCause::Operator);
        };
        let began = Instant::now();
        let memory = Memory::new(script.clone());
        let action = Action::everywhere(hosts(1), Work::Operations(list));
        let (ran, ()) = tokio::join!(run(&memory, action, &cancel), stop);
        let Outcome::Cancelled(cancelled) = only(&ran) else {
            panic!("{:?}", ran.report);
        };
        assert!(cancelled.was_running);
        assert!(began.elapsed() < Duration::from_secs(4), "{script:?}");
    }
}
