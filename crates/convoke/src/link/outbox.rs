//! What waits to be written to the agent: messages behind each other, bytes of streams where they are.
//!
//! What many hosts are sent is in memory once, however many links it waits for. Only what is small, or stands
//! between two packets of ssh, is gathered first, in one small place a link.

use std::collections::VecDeque;

use bytes::Bytes;

/// How much is gathered, in bytes: what a packet of ssh carries at most.
const GATHERED: usize = 32 * 1024;

/// Bytes of a stream from this size on stay where they are.
const LARGE: usize = 4 * 1024;

/// Memory beyond this is given back as soon as what took it was written, in bytes.
const KEPT: usize = 2 * GATHERED;

/// Bytes for the agent, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What is written now, unless that is the first of the pieces.
    head: Vec<u8>,
    /// How much of it is.
    written: usize,
    pieces: VecDeque<Bytes>,
    /// How many bytes they are.
    pieces_bytes: usize,
    /// What comes after them.
    tail: Vec<u8>,
}

impl Outbox {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.head.len() - self.written + self.pieces_bytes + self.tail.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Throws away what waits.
    pub fn clear(&mut self) {
        *self = Outbox::default();
    }

    /// All that waits, in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let head = self.head.get(self.written..).unwrap_or_default();
        let pieces = self.pieces.iter().map(|piece| &piece[..]);
        let all: Vec<&[u8]> = [head].into_iter().chain(pieces).collect();
        [all.concat(), self.tail.clone()].concat()
    }

    /// The place where messages are appended.
    pub(super) fn messages(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends bytes whose frame header was appended as a message.
    pub(super) fn push(&mut self, body: Bytes) {
        if body.len() < LARGE {
            self.tail.extend_from_slice(&body);
            return;
        }
        let messages = std::mem::take(&mut self.tail);
        self.add(messages.into());
        self.add(body);
    }

    /// What is to be written next; nothing only when nothing waits. Begins with the same bytes until those are
    /// [written](Outbox::wrote).
    pub(super) fn front(&mut self) -> &[u8] {
        if self.written == self.head.len() && !self.begins_large() {
            self.gather();
        }
        match self.head.get(self.written..) {
            Some(head) if !head.is_empty() => head,
            _ => self.pieces.front().map_or(&[], |piece| piece),
        }
    }

    /// Notes that the first `count` bytes of [`Outbox::front`] were written.
    pub(super) fn wrote(&mut self, count: usize) {
        if self.written < self.head.len() {
            self.written = (self.written + count).min(self.head.len());
        } else {
            self.take(count);
        }
    }

    fn add(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces_bytes += piece.len();
            self.pieces.push_back(piece);
        }
    }

    /// Whether the next piece is worth to be written by itself.
    fn begins_large(&self) -> bool {
        let piece = self.pieces.front();
        piece.is_some_and(|piece| piece.len() >= GATHERED)
    }

    /// Makes one of what comes next.
    fn gather(&mut self) {
        self.written = 0;
        self.head.clear();
        if self.head.capacity() > KEPT {
            self.head = Vec::new();
        }
        while self.head.len() < GATHERED {
            let room = GATHERED - self.head.len();
            match self.take(room) {
                Some(bytes) => self.head.extend_from_slice(&bytes),
                None if self.head.is_empty() => {
                    std::mem::swap(&mut self.head, &mut self.tail);
                    return;
                }
                None => {
                    let rest = self.tail.split_off(room.min(self.tail.len()));
                    self.head.append(&mut self.tail);
                    self.tail = rest;
                    return;
                }
            }
        }
    }

    /// Takes at most `count` bytes off the first piece, which is never an empty one.
    fn take(&mut self, count: usize) -> Option<Bytes> {
        let piece = self.pieces.front_mut()?;
        let bytes = piece.split_to(count.min(piece.len()));
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        self.pieces_bytes -= bytes.len();
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appends parts, of which every other one is a message.
    fn filled(parts: &[usize]) -> (Outbox, Vec<u8>) {
        let mut outbox = Outbox::default();
        let mut bytes = (0..=250).cycle();
        for (index, length) in parts.iter().enumerate() {
            let part: Vec<u8> = bytes.by_ref().take(*length).collect();
            match index % 2 {
                0 => outbox.messages().extend_from_slice(&part),
                _ => outbox.push(part.into()),
            }
        }
        let all = (0..=250).cycle().take(parts.iter().sum()).collect();
        (outbox, all)
    }

    #[test]
    fn bytes_are_written_in_order_however_much_is_taken_at_once() {
        let frames = [
            9, 65_536, 9, 65_536, 20, 100, 9, 5_000, 70_000, 0, 9, 40_000, 9,
        ];
        for most in [1, 9, 1_000, 32_768, 1_000_000] {
            let (mut outbox, all) = filled(&frames);
            assert_eq!(outbox.to_vec(), all);
            let mut written = Vec::new();
            while !outbox.is_empty() {
                assert_eq!(outbox.len(), all.len() - written.len());
                let front = outbox.front();
                let count = most.min(front.len());
                written.extend_from_slice(&front[..count]);
                outbox.wrote(count);
            }
            assert!(written == all, "{most}");
            assert!(outbox.front().is_empty());
        }
    }

    #[test]
    fn what_was_offered_is_offered_again_whatever_comes_meanwhile() {
        let (mut outbox, _) = filled(&[9, 5_000]);
        let offered = outbox.front().to_vec();
        outbox.messages().extend_from_slice(b"more");
        outbox.push(Bytes::from(vec![1; 100_000]));
        assert!(outbox.front().starts_with(&offered));
    }

    #[test]
    fn bytes_of_streams_stay_where_they_are() {
        let body = Bytes::from(vec![1; 65_536]);
        let mut outbox = Outbox::default();
        outbox.messages().extend_from_slice(&[0; 9]);
        outbox.push(body.clone());
        let gathered = outbox.front().len();
        assert_eq!(gathered, GATHERED);
        outbox.wrote(gathered);
        let place = outbox.front().as_ptr();
        assert_eq!(place, body[GATHERED - 9..].as_ptr());
    }

    #[test]
    fn what_was_written_keeps_little_memory() {
        let (mut outbox, all) = filled(&[3_000_000]);
        let count = outbox.front().len();
        assert_eq!(count, all.len());
        outbox.wrote(count);
        outbox.messages().extend_from_slice(b"more");
        assert_eq!(outbox.front(), b"more");
        assert!(outbox.head.capacity() + outbox.tail.capacity() <= KEPT);
    }
}
