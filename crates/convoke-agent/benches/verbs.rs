//! What operations cost without the wire: facts about files, small uploads, digests.
//!
//! Works in the directory that is given, else in the one for temporary files; a tmpfs shows our own
//! part. Prints microseconds for one operation, the best of several rounds, and for digests MB/s.
#![allow(clippy::unwrap_used)] // A measurement that fails has nothing to say.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use bstr::BString;
use convoke_agent::errand::Errands;
use convoke_agent::order::Login;
use convoke_agent::verbs::{OpenFiles, Verbs};
use convoke_proto::file::{Digest, Durability, Follow, NewFile, Ownership};
use convoke_proto::operation::{Operation, Record};

const EACH: usize = 2_000;
const ROUNDS: usize = 9;
const LARGE: usize = 64 * 1024 * 1024;

struct NoFiles;

impl OpenFiles for NoFiles {
    fn file(&self, _channel: u32) -> Option<Arc<File>> {
        None
    }
}

fn main() {
    let given = std::env::args().skip(1).find(|word| word.starts_with('/'));
    let above = given.map_or_else(std::env::temp_dir, Into::into);
    let scratch = tempfile::tempdir_in(above).unwrap();
    let verbs = Verbs::new(Login::of_this_process(), Arc::new(Errands::default()));
    let at = |name: String| {
        BString::from(
            scratch
                .path()
                .join(name)
                .into_os_string()
                .into_encoded_bytes(),
        )
    };

    report("a stat", &verbs, |_| {
        stat(b"/etc/passwd".into(), Vec::new())
    });
    let count = std::cell::Cell::new(0);
    report("a new file of 1 KiB", &verbs, |_| {
        count.set(count.get() + 1);
        put(at(format!("new{}", count.get())), Durability::Unsynced)
    });
    report("a replaced file of 1 KiB", &verbs, |index| {
        put(at(format!("new{}", index + 1)), Durability::Unsynced)
    });
    digests(&verbs, scratch.path());
}

fn stat(path: BString, digests: Vec<Digest>) -> Operation {
    Operation::Stat {
        path,
        follow: Follow::Yes,
        digests,
    }
}

fn put(path: BString, durability: Durability) -> Operation {
    Operation::Put {
        file: NewFile {
            path,
            inside: None,
            mode: None,
            ownership: Ownership::default(),
            durability,
        },
        content: vec![7; 1024].into(),
    }
}

fn report(what: &str, verbs: &Verbs, operation: impl Fn(usize) -> Operation) {
    let round = |_| {
        let operations: Vec<_> = (0..EACH).map(&operation).collect();
        let start = Instant::now();
        operations.into_iter().for_each(|one| perform(verbs, one));
        start.elapsed().as_secs_f64() * 1e6 / EACH as f64
    };
    let best = (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min);
    println!("{what:26} {best:8.2} µs");
}

fn digests(verbs: &Verbs, scratch: &Path) {
    let path = scratch.join("large");
    std::fs::write(&path, vec![7; LARGE]).unwrap();
    let path = BString::from(path.into_os_string().into_encoded_bytes());
    for digest in Digest::ALL {
        let start = Instant::now();
        perform(verbs, stat(path.clone(), vec![digest]));
        let speed = LARGE as f64 / start.elapsed().as_secs_f64() / 1e6;
        println!("{:26} {speed:8.0} MB/s", digest.as_str());
    }
}

fn perform(verbs: &Verbs, operation: Operation) {
    verbs.perform(
        operation,
        &NoFiles,
        &AtomicBool::new(false),
        &mut |record| {
            assert!(matches!(record, Record::Last(_)), "{record:?}");
            true
        },
    );
}
