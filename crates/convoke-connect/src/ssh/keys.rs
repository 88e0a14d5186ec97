//! The key files of a run: each is read once, and each passphrase asked for once, for all hosts.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{Certificate, PrivateKey, PublicKey, decode_secret_key};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::ask::{Ask, Question, Visible};

/// The largest file that is looked at for a key, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The key files of a run.
#[derive(Debug, Default)]
pub(super) struct KeyFiles {
    files: Mutex<HashMap<PathBuf, Arc<KeyFile>>>,
}

/// A file that was named as an identity, and those beside it.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// Known without the passphrase, save for old formats.
    pub(super) public: Option<PublicKey>,
    /// `FILE-cert.pub`.
    pub(super) certificate: Option<Certificate>,
    pub(super) private: Private,
    unlocked: OnceCell<Option<Arc<PrivateKey>>>,
}

/// The private key of a file.
pub(super) enum Private {
    Plain(Arc<PrivateKey>),
    /// A passphrase is needed for it.
    Locked(Zeroizing<String>),
    /// Others can read it, so it is not used.
    TooOpen,
    /// There is no such file.
    Absent,
    /// Not a private key, or not of a kind that is understood.
    Other,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl KeyFiles {
    /// The file at `path`, as it was when it was needed first.
    pub(super) fn get(&self, path: &Path) -> Arc<KeyFile> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(path) {
            return Arc::clone(file);
        }
        let file = Arc::new(KeyFile::read(path));
        files.insert(path.to_owned(), Arc::clone(&file));
        file
    }
}

impl KeyFile {
    fn read(path: &Path) -> Self {
        let text = read(path);
        let mut public = None;
        let private = match &text {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Private::Absent,
            Err(_) => Private::Other,
            Ok(Text::TooOpen(text)) => {
                public = public_of(text);
                match text.contains("PRIVATE KEY-----") {
                    true => Private::TooOpen,
                    false => Private::Other,
                }
            }
            Ok(Text::Ours(text)) => {
                public = public_of(text);
                match decode_secret_key(text, None) {
                    Ok(key) => {
                        public = public.or_else(|| Some(key.public_key().clone()));
                        Private::Plain(Arc::new(key))
                    }
                    Err(russh::keys::Error::KeyIsEncrypted) => Private::Locked(text.clone()),
                    Err(_) => Private::Other,
                }
            }
        };
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            fs::read_to_string(name).ok()
        };
        let public = public.or_else(|| public_of(&beside(".pub")?));
        let certificate = beside("-cert.pub");
        KeyFile {
            path: path.to_owned(),
            public,
            certificate: certificate.and_then(|text| Certificate::from_openssh(&text).ok()),
            private,
            unlocked: OnceCell::new(),
        }
    }

    /// The private key; none when it cannot be had. Asks at most once a run, whoever needs it first.
    pub(super) async fn unlock(&self, ask: &dyn Ask) -> Option<Arc<PrivateKey>> {
        let text = match &self.private {
            Private::Plain(key) => return Some(Arc::clone(key)),
            Private::Locked(text) => text,
            _ => return None,
        };
        let unlocked = self.unlocked.get_or_init(async || {
            let question = Question {
                what: format!("passphrase of {}", self.path.display()),
                visible: Visible::No,
            };
            let answer = ask.ask(&question).await.ok()?;
            let text = text.clone();
            // It takes a tenth of a second of a processor, on purpose.
            let decoding = tokio::task::spawn_blocking(move || {
                decode_secret_key(&text, Some(answer.as_str())).ok()
            });
            decoding.await.ok().flatten().map(Arc::new)
        });
        unlocked.await.clone()
    }
}

enum Text {
    Ours(Zeroizing<String>),
    /// It is ours, and others can read it.
    TooOpen(Zeroizing<String>),
}

fn read(path: &Path) -> io::Result<Text> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    let mut text = Zeroizing::new(String::new());
    file.take(LARGEST).read_to_string(&mut text)?;
    // authfile.c: only of a file that is ours the mode is looked at.
    let is_ours = about.uid() == rustix::process::getuid().as_raw();
    match is_ours && about.mode() & 0o077 != 0 {
        true => Ok(Text::TooOpen(text)),
        false => Ok(Text::Ours(text)),
    }
}

/// The public key in a file: a private key of OpenSSH's format holds it in the clear, and a file may be
/// nothing else.
fn public_of(text: &str) -> Option<PublicKey> {
    if let Ok(key) = PrivateKey::from_openssh(text) {
        return Some(key.public_key().clone());
    }
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    PublicKey::from_openssh(line).ok()
}

/// The certificates in a file that was named for them.
pub(super) fn certificate(path: &Path) -> Option<Certificate> {
    Certificate::from_openssh(&fs::read_to_string(path).ok()?).ok()
}
