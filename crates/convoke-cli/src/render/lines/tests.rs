//! Lines, pieces and what stands before them.

use proptest::prelude::*;

use super::super::screen::memory::Memory;
use super::*;

fn lines(escaping: Escaping) -> Lines {
    let prefix = Prefix {
        whole: b"h: ".to_vec(),
        piece: b"h:+ ".to_vec(),
    };
    Lines::new(prefix, escaping)
}

fn shown(escaping: Escaping, pieces: &[&[u8]]) -> Vec<u8> {
    let memory = Memory::default();
    let mut sink = Sink::new(memory.clone());
    let mut lines = lines(escaping);
    for piece in pieces {
        lines.take(piece, &mut sink).unwrap();
    }
    lines.finish(&mut sink).unwrap();
    sink.flush().unwrap();
    memory.bytes()
}

#[test]
fn every_line_stands_behind_the_prefix() {
    for (pieces, expected) in [
        (&[&b"a\nb\n"[..]][..], &b"h: a\nh: b\n"[..]),
        (&[b"a", b"b\nc", b"\n"], b"h: ab\nh: c\n"),
        (&[b"\n\n"], b"h: \nh: \n"),
        (&[b"a\r\n"], b"h: a\r\n"),
        (&[b""], b""),
        (&[], b""),
    ] {
        assert_eq!(shown(Escaping::LineBreakers, pieces), expected);
    }
}

#[test]
fn an_unfinished_last_line_is_ended() {
    assert_eq!(shown(Escaping::Nothing, &[b"a\nb"]), b"h: a\nh: b\n");
}

#[test]
fn a_line_cannot_pose_as_the_line_of_another() {
    for line in [
        &b"x\rother: y\n"[..],
        b"x\x0bother: y\n",
        "x\u{2028}other: y\n".as_bytes(),
    ] {
        let out = shown(Escaping::LineBreakers, &[line]);
        let text = String::from_utf8(out).unwrap();
        let breaks = |c: char| "\n\r\u{b}\u{c}\u{85}\u{2028}\u{2029}".contains(c);
        let parts: Vec<&str> = text.split(breaks).filter(|part| !part.is_empty()).collect();
        assert!(
            parts.iter().all(|part| part.starts_with("h: ")),
            "{parts:?}"
        );
    }
}

#[test]
fn a_long_line_comes_in_pieces_and_all_but_the_last_are_marked() {
    let line = vec![b'x'; 2 * LONGEST + 1];
    let x = |count| vec![b'x'; count];
    let expected = [
        &b"h:+ "[..],
        &x(LONGEST),
        b"\nh:+ ",
        &x(LONGEST),
        b"\nh: x\n",
    ];
    assert_eq!(shown(Escaping::Nothing, &[&line, b"\n"]), expected.concat());
    let whole: Vec<&[u8]> = line.chunks(1000).collect();
    assert_eq!(shown(Escaping::Nothing, &whole), expected.concat());
}

#[test]
fn a_line_that_just_fits_is_one_piece() {
    let line = vec![b'x'; LONGEST];
    let out = shown(Escaping::Nothing, &[&line, b"\n"]);
    assert_eq!(out, [&b"h: "[..], &line, b"\n"].concat());
}

#[test]
fn pieces_are_cut_between_characters() {
    let line = "\u{20ac}".repeat(LONGEST);
    let out = shown(Escaping::Invisible, &[line.as_bytes()]);
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains('\\'));
    assert_eq!(text.matches('\u{20ac}').count(), LONGEST);
}

#[test]
fn a_line_without_end_takes_no_more_memory_than_a_piece() {
    let memory = Memory::default();
    let mut sink = Sink::new(memory);
    let mut lines = lines(Escaping::LineBreakers);
    for _ in 0..100 {
        lines.take(&[b'x'; 50_000], &mut sink).unwrap();
        assert!(lines.begun.len() <= LONGEST);
        assert!(lines.begun.capacity() <= 2 * LONGEST);
    }
}

/// The text behind the prefixes, pieces put together again.
fn stripped(out: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in out.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"h:+ ") {
            Some(piece) => text.extend_from_slice(&piece[..piece.len() - 1]),
            None => text.extend_from_slice(line.strip_prefix(b"h: ").unwrap()),
        }
    }
    text
}

proptest! {
    #[test]
    fn stripping_the_prefixes_gives_the_bytes_back(
        pieces in proptest::collection::vec(
            prop_oneof![
                "[a-z\n]{0,40}".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..40),
                (1..100_000_usize).prop_map(|length| vec![b'x'; length]),
            ],
            0..12,
        )
    ) {
        let slices: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let mut expected = pieces.concat();
        if expected.last().is_some_and(|last| *last != b'\n') {
            expected.push(b'\n');
        }
        prop_assert_eq!(stripped(&shown(Escaping::Nothing, &slices)), expected);
    }

    #[test]
    fn lines_do_not_depend_on_how_they_are_cut_into_events(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'\n'), Just(0x1b), Just(0xe2), Just(0x80), Just(0xa8), any::<u8>()],
            0..200,
        ),
        size in 1..50_usize,
    ) {
        let whole = shown(Escaping::LineBreakers, &[&bytes]);
        let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
        prop_assert_eq!(shown(Escaping::LineBreakers, &pieces), whole);
    }
}
