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
    /// The content that `get` asks for of `file`, which stands at its offset.
    pub(super) fn new(file: File, get: Get) -> Self {
        Content {
            file,
            path: get.path,
            wanted: get.limit.unwrap_or(u64::MAX),
            piece: Vec::new(),
            ended: false,
        }
    }

    /// The piece that was read last.
    pub fn piece(&self) -> &[u8] {
        &self.piece
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
        })? as u64;
        self.wanted -= read;
        self.ended = read < count || self.wanted == 0;
        Ok(())
    }
}
