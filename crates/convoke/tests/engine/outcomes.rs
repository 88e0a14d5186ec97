//! Every (host, step) ends in exactly one outcome.

use std::time::{Duration, SystemTime};

use convoke::action::Action;
use convoke::cancel::Cancel;
use convoke::connect::connector::Ending;
use convoke::connect::error::ConnectErrorKind;
use convoke::event::Stream;
use convoke::host::{Host, Work};
use convoke::outcome::{
    Exited, Fate, Killed, Limit, Lost, NotStarted, Outcome, Stage, Status, Survivor, TimedOut,
    Unreachable, UnreachableKind,
};
use convoke::process::Command;
use convoke::proto::exit::{Cause, Exit};
use convoke::proto::fault::FaultKind;
use convoke_testkit::memory::{Memory, Script};
use tokio::time::Instant;

use super::{everywhere, outcome, run};

/// A host on which the agent runs.
fn up() -> Script {
    Script::new().have().hello()
}

fn exited(status: Status) -> Outcome {
    Outcome::Exited(Exited {
        status,
        left_running: 0,
        stream_cut: false,
        survivors: Vec::new(),
    })
}

async fn unreachable(script: Script) -> Unreachable {
    match outcome(script).await {
        Outcome::Unreachable(unreachable) => unreachable,
        other => panic!("{other:?}"),
    }
}

