//! Equal results once.

use convoke::event::Kind;
use convoke::outcome::{SkipCause, Skipped};

use super::super::view_tests::{FILE, ended, err, event, hosts, out, output, shown};
use super::*;

fn gathered(names: &[&str], events: Vec<Event>) -> (String, String) {
    let view = Gathered::new(&output(FILE), &hosts(names));
    let (stdout, stderr) = shown(view, events);
    (
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn equal_results_are_shown_once_in_host_order() {
    let events = vec![
        out("web3", b"new\n"),
        out("web1", b"ol"),
        out("web2", b"old\n"),
        out("web1", b"d\n"),
        ended("web3", 0),
        ended("web2", 0),
        ended("web1", 0),
    ];
    let (stdout, stderr) = gathered(&["web1", "web2", "web3"], events);
    assert_eq!(stdout, "web[1-2] (2)\n  old\nweb3 (1)\n  new\n");
    assert_eq!(stderr, "");
}

#[test]
fn outcome_and_stderr_tell_results_apart() {
    let events = vec![
        out("a1", b"x\n"),
        ended("a1", 0),
        out("a2", b"x\n"),
        ended("a2", 1),
        out("a3", b"x\n"),
        err("a3", b"hm\n"),
        ended("a3", 0),
    ];
    let (stdout, stderr) = gathered(&["a1", "a2", "a3"], events);
    assert_eq!(stdout, "a1 (1)\n  x\na2 (1): exited 1\n  x\na3 (1)\n  x\n");
    assert_eq!(stderr, "a3 (1): stderr\n! hm\n");
}

#[test]
fn silence_is_a_result_and_a_host_that_never_ran_is_none() {
    let skipped = Outcome::Skipped(Skipped {
        why: SkipCause::MaxFail,
    });
    let events = vec![
        ended("a1", 0),
        ended("a2", 3),
        event("a3", Kind::Ended(skipped)),
        err("a4", b"only this\n"),
        ended("a4", 0),
    ];
    let (stdout, stderr) = gathered(&["a1", "a2", "a3", "a4"], events);
    assert_eq!(stdout, "a1 (1): no output\na2 (1): exited 3, no output\n");
    assert_eq!(stderr, "a4 (1): stderr\n! only this\n");
}

#[test]
fn no_line_of_a_host_looks_like_the_start_of_a_block() {
    let events = vec![out("a", b"b (1)\n\rb (1)\n\x0bb (1)"), ended("a", 0)];
    let (stdout, _) = gathered(&["a"], events);
    assert_eq!(stdout, "a (1)\n  b (1)\n  \\rb (1)\n  \\x0bb (1)\n");
}

#[test]
fn big_output_comes_back_from_the_file() {
    let lines = "a line of some length\n".repeat(40_000);
    let mut events = Vec::new();
    for host in ["a1", "a2"] {
        events.extend(
            lines
                .as_bytes()
                .chunks(60_000)
                .map(|piece| out(host, piece)),
        );
        events.push(ended(host, 0));
    }
    let (stdout, _) = gathered(&["a1", "a2"], events);
    let expected = format!("a[1-2] (2)\n{}", "  a line of some length\n".repeat(40_000));
    assert!(stdout == expected);
}
