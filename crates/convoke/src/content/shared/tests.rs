//! Many readers of one file that the test makes up.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::windows::{AHEAD, KEPT, WINDOWS};
use super::{Disk, PIECE, Place, Shared, Stamp};
use crate::transfer::Pieces;

/// A file whose bytes follow from their place.
#[derive(Debug, Default)]
struct Made {
    size: AtomicU64,
    /// How many bytes more it is said to have.
    lacks: u64,
    is_on_disk: bool,
    modified: AtomicU64,
    changed: AtomicU64,
    reads: AtomicUsize,
    /// How many reads have come to the gate.
    waiting: AtomicUsize,
    /// Where it cannot be read.
    broken_at: Option<u64>,
    /// Reads wait while this is closed.
    gate: (Mutex<bool>, Condvar),
    is_slow: AtomicBool,
}

#[derive(Debug, Clone)]
struct Handle(Arc<Made>);

fn byte(offset: u64) -> u8 {
    (offset ^ (offset >> 8) ^ (offset >> 16)) as u8
}

impl Disk for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (closed, opened) = &self.0.gate;
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        drop(opened.wait_while(closed.lock().unwrap(), |closed| *closed));
        self.0.reads.fetch_add(1, Ordering::Relaxed);
        if self.0.broken_at.is_some_and(|at| offset >= at) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let left = self.0.size.load(Ordering::Relaxed).saturating_sub(offset);
        let bytes = buffer.len().min(usize::try_from(left).unwrap());
        // A disk may give less than was asked for.
        let bytes = match self.0.is_slow.load(Ordering::Relaxed) {
            true => bytes.min(1000),
            false => bytes,
        };
        for (place, byte_there) in (offset..).zip(&mut buffer[..bytes]) {
            *byte_there = byte(place);
        }
        Ok(bytes)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp {
            size: self.0.size.load(Ordering::Relaxed) + self.0.lacks,
            modified: (self.0.modified.load(Ordering::Relaxed) as i64, 0),
            changed: (self.0.changed.load(Ordering::Relaxed) as i64, 0),
        })
    }

    fn is_made_up(&self) -> io::Result<bool> {
        Ok(!self.0.is_on_disk)
    }
}

fn shared(made: Made) -> (Arc<Shared>, Arc<Made>) {
    let made = Arc::new(made);
    let disk = Box::new(Handle(Arc::clone(&made)));
    (Arc::new(Shared::new(disk).unwrap()), made)
}

fn of_size(size: u64) -> Made {
    Made {
        size: size.into(),
        ..Made::default()
    }
}

/// How many pieces are in memory.
fn kept(shared: &Shared) -> usize {
    shared.windows().pieces()
}

/// Reads to the end and checks what comes; how many bytes there were.
async fn drain(mut place: Place, most: usize) -> io::Result<u64> {
    let mut at = place.offset;
    while let Some(piece) = place.next(most).await? {
        assert!(!piece.is_empty() && piece.len() <= most);
        let end = at + piece.len() as u64;
        // All of each would take a debug build long.
        let (head, tail) = (piece.iter().take(64), piece.iter().rev().take(64));
        assert!(head.zip(at..).all(|(is, place)| *is == byte(place)));
        assert!(
            tail.zip((at..end).rev())
                .all(|(is, place)| *is == byte(place))
        );
        at = end;
        // As one that waits for its host.
        tokio::task::yield_now().await;
    }
    Ok(at)
}

#[tokio::test]
async fn every_size_arrives_as_it_is() {
    let piece = PIECE as u64;
    for size in [0, 1, piece - 1, piece, piece + 1, 3 * piece * AHEAD as u64] {
        for most in [1000, PIECE, 4 * PIECE] {
            let (shared, _) = shared(of_size(size));
            let read = drain(Place::first(&shared), most).await.unwrap();
            assert_eq!(read, size);
        }
    }
}

#[tokio::test]
async fn what_nobody_reads_any_more_is_not_kept() {
    let (shared, _) = shared(of_size(3 * PIECE as u64));
    let other = Place::first(&shared);
    drain(Place::first(&shared), PIECE).await.unwrap();
    assert_eq!(kept(&shared), 3);
    drop(other);
    assert_eq!(kept(&shared), 0);
}

#[tokio::test]
async fn hosts_at_the_same_pace_have_it_read_once() {
    let size = 3 * (KEPT * PIECE) as u64 + 5;
    let (shared, _) = shared(of_size(size));
    let hosts = (0..16).map(|_| tokio::spawn(drain(Place::first(&shared), PIECE)));
    for host in hosts.collect::<Vec<_>>() {
        assert_eq!(host.await.unwrap().unwrap(), size);
    }
    assert_eq!(shared.bytes_read(), size);
}

#[tokio::test]
async fn a_slow_host_holds_nobody_and_reads_by_itself() {
    let size = 3 * (KEPT * PIECE) as u64;
    let (shared, made) = shared(of_size(size));
    let mut slow = Place::first(&shared);
    slow.next(10).await.unwrap();
    assert_eq!(drain(Place::first(&shared), PIECE).await.unwrap(), size);
    assert!(kept(&shared) <= KEPT);
    assert_eq!(shared.bytes_read(), size);
    made.is_slow.store(true, Ordering::Relaxed);
    assert_eq!(drain(slow, PIECE).await.unwrap(), size);
    // What was kept at the end was not read again.
    let again = shared.bytes_read() - size;
    assert!(again <= size - (KEPT * PIECE) as u64, "{again}");
}

