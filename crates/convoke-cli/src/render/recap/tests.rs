//! The last words about a run, as tables.

use std::time::{Duration, UNIX_EPOCH};

use convoke::connect::error::ConnectErrorKind;
use convoke::outcome::{
    Exited, Failed, Failure, FailureCause, Fate, Field, Lost, NotStarted, Reason, SkipCause,
    Skipped, Status, Unreachable, UnreachableKind,
};

use super::super::view_tests::exited;
use super::*;

fn report(outcomes: Vec<(&str, Outcome)>) -> Report {
    Report {
        results: outcomes
            .into_iter()
            .map(|(host, outcome)| HostResult {
                host: host.into(),
                outcome,
            })
            .collect(),
        stopped_early: false,
    }
}

fn recap(outcomes: Vec<(&str, Outcome)>, program: &str, form: Form) -> String {
    let facts = Facts {
        verb: "run",
        program: program.into(),
        form,
        limits: Limits::default(),
        fanout: 8,
        each: None,
        asked: None,
    };
    text(&report(outcomes), &facts, Count::Always)
}

fn unreachable(kind: UnreachableKind, text: &str, hint: Option<&str>) -> Outcome {
    Outcome::Unreachable(Unreachable {
        kind,
        text: text.to_owned(),
        hint: hint.map(str::to_owned),
    })
}

fn not_started(errno: i32) -> Outcome {
    Outcome::NotStarted(NotStarted {
        stage: Stage::Exec,
        errno,
        tried: vec!["ls -l".into()],
        why: None,
    })
}

#[test]
fn one_host_that_is_ok_is_passed_over() {
    assert_eq!(recap(vec![("a", exited(0))], "x", Form::Words), "");
    assert_eq!(recap(vec![], "x", Form::Words), "");
}

#[test]
fn one_host_that_failed_is_one_line() {
    assert_eq!(
        recap(vec![("web1", exited(3))], "x", Form::Words),
        "web1: exited 3\n"
    );
}

#[test]
fn what_one_host_left_running_is_told() {
    let left = Outcome::Exited(Exited {
        status: Status::Code(0),
        left_running: 2,
        stream_cut: false,
        survivors: Vec::new(),
    });
    let words = "a: exited 0, left 2 processes running\n";
    assert_eq!(recap(vec![("a", left)], "x", Form::Words), words);
}

#[test]
fn several_hosts_are_counted_and_failures_folded_by_cause() {
    let outcomes = vec![
        ("a1", exited(0)),
        ("a2", exited(3)),
        ("a3", exited(0)),
        ("a4", exited(3)),
        ("a5", exited(1)),
    ];
    let text = recap(outcomes, "x", Form::Words);
    assert_eq!(
        text,
        "5 hosts: 2 ok, 3 failed\n  a[2,4] (2): exited 3\n  a5: exited 1\n"
    );
    assert_eq!(
        recap(vec![("a1", exited(0)), ("a2", exited(0))], "x", Form::Words),
        "2 hosts: 2 ok\n"
    );
}

#[test]
fn a_failure_is_told_before_what_it_stopped() {
    let skipped = || {
        Outcome::Skipped(Skipped {
            why: SkipCause::FailFast,
        })
    };
    let outcomes = vec![("a1", skipped()), ("a2", exited(3)), ("a3", skipped())];
    assert_eq!(
        recap(outcomes, "x", Form::Words),
        "3 hosts: 1 failed, 2 skipped\n  a2: exited 3\n  \
         a[1,3] (2): skipped: another host had failed\n"
    );
}

#[test]
fn a_program_with_blanks_gets_the_hint_to_use_the_shell() {
    for (program, form, errno, hint) in [
        ("ls -l", Form::Words, 2, "--sh"),
        ("x", Form::Words, 8, "#!"),
        ("x", Form::Words, 7, "--stdin"),
    ] {
        let text = recap(vec![("a", not_started(errno))], program, form);
        assert!(text.contains("hint: ") && text.contains(hint), "{text}");
    }
    for (program, form) in [("ls", Form::Words), ("ls -l", Form::Line)] {
        let text = recap(vec![("a", not_started(2))], program, form);
        assert!(!text.contains("hint: "), "{text}");
    }
}

