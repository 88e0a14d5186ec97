//! One host's bytes.

use super::super::view_tests::{FILE, TERMINAL, ended, err, out, output, shown};
use super::*;
use crate::config::Safety;

#[test]
fn a_file_gets_the_bytes_as_they_are() {
    let all: Vec<u8> = (0..=255).collect();
    let events = [
        out("h", &all),
        err("h", b"e\x1b"),
        out("h", &all),
        ended("h", 0),
    ];
    let (stdout, stderr) = shown(Raw::new(&output(FILE)), events);
    assert_eq!(stdout, [&all[..], &all].concat());
    assert_eq!(stderr, b"e\x1b");
}

#[test]
fn a_terminal_gets_them_escaped() {
    let (stdout, stderr) = shown(
        Raw::new(&output(TERMINAL)),
        [out("h", b"a\x1b[2Jb\n"), err("h", b"\x9bx")],
    );
    assert_eq!(stdout, b"a\\x1b[2Jb\n");
    assert_eq!(stderr, b"\\x9bx");
}

#[test]
fn a_character_that_comes_in_two_pieces_is_shown_whole() {
    let (stdout, _) = shown(
        Raw::new(&output(TERMINAL)),
        [
            out("h", b"caf\xc3"),
            out("h", b"\xa9 \xe2"),
            out("h", b"\x82"),
            out("h", b"\xac"),
        ],
    );
    assert_eq!(stdout, "caf\u{e9} \u{20ac}".as_bytes());
}

#[test]
fn half_a_character_at_the_end_is_shown() {
    let (stdout, _) = shown(Raw::new(&output(TERMINAL)), [out("h", b"x\xe2\x82")]);
    assert_eq!(stdout, b"x\\xe2\\x82");
}

#[test]
fn raw_opts_out() {
    let mut output = output(TERMINAL);
    output.safety = Safety::Raw;
    let (stdout, _) = shown(Raw::new(&output), [out("h", b"\x1b[2J")]);
    assert_eq!(stdout, b"\x1b[2J");
}
