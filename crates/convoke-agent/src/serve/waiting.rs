//! Bytes that arrived on a stream and wait for whoever works on it.
//!
//! A large body stays where the wire was read into, and is copied no more. Small ones are gathered: each on its
//! own would weigh more than its bytes. One that waits keeps what was read with it, so the windows of all streams
//! may weigh as much as ten times their bytes when a peer makes it so: still a fixed bound.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// From this size on a body stays as it is, in bytes; the codec copies smaller ones anyway.
const LARGE: usize = 32 * 1024;

/// How much of small bodies is gathered in one piece, in bytes.
const GATHERED: usize = 64 * 1024;

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pieces: VecDeque<Bytes>,
    /// What comes after them.
    small: BytesMut,
}

impl Waiting {
    /// Appends a body.
    pub(super) fn push(&mut self, body: Bytes) {
        let is_large = body.len() >= LARGE;
        if is_large || self.small.len() >= GATHERED {
            self.close_piece();
        }
        match is_large {
            true => self.pieces.push_back(body),
            false => self.small.extend_from_slice(&body),
        }
    }

    /// The first bytes of all; none when nothing waits.
    pub(super) fn first(&self) -> &[u8] {
        self.pieces.front().map_or(&self.small[..], |piece| piece)
    }

    /// Throws away the first `count` bytes, at most those of [`Waiting::first`]; how many there were.
    pub(super) fn consume(&mut self, count: usize) -> usize {
        let count = count.min(self.first().len());
        match self.pieces.front_mut() {
            Some(piece) => piece.advance(count),
            None => self.small.advance(count),
        }
        if self.first().is_empty() {
            // Nothing that waits keeps no memory.
            match self.pieces.pop_front() {
                Some(_) => {}
                None => self.small = BytesMut::new(),
            }
        }
        count
    }

    /// All that waits, in pieces that are never empty.
    pub(super) fn into_pieces(mut self) -> Vec<Bytes> {
        self.close_piece();
        self.pieces.into()
    }

    fn close_piece(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push_back(self.small.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies of these lengths, whose bytes count on.
    fn bodies(lengths: &[usize]) -> (Vec<Bytes>, Vec<u8>) {
        let mut bytes = (0..=250).cycle();
        let bodies: Vec<Bytes> = lengths
            .iter()
            .map(|length| bytes.by_ref().take(*length).collect())
            .collect();
        let all = bodies.concat();
        (bodies, all)
    }

    #[test]
    fn bytes_keep_their_order() {
        let (bodies, all) = bodies(&[1, LARGE, 5, 7, LARGE + 3, LARGE, 1]);
        for step in [1, 10, LARGE - 1, 3 * LARGE] {
            let mut waiting = Waiting::default();
            bodies.iter().for_each(|body| waiting.push(body.clone()));
            let mut taken = Vec::new();
            while !waiting.first().is_empty() {
                let piece = waiting.first();
                taken.extend_from_slice(&piece[..step.min(piece.len())]);
                assert!(waiting.consume(step) <= step);
            }
            assert_eq!(taken, all);
        }
        let mut waiting = Waiting::default();
        bodies.iter().for_each(|body| waiting.push(body.clone()));
        assert_eq!(waiting.consume(3), 1, "what follows is another piece");
        let pieces = waiting.into_pieces();
        assert_eq!(pieces.concat(), all[1..]);
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
    }

    #[test]
    fn large_bodies_stay_where_they_are_and_small_ones_are_gathered() {
        let mut waiting = Waiting::default();
        let large = Bytes::from(vec![1; LARGE]);
        waiting.push(large.clone());
        (0..100_000).for_each(|_| waiting.push(Bytes::from_static(b"x")));
        let pieces = waiting.into_pieces();
        assert_eq!(pieces[0].as_ptr(), large.as_ptr());
        assert_eq!(pieces.len(), 3);
    }

    #[test]
    fn nothing_keeps_no_memory() {
        let mut waiting = Waiting::default();
        waiting.push(Bytes::from_static(b"small"));
        assert_eq!(waiting.consume(5), 5);
        assert_eq!((waiting.first().len(), waiting.small.capacity()), (0, 0));
        assert_eq!(waiting.consume(1), 0);
    }
}