#[test]
fn a_link_in_the_way_gets_the_hint_to_look_at_it() {
    let failed = |errno| {
        Outcome::Failed(Failed::new(FailureCause::Host(Failure {
            field: Field::Path,
            value: "/etc/motd".into(),
            reason: Reason::Errno(errno),
            path: None,
        })))
    };
    let text = |errno| recap(vec![("a", failed(errno))], "", Form::Words);
    // It may be a file that is put, or links that lead round on the way to what is read.
    let hint = "hint: links lead round, or one stands where a file is to be put";
    assert!(text(ELOOP).contains(hint), "{}", text(ELOOP));
    assert!(!text(ENOENT).contains("hint: "), "{}", text(ENOENT));
}

#[test]
fn a_file_that_is_not_ours_to_give_gets_the_hint_to_make_it_ours() {
    let failed = |field, errno| {
        Outcome::Failed(Failed::new(FailureCause::Host(Failure {
            field,
            value: "0".into(),
            reason: Reason::Errno(errno),
            path: Some("/etc/motd".into()),
        })))
    };
    let text = |field, errno| {
        let facts = Facts::of_files("put", 1, None);
        super::text(
            &report(vec![("a", failed(field, errno))]),
            &facts,
            Count::Always,
        )
    };
    let told = text(Field::Owner, EPERM);
    assert!(told.contains("hint: only root gives files away"), "{told}");
    for (field, errno) in [(Field::Path, EPERM), (Field::Owner, ENOENT)] {
        let told = text(field, errno);
        assert!(!told.contains("hint: "), "{told}");
    }
}

#[test]
fn what_failed_together_has_a_line_each_and_equal_failures_are_told_once() {
    let cause = |path: &str, errno| {
        FailureCause::Host(Failure {
            field: Field::Path,
            value: path.into(),
            reason: Reason::Errno(errno),
            path: None,
        })
    };
    let failed = |count: usize| {
        let mut failed = Failed::new(cause("/a\x1b", 2));
        (1..count).for_each(|n| failed.add(cause(&format!("/{n}"), 13)));
        Outcome::Failed(failed)
    };
    assert_eq!(
        recap(vec![("a", failed(2)), ("b", failed(2))], "", Form::Words),
        "2 hosts: 2 failed\n  a,b (2): failed: \"/a\\x1b\": no such file or directory\n    \
         \"/1\": permission denied\n"
    );
    let text = recap(vec![("a", failed(15))], "", Form::Words);
    assert_eq!(text.lines().last(), Some("  and 5 more"));
}

#[test]
fn a_thousand_causes_are_not_a_thousand_lines() {
    let names: Vec<String> = (0..200).map(|number| format!("a{number}")).collect();
    let outcomes = names.iter().enumerate();
    let outcomes = outcomes
        .map(|(code, name)| (name.as_str(), exited(code as u8 + 1)))
        .collect();
    let text = recap(outcomes, "x", Form::Words);
    assert_eq!(text.lines().count(), CAUSES + 2);
    assert!(text.ends_with("  and 180 more causes\n"), "{text}");
}

#[test]
fn that_all_is_well_is_told_only_to_who_looks() {
    let facts = Facts {
        verb: "run",
        program: "x".into(),
        form: Form::Words,
        limits: Limits::default(),
        fanout: 8,
        each: None,
        asked: None,
    };
    let told = |codes: [u8; 2], count| {
        let outcomes = vec![("a1", exited(codes[0])), ("a2", exited(codes[1]))];
        text(&report(outcomes), &facts, count)
    };
    assert_eq!(told([0, 0], Count::WithFailures), "");
    assert_eq!(told([0, 0], Count::Always), "2 hosts: 2 ok\n");
    let failed = "2 hosts: 1 ok, 1 failed\n  a2: exited 3\n";
    assert_eq!(told([0, 3], Count::WithFailures), failed);
}

