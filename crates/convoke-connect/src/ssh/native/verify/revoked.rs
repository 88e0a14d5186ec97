//! Keys that are refused wherever they turn up: the files of `RevokedHostKeys`.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use russh::keys::ssh_key::public::KeyData;

use crate::ssh::native::known_hosts::{NoKey, plain, read_key};
use crate::ssh::native::shelf::Shelf;

/// How a list of revoked keys in a form of its own begins, which only ssh reads.
const KRL: &[u8] = b"SSHKRL\n\0";

/// The files of a run, each read once.
#[derive(Debug, Default)]
pub(super) struct Blacklists {
    lists: Shelf<Blacklist>,
}

/// The keys of one file.
#[derive(Debug, Default)]
struct Blacklist {
    keys: HashSet<KeyData>,
    /// Why the file says nothing of other keys.
    broken: Option<String>,
}

/// What a file says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Nothing,
    Revoked,
    /// It cannot be told.
    Broken(String),
}

impl Blacklists {
    /// What `file` says of any of these keys.
    pub(super) fn of<'a>(&self, file: &Path, keys: impl IntoIterator<Item = &'a KeyData>) -> Word {
        let list = self.lists.get(file, Blacklist::read);
        let is_revoked = keys.into_iter().any(|key| list.keys.contains(key));
        match &list.broken {
            _ if is_revoked => Word::Revoked,
            Some(why) => Word::Broken(why.clone()),
            None => Word::Nothing,
        }
    }

    /// Reads a file, without waiting for it here.
    pub(super) async fn open(&self, file: &Path) {
        self.lists.fetch(file, Blacklist::read).await;
    }
}

impl Blacklist {
    fn read(file: &Path) -> Self {
        match fs::read(file) {
            Ok(text) => Blacklist::parse(&text),
            Err(error) => Blacklist::broken(&error.to_string()),
        }
    }

    fn broken(why: &str) -> Self {
        Blacklist {
            broken: Some(why.to_owned()),
            ..Blacklist::default()
        }
    }

    /// The keys up to the first line that ssh cannot read.
    fn parse(text: &[u8]) -> Self {
        if text.starts_with(KRL) {
            return Blacklist::broken("a KRL is read by ssh only");
        }
        let mut list = Blacklist::default();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            // For ssh the text of a line ends at a NUL.
            let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
            let begin = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'));
            match begin.and_then(|at| line.get(at..)) {
                None | Some([] | [b'#', ..]) => {}
                Some(line) => match read_key(line) {
                    Ok(key) => drop(list.keys.insert(plain(key.key_data()).clone())),
                    Err(NoKey::Short) => {}
                    Err(NoKey::Unreadable) => {
                        list.broken = Some(format!("line {} is no key", index + 1));
                        break;
                    }
                },
            }
        }
        list
    }
}

/// Whether only ssh can read the file.
pub(in crate::ssh) fn is_for_ssh_alone(file: &Path) -> bool {
    use std::io::Read as _;
    // A pipe would be waited for.
    if !file.is_file() {
        return false;
    }
    let mut begin = Vec::new();
    let file = fs::File::open(file);
    let read = file.and_then(|file| file.take(KRL.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == KRL
}
