//! A file that is sent, piece by piece.

use std::fs::File;
use std::io::Read;

use bstr::BString;
use convoke_proto::file::Get;
use convoke_proto::operation::{Failure, Field, Reason};

/// A file that is being read, and the piece that was read last.
#[derive(Debug)]
pub struct Content {
    file: File,
    path: BString,
    /// How many bytes more are wanted.
    wanted: u64,
    piece: Vec<u8>,
    ended: bool,
}

impl Content {
    /// The content that `get` asks for of `file`, which stands at its offset. No more is sent than the file
    /// held when it was opened, or one that grows as fast as it is read would never end; a size of nothing is
    /// that of files which the kernel writes as they are read.
    pub(super) fn new(file: File, get: Get, size: u64) -> Self {
        let there = match size {
            0 => u64::MAX,
            size => size.saturating_sub(get.offset),
        };
        Content {
            file,
            path: get.path,
            wanted: get.limit.unwrap_or(u64::MAX).min(there),
            piece: Vec::new(),
            ended: false,
        }
    }

    /// The piece that was read last.
    pub fn piece(&self) -> &[u8] {
        &self.piece
    }

    /// Lets go of the piece: what waits for credit must not take its memory along.
    pub fn forget_piece(&mut self) {
        self.piece = Vec::new();
    }

    /// Whether nothing comes after it.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads the next piece: `count` bytes, or less at the end.
    pub(super) fn read(&mut self, count: usize) -> Result<(), Failure> {
        let count = self.wanted.min(count as u64);
        self.piece.clear();
        self.piece.reserve_exact(count as usize);
        let read = (&mut self.file).take(count).read_to_end(&mut self.piece);
        let read = read.map_err(|error| Failure {
            field: Field::Content,
            value: self.path.clone(),
            reason: Reason::Errno(error.raw_os_error().unwrap_or(libc::EIO)),
            path: None,
        })? as u64;
        self.wanted -= read;
        self.ended = read < count || self.wanted == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn content(file: &File, size: u64, offset: u64) -> Content {
        let get = Get {
            path: "x".into(),
            offset,
            limit: None,
        };
        Content::new(file.try_clone().unwrap(), get, size)
    }

    #[test]
    fn a_file_that_grows_ends_where_it_did() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"12345").unwrap();
        for (size, offset, read, has_ended) in [
            (3, 0, 3, true),
            (3, 1, 2, true),
            (3, 9, 0, true),
            (9, 0, 4, false),
            (0, 0, 4, false),
        ] {
            std::io::Seek::rewind(&mut file).unwrap();
            let mut content = content(&file, size, offset);
            content.read(4).unwrap();
            assert_eq!(
                (content.piece().len(), content.has_ended()),
                (read, has_ended)
            );
        }
    }
}
