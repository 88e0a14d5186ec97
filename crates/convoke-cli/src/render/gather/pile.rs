//! Output that is kept: a little in memory, the rest in a file that has no name.
//!
//! All piles share one file, cut into slots of one size: a run over any number of hosts needs one
//! descriptor, and the slots of output that turned out to be known already are used again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::super::screen::Broken;

/// The size of a slot: large enough that writing and reading are few calls.
const SLOT_BYTES: usize = 256 * 1024;

/// How much all piles together may hold in memory.
const MEMORY_BYTES: usize = 16 << 20;

/// Tells one content from every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

/// Where piles are kept.
pub(super) struct Store {
    directory: PathBuf,
    /// Made when it is needed first.
    file: Option<File>,
    /// Slots below this number have been used.
    used: u64,
    /// Those of them that may be used again.
    free: Vec<u64>,
    /// What all piles have allocated.
    allocated_bytes: usize,
}

/// Output that still comes.
pub(super) struct Pile {
    /// `None` where nothing will be compared.
    digest: Option<blake3::Hasher>,
    kept: Kept,
}

/// Whether piles will be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// They will.
    Wanted,
    /// There is nothing to compare with: all digests are the same.
    Pointless,
}

/// Output that is kept, in order: what is in slots, then what is in memory.
#[derive(Debug, Default)]
pub(super) struct Kept {
    slots: Vec<Slot>,
    memory: Vec<u8>,
}

/// Some bytes in the file.
#[derive(Debug, Clone, Copy)]
struct Slot {
    number: u64,
    bytes: usize,
}

impl Pile {
    /// Nothing has come.
    pub(super) fn new(comparison: Comparison) -> Self {
        Pile {
            digest: (comparison == Comparison::Wanted).then(blake3::Hasher::new),
            kept: Kept::default(),
        }
    }

    /// Keeps more.
    pub(super) fn push(&mut self, data: &[u8], store: &mut Store) -> io::Result<()> {
        if let Some(digest) = &mut self.digest {
            digest.update(data);
        }
        let before = self.kept.memory.capacity();
        self.kept.memory.extend_from_slice(data);
        store.allocated_bytes += self.kept.memory.capacity() - before;
        let is_crowded = store.allocated_bytes > MEMORY_BYTES;
        if is_crowded || self.kept.memory.len() >= SLOT_BYTES {
            store.write(&mut self.kept)?;
        }
        if is_crowded {
            store.shrink(&mut self.kept);
        }
        Ok(())
    }

    /// What has come so far.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Nothing more comes.
    pub(super) fn end(mut self, store: &mut Store) -> (Digest, Kept) {
        store.shrink(&mut self.kept);
        let digest = self
            .digest
            .map_or([0; 32], |digest| digest.finalize().into());
        (Digest(digest), self.kept)
    }
}

impl Kept {
    /// How many bytes there are.
    pub(super) fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.bytes).sum::<usize>() + self.memory.len()
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.memory.is_empty()
    }
}

impl Store {
    /// A store whose file, if one is needed, is in `directory`.
    pub(super) fn new(directory: &Path) -> Self {
        Store {
            directory: directory.to_owned(),
            file: None,
            used: 0,
            free: Vec::new(),
            allocated_bytes: 0,
        }
    }

    /// Moves what is in memory to slots. What cannot be written stays where it is.
    fn write(&mut self, kept: &mut Kept) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile_in(&self.directory)?),
        };
        let mut written = 0;
        let memory = std::mem::take(&mut kept.memory);
        let all = memory.chunks(SLOT_BYTES).try_for_each(|bytes| {
            let number = self.free.pop().unwrap_or_else(|| {
                self.used += 1;
                self.used - 1
            });
            file.write_all_at(bytes, offset(number))?;
            kept.slots.push(Slot {
                number,
                bytes: bytes.len(),
            });
            written += bytes.len();
            Ok(())
        });
        kept.memory = memory;
        kept.memory.drain(..written);
        all
    }

    /// Gives back the memory that holds nothing.
    fn shrink(&mut self, kept: &mut Kept) {
        self.allocated_bytes -= kept.memory.capacity();
        kept.memory.shrink_to_fit();
        self.allocated_bytes += kept.memory.capacity();
    }

    /// Gives back the room of what is not needed any more.
    pub(super) fn forget(&mut self, kept: Kept) {
        self.allocated_bytes -= kept.memory.capacity();
        self.free.extend(kept.slots.iter().map(|slot| slot.number));
    }

    /// Hands out what is kept, piece by piece.
    pub(super) fn read(
        &self,
        kept: &Kept,
        mut take: impl FnMut(&[u8]) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        let mut buffer = vec![0; SLOT_BYTES.min(kept.slots.len() * SLOT_BYTES)];
        for slot in &kept.slots {
            let bytes = &mut buffer[..slot.bytes];
            let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound);
            let read = file
                .map_err(io::Error::from)
                .and_then(|file| file.read_exact_at(bytes, offset(slot.number)));
            read.map_err(|source| Broken::Failed {
                doing: "read back output from a temporary file",
                source,
            })?;
            take(bytes)?;
        }
        take(&kept.memory)
    }
}

