//! Frames that wait for the wire: written in one place, sent from the front.

use convoke_proto::frame::{HEADER_LEN, Header};
use convoke_proto::message::{Message, Oversized};

/// Bytes that wait to be sent.
///
/// The part of `bytes` beyond `tail` is initialised room: the bytes of a data frame are read straight
/// into it, behind the place of their header.
#[derive(Debug)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How much room there was from the start.
    least: usize,
    head: usize,
    tail: usize,
    scratch: Vec<u8>,
}

impl Outbox {
    /// One with room for so many bytes from the start.
    pub(super) fn new(room: usize) -> Self {
        Outbox {
            bytes: vec![0; room],
            least: room,
            head: 0,
            tail: 0,
            scratch: Vec::new(),
        }
    }

    /// What waits, in order.
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.head..self.tail).unwrap_or_default()
    }

    /// Notes that the first `count` bytes of what waits were sent.
    pub(super) fn sent(&mut self, count: usize) {
        self.head = (self.head + count).min(self.tail);
        if self.head == self.tail {
            self.clear();
        }
    }

    /// Throws away what waits, and the room that it took beyond what was there from the start.
    pub(super) fn clear(&mut self) {
        (self.head, self.tail) = (0, 0);
        if self.bytes.len() > self.least {
            self.bytes = vec![0; self.least];
        }
    }

    /// Appends a message as one frame.
    pub(super) fn push(&mut self, channel: u32, message: &Message) -> Result<(), Oversized> {
        self.scratch.clear();
        message.encode(channel, &mut self.scratch)?;
        let frame = core::mem::take(&mut self.scratch);
        if let Some(room) = self.room(frame.len()) {
            room.copy_from_slice(&frame);
            self.tail += frame.len();
        }
        self.scratch = frame;
        Ok(())
    }

    /// Appends a frame whose body, at most `limit` bytes, `read` puts in place; none for no bytes.
    pub(super) fn push_with<E>(
        &mut self,
        header: Header,
        limit: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let Some((place, body)) = self
            .room(HEADER_LEN + limit)
            .and_then(|room| room.split_first_chunk_mut::<HEADER_LEN>())
        else {
            return Ok(0);
        };
        let length = read(body)?.min(limit);
        if length > 0 {
            *place = Header { length, ..header }.to_bytes();
            self.tail += HEADER_LEN + length;
        }
        Ok(length)
    }

    /// Appends a frame without a body.
    pub(super) fn push_empty(&mut self, header: Header) {
        let frame = Header {
            length: 0,
            ..header
        };
        if let Some(room) = self.room(HEADER_LEN) {
            room.copy_from_slice(&frame.to_bytes());
            self.tail += HEADER_LEN;
        }
    }

    /// Room for `count` bytes behind what waits.
    fn room(&mut self, count: usize) -> Option<&mut [u8]> {
        if self.tail + count > self.bytes.len() {
            self.make_room(count);
        }
        self.bytes.get_mut(self.tail..self.tail + count)
    }

    fn make_room(&mut self, count: usize) {
        let waiting = self.tail - self.head;
        if waiting + count <= self.bytes.len() {
            self.bytes.copy_within(self.head..self.tail, 0);
        } else {
            let mut larger = vec![0; (waiting + count).next_power_of_two()];
            if let Some(front) = larger.get_mut(..waiting) {
                front.copy_from_slice(self.waiting());
            }
            self.bytes = larger;
        }
        (self.head, self.tail) = (0, waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_much_took_is_given_back() {
        let mut outbox = Outbox::new(64);
        for _ in 0..100 {
            assert!(outbox.push(1, &Message::Done).is_ok());
        }
        assert!(outbox.bytes.len() > 64);
        let waiting = outbox.waiting().len();
        outbox.sent(waiting);
        assert_eq!((outbox.waiting().len(), outbox.bytes.len()), (0, 64));
    }
}
