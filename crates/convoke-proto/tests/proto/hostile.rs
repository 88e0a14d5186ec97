//! Bytes from a peer are guilty: what is refused, and what is skipped.

use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::fault::Violation;
use convoke_proto::frame::{HEADER_LEN, Tag};
use convoke_proto::message::{Message, Stream, Token};

use crate::any::raw;

fn header(length: u32, tag: Tag) -> [u8; HEADER_LEN] {
    let [a, b, c, d] = length.to_be_bytes();
    [a, b, c, d, 0, 0, 0, 1, tag.0]
}

fn refusal(bytes: &[u8]) -> Violation {
    let mut decoder = Decoder::new();
    decoder.feed(bytes);
    decoder.next().expect_err("it was not refused")
}

/// One known and one unknown tag a family, with the longest body each may have.
const LIMITS: [(Tag, u32); 10] = [
    (Tag::HELLO, 64 * 1024),
    (Tag(0x0f), 4 * 1024 * 1024),
    (Tag::START, 4 * 1024 * 1024),
    (Tag(0x3f), 4 * 1024 * 1024),
    (Tag::CREDIT, 64 * 1024),
    (Tag(0x5f), 4 * 1024 * 1024),
    (Tag::EXIT, 64 * 1024),
    (Tag(0x7f), 4 * 1024 * 1024),
    (Tag::data(0), 64 * 1024),
    (Tag::data(127), 64 * 1024),
];

#[test]
fn a_length_beyond_what_its_tag_allows_is_refused_at_the_header() {
    for (tag, limit) in LIMITS {
        for length in [limit + 1, 0x00ff_ffff] {
            let too_long = Violation::TooLong {
                tag: tag.0,
                length,
                limit,
            };
            assert_eq!(refusal(&header(length, tag)), too_long);
        }
    }
}

#[test]
fn the_longest_length_of_a_tag_is_accepted() {
    for (tag, limit) in LIMITS {
        let mut decoder = Decoder::new();
        decoder.feed(&header(limit, tag));
        assert!(decoder.next().is_ok(), "{tag:?}");
    }
}

#[test]
fn text_from_something_else_is_refused_at_its_first_byte_and_quoted() {
    for text in ["Killed\n", "C", "\x1b[31mbash: command not found"] {
        let quoted = Violation::NotAFrame {
            bytes: text.as_bytes().into(),
        };
        assert_eq!(refusal(text.as_bytes()), quoted);
    }
}

#[test]
fn a_quotation_of_foreign_text_is_escaped() {
    let shown = refusal(b"\x1b[31mred\n").to_string();
    assert!(shown.ends_with(r#""\x1b[31mred\n""#), "{shown}");
}

#[test]
fn a_quotation_of_foreign_text_has_an_end() {
    let Violation::NotAFrame { bytes } = refusal(&[b'x'; 10_000]) else {
        panic!("another refusal");
    };
    assert_eq!(bytes.len(), Violation::MAX_BYTES);
}

#[test]
fn foreign_text_between_frames_is_refused_after_the_frames_before_it() {
    let mut decoder = Decoder::new();
    decoder.feed(&raw(1, Tag::DONE, b""));
    decoder.feed(b"Connection to host closed.");
    assert_eq!(
        decoder.next(),
        Ok(Some((1, Incoming::Message(Message::Done))))
    );
    assert!(matches!(decoder.next(), Err(Violation::NotAFrame { .. })));
}

/// Every message whose body is not empty, with its body.
fn bodies() -> Vec<(Tag, Vec<u8>)> {
    let frames = crate::golden::table().into_iter().map(|(message, _)| {
        let mut frame = Vec::new();
        message.encode(1, &mut frame).unwrap();
        (message.tag(), frame.split_off(HEADER_LEN))
    });
    frames.collect()
}

#[test]
fn a_body_with_bytes_too_many_is_refused() {
    for (tag, mut body) in bodies() {
        body.push(0);
        let malformed = Violation::Malformed { tag: tag.0 };
        assert_eq!(refusal(&raw(1, tag, &body)), malformed, "{tag:?}");
    }
}

#[test]
fn a_body_that_is_cut_anywhere_is_refused() {
    for (tag, body) in bodies() {
        for cut in 0..body.len() {
            let malformed = Violation::Malformed { tag: tag.0 };
            assert_eq!(
                refusal(&raw(1, tag, &body[..cut])),
                malformed,
                "{tag:?} {cut}"
            );
        }
    }
}

#[test]
fn a_list_that_announces_more_than_its_body_holds_is_refused() {
    // A start request whose argument list claims 2^32 - 1 words, and one whose word claims as many bytes.
    for body in [
        &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
        &[1, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ] {
        let malformed = Violation::Malformed { tag: Tag::START.0 };
        assert_eq!(refusal(&raw(1, Tag::START, body)), malformed);
    }
}

/// One unknown tag of each family that has any.
const UNKNOWN: [Tag; 4] = [Tag(0x0e), Tag(0x3e), Tag(0x5e), Tag(0x7e)];

#[test]
fn an_unknown_tag_is_skipped_by_its_length() {
    for tag in UNKNOWN {
        let mut decoder = Decoder::new();
        decoder.feed(&raw(3, tag, &[0xff; 300]));
        decoder.feed(&raw(4, Tag::EOF, &[1]));
        assert_eq!(decoder.next(), Ok(Some((3, Incoming::Unknown(tag)))));
        let next = Incoming::Message(Message::Eof(Stream { stream: 1 }));
        assert_eq!(decoder.next(), Ok(Some((4, next))));
    }
}

#[test]
fn an_unknown_tag_is_reported_before_its_body_comes_and_its_body_never_piles_up() {
    for tag in UNKNOWN {
        let mut decoder = Decoder::new();
        decoder.feed(&header(1_000_000, tag));
        assert_eq!(decoder.next(), Ok(Some((1, Incoming::Unknown(tag)))));
        for _ in 0..1_000 {
            decoder.feed(&[0xff; 1_000]);
            assert_eq!(decoder.next(), Ok(None));
            assert!(decoder.buffer().is_empty());
        }
        decoder.feed(&raw(0, Tag::PING, &[5]));
        let ping = Incoming::Message(Message::Ping(Token(5)));
        assert_eq!(decoder.next(), Ok(Some((0, ping))));
    }
}

#[test]
fn a_decoder_of_answers_waits_for_the_body_of_no_request() {
    let mut decoder = Decoder::of_answers();
    decoder.feed(&header(4_000_000, Tag::START));
    assert_eq!(decoder.next(), Ok(Some((1, Incoming::Unknown(Tag::START)))));
    decoder.feed(&[0; 1_000]);
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.buffer().is_empty());
}

#[test]
fn an_error_is_final() {
    for bytes in [
        header(0x00ff_ffff, Tag::HELLO).to_vec(),
        b"text".to_vec(),
        raw(1, Tag::NOOP, b"x"),
    ] {
        let mut decoder = Decoder::new();
        decoder.feed(&bytes);
        let violation = decoder.next().unwrap_err();
        decoder.feed(&raw(1, Tag::NOOP, b""));
        assert_eq!(decoder.next(), Err(violation));
    }
}