fn offset(slot: u64) -> u64 {
    slot * SLOT_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(store: &Store, kept: &Kept) -> Vec<u8> {
        let mut all = Vec::new();
        store
            .read(kept, |bytes| {
                all.extend_from_slice(bytes);
                Ok(())
            })
            .unwrap();
        all
    }

    fn pile(store: &mut Store, data: &[u8], piece: usize) -> (Digest, Kept) {
        let mut pile = Pile::new(Comparison::Wanted);
        for piece in data.chunks(piece) {
            pile.push(piece, store).unwrap();
        }
        pile.end(store)
    }

    #[test]
    fn what_is_kept_comes_back_whole() {
        let mut store = Store::new(&std::env::temp_dir());
        let data: Vec<u8> = (0..3 * SLOT_BYTES + 7)
            .map(|at| ((at * 31) >> 8) as u8)
            .collect();
        for length in [0, 1, SLOT_BYTES - 1, SLOT_BYTES, SLOT_BYTES + 1, data.len()] {
            let (_, kept) = pile(&mut store, &data[..length], 10_007);
            assert_eq!(content(&store, &kept), data[..length], "{length}");
        }
    }

    #[test]
    fn the_digest_does_not_depend_on_the_pieces() {
        let mut store = Store::new(&std::env::temp_dir());
        let data = vec![7; 100_000];
        let (one, _) = pile(&mut store, &data, 100_000);
        let (other, _) = pile(&mut store, &data, 77);
        let (longer, _) = pile(&mut store, &[7; 100_001], 100_000);
        assert_eq!(one, other);
        assert_ne!(one, longer);
    }

    #[test]
    fn little_output_needs_no_file() {
        let mut store = Store::new(Path::new("/nonexistent"));
        let (_, kept) = pile(&mut store, b"a line\n", 3);
        assert_eq!(content(&store, &kept), b"a line\n");
    }

    #[test]
    fn what_cannot_be_written_is_still_there() {
        let mut store = Store::new(Path::new("/nonexistent"));
        let data: Vec<u8> = (0..SLOT_BYTES).map(|at| (at >> 8) as u8).collect();
        let mut pile = Pile::new(Comparison::Wanted);
        pile.push(&data[..1000], &mut store).unwrap();
        assert!(pile.push(&data[1000..], &mut store).is_err());
        assert_eq!(content(&store, pile.kept()), data);
        assert_eq!(pile.kept().bytes(), data.len());
    }

    #[test]
    fn memory_is_bounded_whatever_the_number_of_piles() {
        let mut store = Store::new(&std::env::temp_dir());
        let data = vec![1; 60_000];
        let kept: Vec<Kept> = (0..1000)
            .map(|_| pile(&mut store, &data, 30_000).1)
            .collect();
        let held: usize = kept.iter().map(|kept| kept.memory.capacity()).sum();
        assert_eq!(held, store.allocated_bytes);
        assert!(held <= MEMORY_BYTES + 120_000, "{held} bytes");
        assert!(kept.iter().all(|kept| content(&store, kept) == data));
    }

    #[test]
    fn forgotten_slots_are_used_again() {
        let mut store = Store::new(&std::env::temp_dir());
        let data = vec![1; 4 * SLOT_BYTES];
        for _ in 0..10 {
            let (_, kept) = pile(&mut store, &data, SLOT_BYTES);
            store.forget(kept);
        }
        assert_eq!((store.used, store.allocated_bytes), (4, 0));
    }
}