#[tokio::test]
async fn a_host_that_leaves_in_the_middle_takes_nothing_from_the_others() {
    let size = 40 * PIECE as u64;
    let (shared, made) = shared(of_size(size));
    *made.gate.0.lock().unwrap() = true;
    let leaving = tokio::spawn(drain(Place::first(&shared), PIECE));
    let staying = tokio::spawn(drain(Place::first(&shared), PIECE));
    while made.waiting.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    *made.gate.0.lock().unwrap() = false;
    made.gate.1.notify_all();
    assert_eq!(staying.await.unwrap().unwrap(), size);
    assert_eq!(shared.bytes_read(), size);
}

#[tokio::test]
async fn an_error_of_the_disk_is_everybodys_at_its_place() {
    let (shared, _) = shared(Made {
        broken_at: Some(5 * PIECE as u64),
        ..of_size(40 * PIECE as u64)
    });
    for _ in 0..2 {
        let mut place = Place::first(&shared);
        for _ in 0..5 {
            assert_eq!(place.next(PIECE).await.unwrap().unwrap().len(), PIECE);
        }
        let error = place.next(PIECE).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
    }
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_comes_to_no_end() {
    type Change = fn(&Made);
    let changed = "it changed while it was sent";
    let changes: [(&str, Change, &str); 4] = [
        (
            "shorter",
            |made| made.size.store(70_000, Ordering::Relaxed),
            changed,
        ),
        (
            "longer",
            |made| made.size.store(1 << 60, Ordering::Relaxed),
            "it grew while it was sent",
        ),
        (
            "other",
            |made| made.modified.store(1, Ordering::Relaxed),
            changed,
        ),
        (
            "other, with its time put back",
            |made| made.changed.store(1, Ordering::Relaxed),
            changed,
        ),
    ];
    for (name, change, words) in changes {
        let (shared, made) = shared(of_size(3_000_000));
        let mut place = Place::first(&shared);
        place.next(PIECE).await.unwrap();
        change(&made);
        let error = drain(place, PIECE).await.unwrap_err();
        assert_eq!(error.to_string(), words, "{name}");
        // Whoever comes later is told, too.
        assert!(drain(Place::first(&shared), PIECE).await.is_err(), "{name}");
        assert!(shared.bytes_read() < 7_000_000, "{name}");
    }
}

#[tokio::test]
async fn what_is_shorter_than_announced_is_whole_when_it_did_not_change() {
    // As of what the kernel makes up in `/sys`.
    for (size, announced) in [(0, 4096), (23, 4096), (PIECE as u64, 1 << 30)] {
        let (shared, made) = shared(Made {
            lacks: announced - size,
            ..of_size(size)
        });
        assert_eq!(shared.size(), announced);
        let read = drain(Place::first(&shared), PIECE).await;
        assert_eq!(read.unwrap(), size);
        made.changed.store(1, Ordering::Relaxed);
        assert!(drain(Place::first(&shared), PIECE).await.is_err());
    }
}

#[tokio::test]
async fn what_is_shorter_than_announced_is_not_whole_on_a_disk() {
    // As where a server has cut it and we were not told yet.
    let (shared, _) = shared(Made {
        lacks: 1,
        is_on_disk: true,
        ..of_size(23)
    });
    assert!(drain(Place::first(&shared), PIECE).await.is_err());
}

/// Reads to the end with a pause after each piece.
async fn saunter(mut place: Place, pause: Duration) -> io::Result<()> {
    while place.next(PIECE).await?.is_some() {
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn hosts_half_as_fast_as_the_fastest_share_its_reads() {
    let size = 8 * (KEPT * PIECE) as u64;
    let (shared, _) = shared(of_size(size));
    let paces = [2, 3, 4].map(Duration::from_millis);
    let hosts = paces.map(|pause| tokio::spawn(saunter(Place::first(&shared), pause)));
    for host in hosts {
        host.await.unwrap().unwrap();
    }
    assert_eq!(shared.bytes_read(), size);
}

#[tokio::test(start_paused = true)]
async fn hosts_that_begin_later_share_windows_of_their_own() {
    let size = 8 * (KEPT * PIECE) as u64;
    let (shared, _) = shared(of_size(size));
    let pause = Duration::from_millis(1);
    for generation in 1..=3 {
        let hosts = (0..8).map(|_| tokio::spawn(saunter(Place::first(&shared), pause)));
        for host in hosts.collect::<Vec<_>>() {
            host.await.unwrap().unwrap();
        }
        // What is in memory at the end is not read again.
        let read = shared.bytes_read();
        assert!(read <= generation * size, "{read}");
    }
    assert!(kept(&shared) <= WINDOWS * KEPT);
}

#[tokio::test]
async fn who_has_caught_up_shares_again() {
    let size = 8 * (KEPT * PIECE) as u64;
    let (shared, _) = shared(of_size(size));
    let mut first = Place::first(&shared);
    for _ in 0..4 * KEPT {
        first.next(PIECE).await.unwrap();
    }
    let mut second = Place::first(&shared);
    for _ in 0..4 * KEPT {
        second.next(PIECE).await.unwrap();
    }
    let (one, other) = tokio::join!(drain(first, PIECE), drain(second, PIECE));
    assert_eq!((one.unwrap(), other.unwrap()), (size, size));
    let bound = size + size / 2;
    assert!(shared.bytes_read() <= bound, "{}", shared.bytes_read());
}
