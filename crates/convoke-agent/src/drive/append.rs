//! Reads from a descriptor behind what a buffer holds.
//!
//! `unsafe` because a buffer has no safe door to memory that nobody has written yet, and to write it first would
//! cost as much again as the read: where much comes, each byte is written twice.
#![allow(unsafe_code)]

use std::os::fd::AsFd;

use bytes::BytesMut;
use rustix::io::{Errno, read};

/// Appends what one read gives, at most `most` bytes and no more than there is room for; how many these were: none
/// at the end, or without room.
pub(super) fn append(from: impl AsFd, buffer: &mut BytesMut, most: usize) -> Result<usize, Errno> {
    let room = buffer.spare_capacity_mut();
    let most = most.min(room.len());
    let (room, _) = room.split_at_mut(most);
    let (bytes, _) = read(from, room)?;
    let count = bytes.len();
    // SAFETY: so many bytes behind the buffer's own were just read, and its capacity goes beyond them.
    unsafe { buffer.set_len(buffer.len() + count) };
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn bytes_come_behind_those_that_were_there() {
        let (from, mut to) = std::io::pipe().unwrap();
        to.write_all(b"first, then").unwrap();
        let mut buffer = BytesMut::with_capacity(64);
        buffer.extend_from_slice(b"at ");
        assert_eq!(append(&from, &mut buffer, 5), Ok(5));
        assert_eq!(buffer, "at first");
        assert_eq!(append(&from, &mut buffer, 1000), Ok(6));
        assert_eq!(buffer, "at first, then");
        drop(to);
        assert_eq!(append(&from, &mut buffer, 1000), Ok(0));
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let (from, mut to) = std::io::pipe().unwrap();
        to.write_all(&[b'x'; 100]).unwrap();
        let mut buffer = BytesMut::with_capacity(16);
        let capacity = buffer.capacity();
        assert_eq!(append(&from, &mut buffer, 100), Ok(capacity));
        assert_eq!((buffer.len(), buffer.capacity()), (capacity, capacity));
    }

    #[test]
    fn a_read_that_fails_leaves_the_buffer_as_it_was() {
        let mut buffer = BytesMut::with_capacity(16);
        buffer.extend_from_slice(b"kept");
        let directory = std::fs::File::open("/").unwrap();
        assert_eq!(append(&directory, &mut buffer, 8), Err(Errno::ISDIR));
        assert_eq!(buffer, "kept");
    }
}
