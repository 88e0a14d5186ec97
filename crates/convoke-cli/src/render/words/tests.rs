//! Outcomes in words, as a table.

use convoke::outcome::{Skipped, Unreachable, UnreachableKind};

use super::*;

fn ended(status: Status, left_running: u32) -> Outcome {
    Outcome::Exited(Exited {
        status,
        left_running,
        stream_cut: left_running > 1,
        survivors: Vec::new(),
    })
}

fn start(stage: Stage, errno: i32, tried: &[&str]) -> Outcome {
    Outcome::NotStarted(NotStarted {
        stage,
        errno,
        tried: tried.iter().map(|path| BString::from(*path)).collect(),
        why: None,
    })
}

fn gone(fate: Fate) -> Outcome {
    Outcome::Lost(Lost {
        text: "the link closed".to_owned(),
        fate,
    })
}

#[test]
fn outcomes_are_facts_in_words() {
    let survivor = Survivor { pid: 12, uid: 0 };
    let limits = Limits {
        total_ms: Some(90_000),
        idle_ms: Some(500),
        ..Limits::default()
    };
    let noon = UNIX_EPOCH + Duration::from_secs(12 * 3600 + 62);
    for (outcome, words) in [
        (ended(Status::Code(3), 0), "exited 3"),
        (
            ended(Status::Code(0), 1),
            "exited 0, left 1 process running",
        ),
        (
            ended(Status::Code(0), 2),
            "exited 0, left 2 processes running, whose output was cut",
        ),
        (ended(Status::Signal(9), 0), "killed by SIGKILL"),
        (ended(Status::Signal(40), 0), "killed by signal 40"),
        (
            start(Stage::Exec, 2, &["/usr/bin/foo", "/bin/foo"]),
            "not started: failed to execute \"foo\", looked up in 2 directories of PATH: \
             no such file or directory",
        ),
        (
            start(Stage::Exec, 13, &["/tmp/\x1bx"]),
            "not started: failed to execute \"/tmp/\\x1bx\": permission denied",
        ),
        (
            start(Stage::Cwd, 2, &["/x"]),
            "not started: failed to enter the directory \"/x\": no such file or directory",
        ),
        (
            Outcome::TimedOut(TimedOut {
                limit: Limit::Idle,
                killed: Killed::Kill,
                survivors: vec![survivor],
            }),
            "timed out: no output within 0.5 s (--idle-timeout), ended by KILL; \
             not ours to end, and may still run: 12 of uid 0",
        ),
        (
            Outcome::TimedOut(TimedOut {
                limit: Limit::Total,
                killed: Killed::Term,
                survivors: Vec::new(),
            }),
            "timed out: no exit within 1m 30s (--timeout), ended by TERM",
        ),
        (
            Outcome::Unreachable(Unreachable {
                kind: UnreachableKind::NoShell,
                text: "silence".to_owned(),
                hint: None,
            }),
            "unreachable (no_shell): silence",
        ),
        (
            gone(Fate::EndsBy(noon)),
            "lost: the link closed; may still run until 12:01:02 UTC",
        ),
        (
            gone(Fate::Ended),
            "lost: the link closed; what ran was ended",
        ),
        (
            gone(Fate::NotPlaced),
            "lost: the link closed; the file did not take its place",
        ),
        (
            gone(Fate::MaybePlaced),
            "lost: the link closed; whether the file took its place is unknown",
        ),
        (gone(Fate::Unanswered), "lost: the link closed"),
        (
            Outcome::Skipped(Skipped {
                why: SkipCause::MaxFail,
            }),
            "skipped: too many hosts had failed",
        ),
    ] {
        assert_eq!(self::outcome(&outcome, &limits), words);
    }
}

#[test]
fn hosts_are_folded() {
    assert_eq!(fold(["web2", "web1", "db"]), "db,web[1-2]");
    assert_eq!(fold(["local:a1", "local:a2"]), "local:a[1-2]");
    // None is left out for a name that no expression can write.
    assert_eq!(fold(["web2", "a \x1bb", "web1"]), "web2,a \\x1bb,web1");
}
