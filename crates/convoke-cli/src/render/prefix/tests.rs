//! Lines of several hosts.

use super::super::view_tests::{FILE, TERMINAL, ended, err, out, output, shown};
use super::*;
use crate::config::PaperKind;

#[test]
fn lines_of_hosts_do_not_mix() {
    let events = [
        out("a", b"one "),
        out("b", b"two\nthree"),
        err("a", b"oops\n"),
        out("a", b"line\n"),
        ended("a", 0),
        ended("b", 0),
    ];
    let (stdout, stderr) = shown(Prefixed::new(&output(FILE)), events);
    assert_eq!(stdout, b"b: two\na: one line\nb: three\n");
    assert_eq!(stderr, b"a! oops\n");
}

#[test]
fn what_has_begun_is_shown_when_no_end_came() {
    let (stdout, _) = shown(Prefixed::new(&output(FILE)), [out("a", b"half")]);
    assert_eq!(stdout, b"a: half\n");
}

#[test]
fn a_host_keeps_its_colour() {
    let paper = Paper {
        kind: PaperKind::File,
        is_coloured: true,
    };
    let (stdout, _) = shown(Prefixed::new(&output(paper)), [out("web1", b"x\ny\n")]);
    let prefix = format!("\x1b[{}mweb1:\x1b[0m ", colour("web1"));
    assert_eq!(stdout, format!("{prefix}x\n{prefix}y\n").into_bytes());
    assert_ne!(colour("web1"), colour("web2"));
}

#[test]
fn escapes_of_a_host_do_not_reach_a_terminal_or_a_file() {
    for paper in [FILE, TERMINAL] {
        let (stdout, _) = shown(Prefixed::new(&output(paper)), [out("a", b"\x1b[2J\n")]);
        assert_eq!(stdout, b"a: \\x1b[2J\n");
    }
}