async fn lost(script: Script) -> Lost {
    match outcome(script).await {
        Outcome::Lost(lost) => lost,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_exit_is_a_code_or_a_signal() {
    for status in [Status::Code(0), Status::Code(255), Status::Signal(9)] {
        let script = up().started(42).exit_as(status, Cause::Itself);
        assert_eq!(outcome(script).await, exited(status));
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_must_be_sent_first_makes_no_difference() {
    let memory = Memory::new(Script::new().need().hello().started(42).exit(0));
    let ran = run(&memory, everywhere(1), &Cancel::new()).await;
    assert_eq!(ran.outcomes(), [&exited(Status::Code(0))]);
    assert!(memory.record("h1").uploaded > 0);
}

#[tokio::test(start_paused = true)]
async fn what_an_exit_carries_is_in_the_outcome() {
    let survivors = vec![Survivor { pid: 7, uid: 0 }];
    let script = up().started(42).exit_with(Exit {
        status: Status::Code(3),
        cause: Cause::Itself,
        left_running: 2,
        cut_streams: vec![1],
        survivors: survivors.clone(),
    });
    let expected = Outcome::Exited(Exited {
        status: Status::Code(3),
        left_running: 2,
        stream_cut: true,
        survivors,
    });
    assert_eq!(outcome(script).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_could_not_be_started_names_its_stage() {
    for stage in [Stage::Cwd, Stage::User, Stage::Exec, Stage::Fork] {
        let expected = Outcome::NotStarted(NotStarted {
            stage,
            errno: 2,
            tried: vec!["/usr/bin/prog".into()],
            why: None,
        });
        assert_eq!(outcome(up().not_started(stage, 2)).await, expected);
    }
}

/// Not started before any program was tried, with an errno and the reason.
fn refused(errno: i32, why: &str) -> Outcome {
    Outcome::NotStarted(NotStarted {
        stage: Stage::Exec,
        errno,
        tried: Vec::new(),
        why: Some(why.into()),
    })
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_agent_refuses_was_not_started_and_says_why() {
    for kind in [FaultKind::Invalid, FaultKind::Unsupported] {
        assert_eq!(
            outcome(up().fault(kind, "no \x1bsuch thing")).await,
            refused(22, "no \\x1bsuch thing")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_contradicts_itself_is_not_sent() {
    let command = Command::new(["a\0b"]);
    let memory = Memory::new(up());
    let action = Action::everywhere(super::hosts(1), Work::Process(command));
    let ran = run(&memory, action, &Cancel::new()).await;
    let why = "an argument, variable, directory or name holds a NUL byte";
    assert_eq!(ran.outcomes(), [&refused(22, why)]);
    assert_eq!(memory.record("h1").starts, []);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_fit_a_frame_was_not_started() {
    let long = Command::new([vec![b'x'; 5 * 1024 * 1024]]);
    let action = Action::everywhere(super::hosts(1), Work::Process(long));
    let ran = run(&Memory::new(up()), action, &Cancel::new()).await;
    let [Outcome::NotStarted(start)] = ran.outcomes()[..] else {
        panic!("{:?}", ran.report);
    };
    assert_eq!((start.errno, start.stage), (7, Stage::Exec));
    let why = start.why.as_deref().unwrap();
    assert!(why.ends_with("the limit is 4194304"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_names_itself_and_what_it_took() {
    for (cause, limit, killed) in [
        (Cause::TotalLimit(Killed::Term), Limit::Total, Killed::Term),
        (Cause::IdleLimit(Killed::Kill), Limit::Idle, Killed::Kill),
    ] {
        let script = up().started(42).exit_as(Status::Signal(15), cause);
        let expected = Outcome::TimedOut(TimedOut {
            limit,
            killed,
            survivors: Vec::new(),
        });
        assert_eq!(outcome(script).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_output_before_a_limit_is_kept() {
    let script = up()
        .started(42)
        .stdout("so far")
        .exit_as(Status::Signal(15), Cause::TotalLimit(Killed::Term));
    let ran = run(&Memory::new(script), everywhere(1), &Cancel::new()).await;
    assert_eq!(ran.output("memory:h1", Stream::Stdout), b"so far");
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_link_is_unreachable_and_says_why() {
    use UnreachableKind as Is;
    let refuses = |kind| Script::refuses(kind, "it cannot be");
    let rows = [
        (
            refuses(ConnectErrorKind::Spawn),
            Is::Connect(ConnectErrorKind::Spawn),
            "it cannot be",
        ),
        (
            refuses(ConnectErrorKind::Timeout),
            Is::Timeout,
            "it cannot be",
        ),
        (Script::never_connects(), Is::Timeout, "20 s"),
        (Script::new().noise("motd\n"), Is::Timeout, "20 s"),
        (Script::new().silence(), Is::Timeout, "20 s"),
        (
            Script::new().noise("no such user\n").close(),
            Is::NoShell,
            "no such user",
        ),
        (
            Script::new().noise(vec![b'x'; 70_000]),
            Is::NoShell,
            "64 KiB",
        ),
        (
            Script::new().grumbles("host key changed\n").close(),
            Is::NoShell,
            "host key changed",
        ),
        (
            Script::new().answer("unknown Linux vax").close(),
            Is::NoAgent,
            "vax",
        ),
        (
            Script::new().answer("nowhere 1 5 1 5 9").close(),
            Is::NoPlace,
            "no room",
        ),
        (
            Script::new()
                .answer("need x86_64-linux gz")
                .answer("bad 3")
                .close(),
            Is::Upload,
            "3 bytes",
        ),
        (
            Script::new().answer("need x86_64-linux gz").close(),
            Is::Upload,
            "ended",
        ),
        (Script::new().have().close(), Is::Hello, "closed"),
        (
            Script::new().have().hello_of_protocol(9),
            Is::Hello,
            "protocol 9",
        ),
    ];
    for (script, kind, words) in rows {
        let unreachable = unreachable(script.clone()).await;
        assert_eq!(unreachable.kind, kind, "{script:?} {unreachable:?}");
        assert!(
            unreachable.text.contains(words),
            "{script:?} {unreachable:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_may_have_lost_the_hello_may_have_run_the_command() {
    let have = || Script::new().have();
    let unknown = Some(Ending::Unknown {
        remark: "255".into(),
    });
    // The request is on its way by then.
    let later = || have().delay(Duration::from_secs(1));
    for (script, words) in [
        (have().silence(), "no sign of life for 30 s"),
        (have().hello_of_another_link(), "another link"),
        (later().noise("oops\n"), "oops"),
        (later().close().ending(None), "closed"),
        (later().close().ending(unknown), "closed"),
    ] {
        let lost = lost(script.clone()).await;
        let begins = lost.text.starts_with("the agent did not say hello: ");
        assert!(begins && lost.text.contains(words), "{script:?} {lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_in_good_order_without_a_hello_has_run_nothing() {
    let later = Script::new().have().delay(Duration::from_secs(1));
    let unreachable = unreachable(later.close()).await;
    assert_eq!(unreachable.kind, UnreachableKind::Hello);
}

#[tokio::test(start_paused = true)]
async fn a_scheme_nobody_registered_is_unreachable() {
    let host = Host::new("docker:web").unwrap();
    let action = Action::everywhere([host], super::program());
    let ran = run(&Memory::new(Script::new()), action, &Cancel::new()).await;
    let [Outcome::Unreachable(unreachable)] = ran.outcomes()[..] else {
        panic!("{:?}", ran.report);
    };
    let endpoint = UnreachableKind::Connect(ConnectErrorKind::UnknownScheme);
    assert_eq!(unreachable.kind, endpoint);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_dies_after_the_start_is_lost() {
    let closed = lost(up().started(42).close()).await;
    assert_eq!(closed.text, "the connection was closed");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_dies_right_after_its_hello_is_lost() {
    // All in one piece, so that the end is seen together with the hello.
    assert_eq!(lost(up().close()).await.text, "the connection was closed");
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_lost_command_is_told_by_the_end_of_its_agent() {
    let killed = Ending::Killed { signal: 9 };
    let unknown = Ending::Unknown {
        remark: String::new(),
    };
    for (ending, fate) in [
        (Ending::Exited { code: 0 }, Fate::Ended),
        (Ending::Exited { code: 1 }, Fate::Ended),
        (killed, Fate::Unknown),
        (unknown, Fate::Unknown),
    ] {
        let script = up().started(42).close().ending(Some(ending));
        assert_eq!(lost(script).await.fate, fate);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_command_whose_agent_is_out_of_reach_ends_within_the_grace() {
    let script = up().started(42).close().ending(None);
    let Fate::EndsBy(time) = lost(script).await.fate else {
        panic!("another fate");
    };
    let left = time.duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(10) && left <= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_command_behind_a_silent_link_may_run_until_its_agent_gives_up() {
    let Fate::EndsBy(time) = lost(up().started(42).silence()).await.fate else {
        panic!("another fate");
    };
    let left = time.duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(600) && left <= Duration::from_secs(620));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_one_hosts_task_crashes_that_host_alone() {
    let memory = Memory::new(Script::exits(0)).host("h2", Script::panics("a bug of ours"));
    let ran = run(&memory, everywhere(3), &Cancel::new()).await;
    let crashed = Outcome::Crashed {
        text: "a bug of ours".into(),
    };
    let ok = exited(Status::Code(0));
    assert_eq!(ran.outcomes(), [&ok, &crashed, &ok]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_cut_at_any_byte_ends_in_one_outcome_without_waiting() {
    let script = up().started(42).stdout("out").stderr("err").exit(0);
    let whole = outcome(script.clone()).await;
    let mut words = Vec::new();
    for cut in 1.. {
        let began = Instant::now();
        let ended = outcome(script.clone().cut_after(cut)).await;
        assert!(began.elapsed() < Duration::from_secs(1), "cut after {cut}");
        words.push(ended.word());
        if ended == whole {
            break;
        }
        assert!(cut < 10_000, "{words:?}");
    }
    words.dedup();
    assert_eq!(words, ["unreachable", "lost", "exited"]);
}
