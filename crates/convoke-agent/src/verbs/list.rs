//! What is in a directory.

use std::os::fd::{AsFd, OwnedFd};

use bstr::BString;
use convoke_proto::file::{Entry, Stat};
use convoke_proto::operation::{Answer, Failure, Reason};
use rustix::fs::{AtFlags, CWD, FileType, RawDir, statat};
use rustix::io::Errno;

use super::path::{Hold, Place, kind, open_directory};
use super::{PART, Say, Verbs, say_part};

/// How many bytes of names a directory may hold to be listed: some millions of entries.
const MAX_NAMES: usize = 64 * 1024 * 1024;

/// What an entry takes besides its texts, in bytes, at most.
const ENTRY: usize = 100;

impl Verbs {
    /// Entries in parts, sorted by name. One that vanishes meanwhile is left out.
    pub(super) fn list(&self, path: &[u8], say: Say<'_>) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        let directory = open_directory(CWD, place.bytes(), Hold::Read);
        let directory = directory.map_err(|errno| place.refused(errno))?;
        let names = Names::of(&directory, &place)?;
        let (mut part, mut size) = (Vec::new(), 0);
        for name in names.sorted() {
            let stat = match self.entry(&directory, name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(place.inside(name).refused(errno)),
            };
            let name = BString::from(name);
            size += name.len() + ENTRY + texts(&stat);
            part.push(Entry { name, stat });
            if size >= PART {
                size = 0;
                say_part(say, Answer::Entries(std::mem::take(&mut part)))?;
            }
        }
        Ok(Answer::Entries(part))
    }

    fn entry(&self, directory: &OwnedFd, name: &[u8]) -> Result<Stat, Errno> {
        let raw = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match kind(&raw) {
            FileType::Symlink => self.of_link(directory, name),
            _ => Ok(self.of(&raw)),
        }
    }
}

fn texts(stat: &Stat) -> usize {
    let target = stat.target.as_ref().map_or(0, |target| target.len());
    stat.owner.len() + stat.group.len() + target
}

/// The names in a directory, one behind the other: a million of them must not be a million allocations.
struct Names {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    fn of(directory: &OwnedFd, place: &Place) -> Result<Self, Failure> {
        let mut names = Names {
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        loop {
            let batch = next_batch(directory).map_err(|errno| place.refused(errno))?;
            if batch.is_empty() {
                return Ok(names);
            }
            for (name, _) in batch {
                names.bytes.extend_from_slice(&name);
                names.ends.push(names.bytes.len());
            }
            if names.bytes.len() > MAX_NAMES {
                return Err(place.failure(Reason::TooLong));
            }
        }
    }

    fn sorted(&self) -> Vec<&[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        let bounds = starts.zip(&self.ends);
        let mut names: Vec<_> = bounds
            .filter_map(|(start, end)| self.bytes.get(start..*end))
            .collect();
        names.sort_unstable();
        names
    }
}

/// The next names from where the directory stands, about a thousand, each with its type where the file
/// system tells; never `.` and `..`. None are left when there are none.
pub(super) fn next_batch(directory: impl AsFd) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut batch = Vec::new();
    while batch.is_empty() || !entries.is_buffer_empty() {
        let entry = match entries.next() {
            None => break,
            Some(Err(Errno::INTR)) => continue,
            Some(entry) => entry?,
        };
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            batch.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(batch)
}
