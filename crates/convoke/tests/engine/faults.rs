//! The faults of the contract that need no network, each under its own name.

use std::time::Duration;

use convoke::cancel::Cancel;
use convoke::outcome::{CancelCause, Outcome, UnreachableKind};
use convoke::proto::exit::{Cause, Exit, Killed, Status};
use convoke::proto::frame::Tag;
use convoke::proto::message::{Message, Started, Stream};
use convoke_testkit::memory::{Memory, Script};
use tokio::time::Instant;

use super::{everywhere, outcome, run};

fn running() -> Script {
    Script::new().have().hello().started(42)
}

/// The text of a lost outcome.
async fn lost(script: Script) -> String {
    match outcome(script).await {
        Outcome::Lost(lost) => lost.text,
        other => panic!("{other:?}"),
    }
}

fn exit() -> Message {
    Message::Exit(Exit {
        status: Status::Code(0),
        cause: Cause::Itself,
        left_running: 0,
        cut_streams: Vec::new(),
        survivors: Vec::new(),
    })
}

#[tokio::test(start_paused = true)]
async fn a_frame_with_absurd_length_drops_the_link_with_a_clear_cause() {
    let text = "the connection was dropped: a frame with tag 0x64 announced 16777215 bytes, the limit is 65536";
    assert_eq!(lost(running().absurd_length()).await, text);
}

#[tokio::test(start_paused = true)]
async fn frames_in_the_wrong_order_drop_the_link_with_a_clear_cause() {
    let late = [0, 0, 0, 1, 0, 0, 0, 1, Tag::data(1).0, b'x'];
    for (script, why) in [
        (running().say(exit()), "a stream has not ended"),
        (running().ends(1).noise(late), "the stream has ended"),
        (
            running().say(Message::Kill),
            "it answers nothing that was asked",
        ),
    ] {
        let text = lost(script).await;
        assert!(text.ends_with(why), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_id_drops_the_link_with_a_clear_cause() {
    let again = Message::Started(Started { pid: 43 });
    let text = lost(running().say(again)).await;
    assert!(
        text.ends_with("it answers nothing that was asked"),
        "{text}"
    );
    let twice = running().ends(1).say(Message::Eof(Stream { stream: 1 }));
    let text = lost(twice).await;
    assert!(text.ends_with("the stream is not open"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn data_beyond_its_credit_drops_the_link_with_a_clear_cause() {
    let text = lost(running().overrun(vec![0; 9 * 1024 * 1024])).await;
    assert!(
        text.ends_with("carried more bytes than its credit"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn something_else_that_writes_to_the_connection_drops_the_link_and_is_quoted() {
    let text = lost(running().noise("\x1b[1mwall: reboot\n")).await;
    let quoted = r#"something that is not a frame arrived: "\x1b[1mwall: reboot\n""#;
    assert!(text.ends_with(quoted), "{text}");
    let Outcome::Unreachable(unreachable) = outcome(Script::new().have().noise("oops\n")).await
    else {
        panic!("another outcome");
    };
    assert_eq!(unreachable.kind, UnreachableKind::Hello);
    assert!(
        unreachable.text.ends_with(r#""oops\n""#),
        "{}",
        unreachable.text
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_is_lost_in_thirty_seconds_and_the_others_go_on() {
    let memory = Memory::new(Script::exits(0)).host("h2", running().silence());
    let began = Instant::now();
    let mut ended = Vec::new();
    let ran = super::run_watched(&memory, everywhere(3), &Cancel::new(), |event| {
        if let convoke::event::Kind::Ended(_) = event.kind {
            ended.push((event.host.to_string(), began.elapsed()));
        }
    })
    .await;
    assert_eq!(ran.words(), ["exited", "lost", "exited"]);
    let (silent, others): (Vec<_>, Vec<_>) =
        ended.into_iter().partition(|(host, _)| host == "memory:h2");
    assert!(
        others
            .iter()
            .all(|(_, time)| *time < Duration::from_secs(1))
    );
    // One second more is what the end of the connection is waited for.
    let [(_, time)] = silent[..] else {
        panic!("{silent:?}");
    };
    assert!((30..=34).contains(&time.as_secs()), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_that_answers_pings_is_not_lost() {
    let killed = Cause::Request(Killed::Term);
    let script = running().until_killed();
    let memory = Memory::new(script.exit_as(Status::Signal(15), killed));
    let cancel = Cancel::new();
    let hour = async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        cancel.fire(CancelCause::Operator);
    };
    let (ran, ()) = tokio::join!(run(&memory, everywhere(1), &cancel), hour);
    assert_eq!(ran.words(), ["cancelled"]);
}
