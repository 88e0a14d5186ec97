//! What is in a directory.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bstr::BString;
use convoke_proto::file::{Entry, Stat};
use convoke_proto::operation::{Answer, Failure, Reason};
use rustix::fs::{AtFlags, CWD, FileType, RawDir, statat};
use rustix::io::Errno;

use super::path::{Hold, Place, kind, open_directory};
use super::stat::file_kind;
use super::{PART, Say, Verbs, say_part};

/// How many bytes of names a directory may hold to be listed: some millions of entries.
const MAX_NAMES: usize = 64 * 1024 * 1024;

/// How many bytes the names of all listings under way may take.
const MAX_HELD: usize = 192 * 1024 * 1024;

/// What an entry takes besides its texts, in bytes, at most.
const ENTRY: usize = 100;

/// A directory of which part is told: the rest can be told later, by any thread.
#[derive(Debug)]
pub struct Listing {
    directory: OwnedFd,
    names: Names,
    /// How many of the names are told.
    told: usize,
}

/// What comes next of a directory.
#[derive(Debug)]
pub enum Told {
    /// Some entries; more follow.
    Part(Answer),
    /// The rest.
    Last(Answer),
}

impl Listing {
    /// The next entries, some hundred, sorted by name. One that vanished meanwhile is left out; of one that
    /// cannot be looked at, only its kind is told, as far as the directory says it, and no owner.
    pub fn next(&mut self, verbs: &Verbs) -> Told {
        let (mut part, mut size) = (Vec::new(), 0);
        while let Some((name, kind)) = self.names.nth(self.told) {
            self.told += 1;
            let stat = match verbs.entry(&self.directory, name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(_) => Stat::unknown(file_kind(kind)),
            };
            let name = BString::from(name);
            size += name.len() + ENTRY + texts(&stat);
            part.push(Entry { name, stat });
            if size >= PART {
                return Told::Part(Answer::Entries(part));
            }
        }
        Told::Last(Answer::Entries(part))
    }
}

impl Verbs {
    /// Opens a directory and reads its names, to tell what they are in parts.
    ///
    /// # Errors
    /// What the kernel refuses, or more names than an agent holds: of one directory (too long), or of all
    /// that are listed now (`ENOMEM`).
    pub fn listing(&self, path: &[u8]) -> Result<Listing, Failure> {
        let place = self.place(path)?;
        let directory = open_directory(CWD, place.bytes(), Hold::Read);
        let directory = directory.map_err(|errno| place.refused(errno))?;
        let names = Names::of(&directory, &place, self.held.clone())?;
        Ok(Listing {
            directory,
            names,
            told: 0,
        })
    }

    /// Entries in parts.
    pub(super) fn list(&self, path: &[u8], say: Say<'_>) -> Result<Answer, Failure> {
        let mut listing = self.listing(path)?;
        loop {
            match listing.next(self) {
                Told::Part(part) => say_part(say, part)?,
                Told::Last(rest) => return Ok(rest),
            }
        }
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
#[derive(Debug)]
struct Names {
    bytes: Vec<u8>,
    /// Where each begins and ends, and its type if the file system tells, in the order of the names.
    bounds: Vec<(u32, u32, FileType)>,
    held: Held,
}

impl Names {
    fn of(directory: &OwnedFd, place: &Place, all: Arc<AtomicUsize>) -> Result<Self, Failure> {
        let mut names = Names {
            bytes: Vec::new(),
            bounds: Vec::new(),
            held: Held { all, own: 0 },
        };
        loop {
            let batch = next_batch(directory).map_err(|errno| place.refused(errno))?;
            if batch.is_empty() {
                break;
            }
            for (name, kind) in batch {
                let start = names.bytes.len();
                names.bytes.extend_from_slice(&name);
                let end = names.bytes.len();
                names.bounds.push((start as u32, end as u32, kind));
            }
            // Far below what the bounds can say.
            if names.bytes.len() > MAX_NAMES {
                return Err(place.failure(Reason::TooLong));
            }
            let bounds = names.bounds.len() * size_of::<(u32, u32, FileType)>();
            if !names.held.grow(names.bytes.len() + bounds) {
                return Err(place.refused(Errno::NOMEM));
            }
        }
        let Names { bytes, bounds, .. } = &mut names;
        bounds.sort_unstable_by_key(|(start, end, _)| bytes.get(*start as usize..*end as usize));
        Ok(names)
    }

    fn nth(&self, index: usize) -> Option<(&[u8], FileType)> {
        let (start, end, kind) = *self.bounds.get(index)?;
        let name = self.bytes.get(start as usize..end as usize)?;
        Some((name, kind))
    }
}

/// What one listing takes of the memory that all of them share; given back when it is dropped.
#[derive(Debug)]
struct Held {
    all: Arc<AtomicUsize>,
    own: usize,
}

impl Held {
    /// Takes `size` bytes in all; whether there are so many.
    fn grow(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.own);
        self.own += more;
        self.all
            .fetch_add(more, Ordering::Relaxed)
            .saturating_add(more)
            <= MAX_HELD
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::Relaxed);
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