#[test]
fn hosts_whose_texts_differ_in_their_names_are_one_line_with_one_hint() {
    let names: Vec<String> = (1..=40).map(|number| format!("root@web{number}")).collect();
    let outcomes = names.iter().enumerate().map(|(number, name)| {
        let text = format!(
            "connect to web{} (10.0.0.{number}) port 22: refused",
            number + 1
        );
        let hint = format!("is sshd running on web{}?", number + 1);
        (
            name.as_str(),
            unreachable(UnreachableKind::Timeout, &text, Some(&hint)),
        )
    });
    assert_eq!(
        recap(outcomes.collect(), "x", Form::Words),
        "40 hosts: 40 unreachable\n  root@web[1-40] (40): unreachable (timeout): \
         connect to HOST (ADDRESS) port 22: refused\nhint: is sshd running on HOST?\n"
    );
}

#[test]
fn changed_host_keys_are_one_line_whatever_keys_and_lines_of_a_file_they_are() {
    let names: Vec<String> = (1..=40).map(|number| format!("web{number}")).collect();
    let outcomes = names.iter().enumerate().map(|(number, name)| {
        let text = format!(
            "the host key is not the known one in /h/.ssh/known_hosts:{number}: SHA256:a{number}"
        );
        let kind = UnreachableKind::Connect(ConnectErrorKind::HostKeyChanged);
        (name.as_str(), unreachable(kind, &text, None))
    });
    assert_eq!(
        recap(outcomes.collect(), "x", Form::Words),
        "40 hosts: 40 unreachable\n  web[1-40] (40): unreachable (host_key_changed): \
         the host key is not the known one in /h/.ssh/known_hosts:LINE: FINGERPRINT\n"
    );
}

#[test]
fn equal_texts_are_repeated_as_they_are() {
    let outcome = || unreachable(UnreachableKind::NoShell, "a rule on a gate", Some("ask"));
    assert_eq!(
        recap(
            vec![("a", outcome()), ("gate", outcome())],
            "x",
            Form::Words
        ),
        "2 hosts: 2 unreachable\n  a,gate (2): unreachable (no_shell): a rule on a gate\nhint: ask\n"
    );
}

#[test]
fn the_directories_without_place_have_lines_of_their_own() {
    let text = "no directory of the host may hold the agent; $HOME/.cache/convoke: it cannot be \
                written; /var/tmp/convoke-UID: it is a symbolic link";
    let outcome = unreachable(UnreachableKind::NoPlace, text, None);
    let lines = "unreachable (no_place): no directory of the host may hold the agent\n  \
                 $HOME/.cache/convoke: it cannot be written\n  \
                 /var/tmp/convoke-$(id -u): it is a symbolic link\n";
    assert_eq!(
        recap(vec![("a", outcome.clone())], "x", Form::Words),
        format!("a: {lines}")
    );
    assert_eq!(
        recap(vec![("local:", outcome)], "x", Form::Words),
        format!("local: {lines}")
    );
}

#[test]
fn hosts_that_were_lost_one_after_the_other_are_told_with_the_last_time() {
    let lost = |seconds| {
        Outcome::Lost(Lost {
            text: "silence".to_owned(),
            fate: Fate::EndsBy(UNIX_EPOCH + Duration::from_secs(seconds)),
        })
    };
    assert_eq!(
        recap(
            vec![("a1", lost(1)), ("a2", lost(3)), ("a3", lost(2))],
            "x",
            Form::Words
        ),
        "3 hosts: 3 lost\n  a[1-3] (3): lost: silence; may still run until 00:00:03 UTC\n"
    );
}

#[test]
fn a_hint_is_one_that_can_be_followed() {
    let report = report(vec![(
        "a",
        unreachable(
            UnreachableKind::Connect(ConnectErrorKind::Resources),
            "x",
            None,
        ),
    )]);
    for (fanout, hint) in [(2, "--fanout"), (1, "ulimit")] {
        let facts = Facts {
            verb: "run",
            program: "x".into(),
            form: Form::Words,
            limits: Limits::default(),
            fanout,
            each: None,
            asked: None,
        };
        let text = text(&report, &facts, Count::Always);
        let (_, told) = text.split_once("hint: ").unwrap();
        assert!(told.contains(hint), "{told}");
        assert_eq!(told.contains("--fanout"), fanout > 1, "{told}");
    }
}
