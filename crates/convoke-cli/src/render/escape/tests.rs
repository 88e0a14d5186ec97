//! What is escaped for whom.

use proptest::prelude::*;

use super::*;

fn escaped(escaping: Escaping, bytes: &[u8], then: Then) -> Vec<u8> {
    let mut out = Vec::new();
    escaping.push(bytes, then, &mut out);
    out
}

#[test]
fn a_terminal_is_shown_what_cannot_drive_it() {
    for (bytes, shown) in [
        (&b"plain\ttext\n"[..], &b"plain\ttext\n"[..]),
        (b"\x1b[31mred", b"\\x1b[31mred"),
        (b"a\rb\r\n", b"a\\rb\\r\n"),
        (b"a\x08\x7f\x00\x07", b"a\\x08\\x7f\\x00\\x07"),
        (b"\x9b31m\xff", b"\\x9b31m\\xff"),
        ("\u{9b}31m".as_bytes(), b"\\u{9b}31m"),
        (
            "caf\u{e9} \u{202e}x\u{2028}y".as_bytes(),
            "caf\u{e9} \\u{202e}x\\u{2028}y".as_bytes(),
        ),
        (
            "\u{1f468}\u{200d}\u{1f469}".as_bytes(),
            "\u{1f468}\u{200d}\u{1f469}".as_bytes(),
        ),
        (b"\xe2\x82", b"\\xe2\\x82"),
    ] {
        let out = escaped(Escaping::Invisible, bytes, Then::Anything);
        assert_eq!(out, shown, "{}", out.escape_ascii());
    }
}

#[test]
fn a_file_of_lines_is_spared_what_leaves_a_line() {
    for (bytes, then, shown) in [
        (
            &b"\x1b[31m\x9b\x00\x07\xff"[..],
            Then::Newline,
            &b"\\x1b[31m\\x9b\x00\x07\xff"[..],
        ),
        (
            "\u{9b}\u{85}\u{2028}".as_bytes(),
            Then::Newline,
            b"\\u{9b}\\u{85}\\u{2028}",
        ),
        (b"dos\r", Then::Newline, b"dos\r"),
        (b"dos\r", Then::Anything, b"dos\\r"),
        (b"a\rb\r\r", Then::Newline, b"a\\rb\\r\r"),
        (
            b"a\x08\x0b\x0c\x1c",
            Then::Newline,
            b"a\\x08\\x0b\\x0c\\x1c",
        ),
        (
            "caf\u{e9} \u{c0}".as_bytes(),
            Then::Newline,
            "caf\u{e9} \u{c0}".as_bytes(),
        ),
    ] {
        let out = escaped(Escaping::LineBreakers, bytes, then);
        assert_eq!(out, shown, "{}", out.escape_ascii());
    }
}

#[test]
fn raw_is_raw() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(escaped(Escaping::Nothing, &all, Then::Newline), all);
}

#[test]
fn a_tail_waits_only_for_what_can_still_become_a_character() {
    for (bytes, tail) in [
        (&b""[..], 0),
        (b"abc", 0),
        ("caf\u{e9}".as_bytes(), 0),
        (b"caf\xc3", 1),
        (b"\xe2\x82", 2),
        (b"a\xf0\x9f\x91", 3),
        (b"\xf0\x9f\x91\xa8", 0),
        (b"\xff", 0),
        (b"\x80\x80", 0),
        (b"\xc3\x28", 0),
        (b"\xf5", 0),
    ] {
        assert_eq!(unfinished_tail(bytes), tail, "{}", bytes.escape_ascii());
    }
}

/// Bytes in which what matters is frequent, also across the strides of the quick look.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ -~]{0,200}".prop_map(String::into_bytes),
        2 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        2 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => Just(b"\x1b[2J".to_vec()),
        1 => Just("\u{9b}\u{202e}".to_owned().into_bytes()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_that_drives_a_terminal_leaves(bytes in hostile()) {
        let out = escaped(Escaping::Invisible, &bytes, Then::Anything);
        let text = String::from_utf8(out).unwrap();
        prop_assert!(!text.chars().any(|c| c != '\t' && c != '\n' && is_invisible(c)));
    }

    #[test]
    fn no_escape_sequence_leaves_in_lines(bytes in hostile()) {
        let out = escaped(Escaping::LineBreakers, &bytes, Then::Newline);
        prop_assert!(!out.contains(&0x1b));
        for chunk in out.utf8_chunks() {
            let has_character = chunk.valid().chars().any(|c| ('\u{80}'..'\u{a0}').contains(&c));
            let has_byte = chunk.invalid().iter().any(|byte| (0x80..0xa0).contains(byte));
            prop_assert!(!has_character && !has_byte);
        }
    }

    #[test]
    fn the_quick_look_misses_nothing(bytes in hostile()) {
        for escaping in [Escaping::LineBreakers, Escaping::Invisible] {
            let mut slow = Vec::new();
            for chunk in bytes.utf8_chunks() {
                escaping.push_text(chunk.valid(), &mut slow);
                slow.extend_from_slice(chunk.invalid());
            }
            let has_raw = bytes.utf8_chunks().any(|chunk| {
                let hits = |byte: &u8| escaping == Escaping::Invisible || *byte < 0xa0;
                chunk.invalid().iter().any(hits)
            });
            if escaping.is_clean(&bytes) {
                prop_assert_eq!(&slow, &bytes);
                prop_assert!(!has_raw);
            }
        }
    }
}
