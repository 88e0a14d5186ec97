//! Equal results once.

use convoke::event::Kind;
use convoke::outcome::{SkipCause, Skipped};

use super::super::view_tests::{FILE, ended, err, event, hosts, out, output, shown};
use super::*;

fn gathered(names: &[&str], events: Vec<Event>) -> (String, String) {
    shown_as(Shape::Blocks, &output(FILE), names, events)
}

fn shown_as(shape: Shape, output: &Output, names: &[&str], events: Vec<Event>) -> (String, String) {
    let view = Gathered::new(output, &hosts(names), Limits::default(), shape);
    let (stdout, stderr) = shown(view, events);
    (
        String::from_utf8_lossy(&stdout).into_owned(),
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

#[test]
fn where_nothing_can_be_kept_everything_is_shown_all_the_same() {
    let nowhere = Output {
        temporary: "/nonexistent".into(),
        ..output(FILE)
    };
    let line = "a line of some length\n";
    let big = line.repeat(40_000);
    let mut events = vec![
        out("a1", b"early\n"),
        ended("a1", 0),
        out("a2", b"half a "),
        err("a2", b"hm\n"),
    ];
    events.extend(big.as_bytes().chunks(60_000).map(|piece| out("a3", piece)));
    events.extend([out("a2", b"line\n"), ended("a3", 0), ended("a2", 0)]);
    let (stdout, stderr) = shown_as(Shape::Blocks, &nowhere, &["a1", "a2", "a3"], events);
    let expected = format!(
        "a1 (1)\n  early\n{}a2: half a line\n",
        format!("a3: {line}").repeat(40_000)
    );
    assert!(stdout == expected);
    assert!(
        stderr.starts_with("warning: failed to keep output in \"/nonexistent\": "),
        "{stderr}"
    );
    assert!(stderr.contains("\nhint: TMPDIR "), "{stderr}");
    assert!(stderr.ends_with("\na2! hm\n"), "{stderr}");
}

fn differences(names: &[&str], events: Vec<Event>) -> (String, String) {
    shown_as(Shape::Differences, &output(FILE), names, events)
}

/// What a few hosts print, all exiting with a code.
fn said(answers: &[(&str, &[u8], u8)]) -> Vec<Event> {
    let events = answers
        .iter()
        .flat_map(|(host, data, code)| [out(host, data), ended(host, *code)]);
    events.collect()
}

#[test]
fn the_majority_is_shown_whole_and_of_others_what_differs() {
    let lines = |fifth: &str| -> Vec<u8> {
        let lines = (1..=9).map(|number| match number {
            5 => format!("{fifth}\n"),
            number => format!("line {number}\n"),
        });
        lines.collect::<String>().into_bytes()
    };
    let (old, new) = (lines("old"), lines("new"));
    let answers = [
        ("a1", &new[..], 0),
        ("a2", &old, 0),
        ("a3", &old, 0),
        ("a4", &new, 0),
        ("a5", &old, 0),
    ];
    let (stdout, stderr) = differences(&["a1", "a2", "a3", "a4", "a5"], said(&answers));
    let majority: String = String::from_utf8(old)
        .unwrap()
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    let expected = format!(
        "a[2-3,5] (3)\n{majority}a[1,4] (2): stdout differs\n  @@ -2,7 +2,7 @@\n   line 2\n   line 3\n   \
         line 4\n  -old\n  +new\n   line 6\n   line 7\n   line 8\n"
    );
    assert_eq!((stdout, stderr.as_str()), (expected, ""));
}

#[test]
fn in_what_a_result_differs_is_named() {
    let mut events = said(&[("a1", b"x\n", 0), ("a2", b"x\n", 0), ("a3", b"x\n", 4)]);
    events.extend([err("a4", b"hm\n"), out("a4", b"x\n"), ended("a4", 0)]);
    events.push(ended("a5", 0));
    let (stdout, stderr) = differences(&["a1", "a2", "a3", "a4", "a5"], events);
    assert_eq!(
        stdout,
        "a[1-2] (2)\n  x\na3 (1): exited 4, same stdout\na4 (1): same stdout, stderr differs\n\
         a5 (1): no stdout\n"
    );
    assert_eq!(stderr, "a4 (1): stderr\n! hm\n");
}

#[test]
fn a_result_that_is_ok_where_most_failed_says_so() {
    let events = said(&[("a1", b"", 1), ("a2", b"", 1), ("a3", b"", 0)]);
    let (stdout, _) = differences(&["a1", "a2", "a3"], events);
    assert_eq!(
        stdout,
        "a[1-2] (2): exited 1, no output\na3 (1): exited 0, same stdout\n"
    );
}

#[test]
fn of_results_as_frequent_the_first_is_the_majority() {
    let events = said(&[("a2", b"two\n", 0), ("a1", b"one\n", 0)]);
    let (stdout, _) = differences(&["a1", "a2"], events);
    assert!(stdout.starts_with("a1 (1)\n  one\na2 (1): "), "{stdout}");
}

#[test]
fn a_missing_line_end_is_a_difference_that_is_seen() {
    let events = said(&[("a1", b"x\n", 0), ("a2", b"x\n", 0), ("a3", b"x", 0)]);
    let (stdout, _) = differences(&["a1", "a2", "a3"], events);
    let changes = "  @@ -1,1 +1,1 @@\n  -x\n  +x\n  \\ no newline at the end\n";
    assert!(stdout.ends_with(changes), "{stdout}");
}

#[test]
fn what_differs_is_escaped_and_stays_behind_its_sign() {
    let events = said(&[
        ("a1", b"x\n", 0),
        ("a2", b"x\n", 0),
        ("a3", b"a9 (1)\n\x1b[2J\rb (1)\n\xff\n", 0),
    ]);
    let (stdout, _) = differences(&["a1", "a2", "a3"], events);
    let (_, changes) = stdout.split_once("@@\n").unwrap();
    assert_eq!(
        changes,
        "  -x\n  +a9 (1)\n  +\\x1b[2J\\rb (1)\n  +\u{fffd}\n"
    );
}

#[test]
fn too_much_for_a_comparison_is_shown_whole() {
    let big = |first: &str| {
        let mut text = format!("{first}\n");
        text.push_str(&"a line of some length\n".repeat(200_000));
        text
    };
    let (one, other) = (big("one"), big("other"));
    let mut events = Vec::new();
    for (host, text) in [("a1", &one), ("a2", &one), ("a3", &other)] {
        events.extend(text.as_bytes().chunks(60_000).map(|piece| out(host, piece)));
        events.push(ended(host, 0));
    }
    let (stdout, _) = differences(&["a1", "a2", "a3"], events);
    let title = format!(
        "a3 (1): stdout differs ({} bytes, shown whole)\n",
        other.len()
    );
    let (_, whole) = stdout.split_once(&title).unwrap();
    let whole: String = whole
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap()))
        .collect();
    assert!(whole == other);
}
