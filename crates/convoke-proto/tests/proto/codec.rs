//! Splitting bytes into frames.

use bytes::BytesMut;
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::frame::{HEADER_LEN, MAX_DATA, Tag};
use convoke_proto::message::Message;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::any::{self, raw};

/// Everything the decoder has to say now.
fn drain(decoder: &mut Decoder) -> Vec<(u32, Incoming)> {
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

proptest! {
    #[test]
    fn every_message_survives_the_wire(message in any::message(), channel: u32) {
        let mut bytes = b"before".to_vec();
        message.encode(channel, &mut bytes).unwrap();
        let mut decoder = Decoder::new();
        decoder.feed(bytes.strip_prefix(b"before").unwrap());
        prop_assert_eq!(decoder.next(), Ok(Some((channel, Incoming::Message(message)))));
        prop_assert_eq!(decoder.next(), Ok(None));
        prop_assert!(decoder.buffer().is_empty());
    }

    #[test]
    fn frames_arrive_whole_however_their_bytes_are_split(
        frames in vec(any::frame(), 1..8),
        pieces in vec(1_usize..40, 1..20),
    ) {
        let stream: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.clone()).collect();
        let mut decoder = Decoder::new();
        let mut arrived = Vec::new();
        let mut rest = stream.as_slice();
        for length in pieces.iter().cycle() {
            let (piece, later) = rest.split_at(rest.len().min(*length));
            decoder.feed(piece);
            arrived.extend(drain(&mut decoder));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let sent: Vec<_> = frames.into_iter().map(|f| (f.channel, f.incoming)).collect();
        prop_assert_eq!(arrived, sent);
    }

    #[test]
    fn random_bytes_neither_panic_nor_grow_the_buffer(pieces in vec(vec(any::<u8>(), 0..200), 0..20)) {
        let mut decoder = Decoder::new();
        let mut fed = 0;
        for piece in pieces {
            decoder.feed(&piece);
            fed += piece.len();
            while let Ok(Some(_)) = decoder.next() {}
            prop_assert!(decoder.buffer().len() <= fed);
        }
    }

    #[test]
    fn mutated_frames_neither_panic_nor_grow_the_buffer(
        frames in vec(any::frame(), 1..5),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut stream: Vec<u8> = frames.into_iter().flat_map(|frame| frame.bytes).collect();
        for (place, byte) in changes {
            let place = place.index(stream.len());
            stream[place] = byte;
        }
        let mut decoder = Decoder::new();
        for piece in stream.chunks(7) {
            decoder.feed(piece);
            while let Ok(Some(_)) = decoder.next() {}
            prop_assert!(decoder.buffer().len() <= stream.len());
        }
    }
}

#[test]
fn an_announced_length_allocates_nothing() {
    let mut decoder = Decoder::new();
    let header = raw(1, Tag::START, &vec![0; 4 * 1024 * 1024]);
    decoder.feed(&header[..HEADER_LEN]);
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.buffer().capacity() < 1024);
}

/// Whether the first body of `frames` lies in the buffer it was read into.
fn is_borrowed(length: usize) -> bool {
    let mut decoder = Decoder::new();
    *decoder.buffer() = BytesMut::from(raw(1, Tag::data(1), &vec![7; length]).as_slice());
    let place = decoder.buffer().as_ptr_range();
    let frame = decoder.next().unwrap().unwrap().1;
    let Incoming::Data { body, .. } = frame else {
        panic!("not data: {frame:?}");
    };
    assert_eq!(body, vec![7; length]);
    place.contains(&body.as_ptr())
}

#[test]
fn a_long_body_is_not_copied() {
    assert!(is_borrowed(32 * 1024));
    assert!(is_borrowed(MAX_DATA));
}

#[test]
fn a_short_body_does_not_keep_the_read_buffer_alive() {
    assert!(!is_borrowed(1));
    assert!(!is_borrowed(32 * 1024 - 1));
}

#[test]
fn a_body_of_no_bytes_is_a_frame() {
    let mut decoder = Decoder::new();
    decoder.feed(&raw(9, Tag::data(2), b""));
    let nothing = Incoming::Data {
        stream: 2,
        body: Default::default(),
    };
    assert_eq!(decoder.next(), Ok(Some((9, nothing))));
}

#[test]
fn a_request_that_is_too_long_leaves_the_output_as_it_was() {
    use convoke_proto::command::Start;
    let long = Start::new([vec![b'x'; 4 * 1024 * 1024]]);
    let mut out = b"before".to_vec();
    let refused = Message::Start(long).encode(1, &mut out).unwrap_err();
    assert!(refused.length > refused.limit);
    assert_eq!(out, b"before");
}

#[test]
fn the_memory_of_a_large_request_is_given_back() {
    use convoke_proto::command::Start;
    let mut bytes = Vec::new();
    let large = Start::new([vec![b'x'; 3 * 1024 * 1024]]);
    Message::Start(large).encode(1, &mut bytes).unwrap();
    Message::Kill.encode(1, &mut bytes).unwrap();
    let mut decoder = Decoder::new();
    decoder.feed(&bytes);
    assert_eq!(drain(&mut decoder).len(), 2);
    assert!(decoder.buffer().capacity() < 64 * 1024);
}

/// Reads `bytes` as a socket would give them.
fn read(decoder: &mut Decoder, room: usize, bytes: &[u8]) -> usize {
    let buffer = decoder.buffer_with_room(room);
    assert!(buffer.capacity() - buffer.len() >= room);
    let count = room.min(bytes.len());
    buffer.extend_from_slice(&bytes[..count]);
    count
}

#[test]
fn bytes_that_are_read_in_place_come_out_as_frames() {
    let frames = [
        raw(1, Tag::data(0), &[7; 40_000]),
        raw(2, Tag::data(1), b"x"),
    ]
    .concat();
    for room in [1000, 39_999, 100_000] {
        let mut decoder = Decoder::new();
        let (mut rest, mut seen) = (&frames[..], Vec::new());
        while !rest.is_empty() {
            let count = read(&mut decoder, room, rest);
            rest = &rest[count..];
            seen.extend(drain(&mut decoder));
        }
        assert_eq!(seen.len(), 2, "{room}");
        assert!(matches!(&seen[0].1, Incoming::Data { body, .. } if body[..] == [7; 40_000]));
    }
}

#[test]
fn the_memory_of_bodies_that_are_gone_is_read_into_again() {
    let mut decoder = Decoder::new();
    let frame = raw(1, Tag::data(0), &[7; MAX_DATA]);
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..50 {
        read(&mut decoder, 128 * 1024, &frame);
        let Some((_, Incoming::Data { body, .. })) = decoder.next().unwrap() else {
            panic!("no data");
        };
        places.insert(body.as_ptr());
    }
    assert!(places.len() < 5, "{places:?}");
    // What took much for a while keeps none of it.
    read(&mut decoder, 1024 * 1024, &frame);
    assert_eq!(drain(&mut decoder).len(), 1);
    read(&mut decoder, 1000, b"");
    assert!(decoder.buffer().capacity() < 64 * 1024);
}
