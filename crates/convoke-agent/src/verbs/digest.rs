//! Digests of a file's content, all in one pass.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use bstr::BString;
use convoke_proto::file::Digest;
use rustix::io::{Errno, read};
use sha2::{Digest as _, Sha256, Sha512};

/// How much is read at once, in bytes.
const CHUNK: usize = 128 * 1024;

enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
    Blake3(Box<blake3::Hasher>),
}

/// The digests of all that can be read from `file`, each once, in the order in which they are wanted;
/// `ECANCELED` once `stop` is set.
pub(super) fn of(
    file: impl AsFd,
    wanted: &[Digest],
    stop: &AtomicBool,
) -> Result<Vec<(Digest, BString)>, Errno> {
    let mut hashers: Vec<(Digest, Hasher)> = Vec::new();
    for digest in wanted {
        if hashers.iter().all(|(other, _)| other != digest) {
            hashers.push((*digest, Hasher::new(*digest)));
        }
    }
    let mut chunk = vec![0; CHUNK];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Errno::CANCELED);
        }
        let count = match read(&file, &mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        let bytes = chunk.get(..count).unwrap_or_default();
        hashers
            .iter_mut()
            .for_each(|(_, hasher)| hasher.update(bytes));
    }
    let finished = hashers.into_iter();
    Ok(finished
        .map(|(digest, hasher)| (digest, hasher.finish()))
        .collect())
}

impl Hasher {
    fn new(digest: Digest) -> Self {
        match digest {
            Digest::Sha256 => Hasher::Sha256(Sha256::new()),
            Digest::Sha512 => Hasher::Sha512(Sha512::new()),
            Digest::Blake3 => Hasher::Blake3(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
            Hasher::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    fn finish(self) -> BString {
        match self {
            Hasher::Sha256(hasher) => hasher.finalize().to_vec().into(),
            Hasher::Sha512(hasher) => hasher.finalize().to_vec().into(),
            Hasher::Blake3(hasher) => hasher.finalize().as_bytes().to_vec().into(),
        }
    }
}
