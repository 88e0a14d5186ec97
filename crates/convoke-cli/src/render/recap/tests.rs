//! The last words about a run, as tables.

use convoke::outcome::{Exited, NotStarted, Status};

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
        program: program.into(),
        form,
    };
    text(&report(outcomes), &facts)
}

fn not_started(errno: i32) -> Outcome {
    Outcome::NotStarted(NotStarted {
        stage: Stage::Exec,
        errno,
        tried: vec!["ls -l".into()],
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
        "5 hosts: 2 ok, 3 failed\n  a[2,4]: exited 3\n  a5: exited 1\n"
    );
    assert_eq!(
        recap(vec![("a1", exited(0)), ("a2", exited(0))], "x", Form::Words),
        "2 hosts: 2 ok\n"
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
