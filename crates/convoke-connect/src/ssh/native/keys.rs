//! The key files of a run: each is read once, and each passphrase asked for once, for all hosts.

mod form;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::keys::{Certificate, PrivateKey, PublicKey, decode_secret_key};
use zeroize::Zeroizing;

use super::asking::Asking;
use super::shelf::Shelf;
use crate::ask::{Topic, Visible};
use crate::ssh::printable::printable;
use form::Form;

/// The largest file that is looked at for a key, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// How long a file may let its reader wait.
const PATIENCE: Duration = Duration::from_secs(5);

const SLOW: &str = "a file that cannot be read to its end";

/// The key files of a run.
#[derive(Debug, Default)]
pub(in crate::ssh) struct KeyFiles(Shelf<KeyFile>);

/// A file that was named as an identity, and those beside it.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// What is offered; known without the passphrase, save for old forms that stand alone.
    pub(super) offer: Option<Offer>,
    /// `FILE-cert` or `FILE-cert.pub`.
    pub(super) certificate: Option<Certificate>,
    pub(super) private: Private,
    unlocked: OnceLock<Arc<PrivateKey>>,
    /// How many answers were tried on it.
    tried: tokio::sync::Mutex<u32>,
}

/// What a server is offered.
#[derive(Debug, Clone)]
pub(super) enum Offer {
    Key(PublicKey),
    Certificate(Box<Certificate>),
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
    /// Only the system's ssh can use it: it is of this kind.
    Foreign(&'static str),
    /// Not a private key.
    None,
}

/// Why a private key cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// There is none that can be used here.
    NoKey,
    /// Nobody may be asked for its passphrase (`BatchMode`).
    Never,
    /// Nobody is there to type its passphrase.
    Nobody,
    /// Somebody was asked, and typed nothing.
    Untyped,
    /// What was typed was wrong each time.
    Wrong,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl KeyFiles {
    /// The file at `path`, as it was when it was needed first. One that lets its reader wait for too long
    /// is left to ssh.
    pub(super) async fn get(&self, path: &Path) -> Arc<KeyFile> {
        let reading = self.0.fetch(path, KeyFile::read);
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(file) => file,
            Err(_) => self.0.put(path, KeyFile::of(path, Private::Foreign(SLOW))),
        }
    }

    /// Those at `paths`, in that order.
    pub(super) async fn all(&self, paths: &[PathBuf]) -> Vec<Arc<KeyFile>> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            files.push(self.get(path).await);
        }
        files
    }
}

impl Offer {
    /// The key that signs.
    pub(super) fn key(&self) -> PublicKey {
        match self {
            Offer::Key(key) => key.clone(),
            Offer::Certificate(certificate) => PublicKey::from(certificate.public_key().clone()),
        }
    }

    /// The names of what it may sign with, as in `PubkeyAcceptedAlgorithms`.
    pub(super) fn algorithms(&self) -> Vec<String> {
        let (algorithm, suffix) = match self {
            Offer::Key(key) => (key.algorithm(), ""),
            Offer::Certificate(certificate) => (certificate.algorithm(), CERTIFICATE),
        };
        let names = match (algorithm.clone().is_rsa(), self) {
            (true, _) => vec!["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"],
            (false, Offer::Certificate(_)) => return vec![algorithm.to_certificate_type()],
            (false, Offer::Key(_)) => vec![algorithm.as_str()],
        };
        let names = names.into_iter();
        names.map(|name| format!("{name}{suffix}")).collect()
    }
}

/// How the names of algorithms of certificates end.
pub(super) const CERTIFICATE: &str = "-cert-v01@openssh.com";

impl KeyFile {
    fn of(path: &Path, private: Private) -> Self {
        KeyFile {
            path: path.to_owned(),
            offer: None,
            certificate: None,
            private,
            unlocked: OnceLock::new(),
            tried: tokio::sync::Mutex::new(0),
        }
    }

    fn read(path: &Path) -> Self {
        let text = read(path);
        let (private, clear) = match &text {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Private::Absent, None),
            Err(_) => (Private::None, None),
            Ok(Text::TooOpen(text)) => match form::of(text) {
                (Form::None, _) => (Private::None, None),
                (_, clear) => (Private::TooOpen, clear),
            },
            Ok(Text::Ours(text)) => {
                let (form, clear) = form::of(text);
                let private = match form {
                    Form::Plain(key) => Private::Plain(Arc::new(*key)),
                    Form::Locked => Private::Locked(text.clone()),
                    Form::Foreign(kind) => Private::Foreign(kind),
                    Form::None => Private::None,
                };
                (private, clear)
            }
        };
        let itself = || match &text {
            Ok(Text::Ours(text) | Text::TooOpen(text)) => offer_in(text),
            Err(_) => None,
        };
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            offer_in(&fs::read_to_string(name).ok()?)
        };
        let certificate = || match beside("-cert").or_else(|| beside("-cert.pub"))? {
            Offer::Certificate(certificate) => Some(*certificate),
            Offer::Key(_) => None,
        };
        KeyFile {
            // authfile.c, sshkey_load_public: in this order.
            offer: itself()
                .or_else(|| beside(".pub"))
                .or_else(|| clear.map(Offer::Key)),
            certificate: certificate(),
            ..KeyFile::of(path, private)
        }
    }

    /// Whether there is a private key that we can use.
    pub(super) fn may_sign(&self) -> bool {
        matches!(self.private, Private::Plain(_) | Private::Locked(_))
    }

    /// The private key.
    ///
    /// Everybody who needs it asks, so that everybody is known to wait for the operator; but it is asked
    /// once a run, as long as answers are right.
    pub(super) async fn unlock(&self, asking: &Asking<'_>) -> Result<Arc<PrivateKey>, Closed> {
        let text = match &self.private {
            Private::Plain(key) => return Ok(Arc::clone(key)),
            Private::Locked(text) => text,
            _ => return Err(Closed::NoKey),
        };
        if asking.never || asking.prompts == 0 {
            return Err(Closed::Never);
        }
        for wrong in 0..asking.prompts {
            if let Some(key) = self.unlocked.get() {
                return Ok(Arc::clone(key));
            }
            if !asking.answers(Topic::Passphrase, wrong) {
                return Err(Closed::Nobody);
            }
            let what = format!("Enter passphrase for key '{}'", self.shown());
            let secret = (Topic::Passphrase, Visible::No);
            let answer = asking.ask(secret, what, wrong).await;
            self.attempt(text, answer.ok_or(Closed::Untyped)?, wrong)
                .await;
        }
        self.unlocked.get().cloned().ok_or(Closed::Wrong)
    }

    fn shown(&self) -> String {
        printable(&self.path.display().to_string())
    }

    /// Tries an answer, unless somebody else did: it was asked for once for everybody.
    async fn attempt(&self, text: &Zeroizing<String>, answer: Zeroizing<String>, wrong: u32) {
        let mut tried = self.tried.lock().await;
        if *tried > wrong || self.unlocked.get().is_some() {
            return;
        }
        let text = text.clone();
        // It takes a tenth of a second of a processor, on purpose.
        let decoding = tokio::task::spawn_blocking(move || {
            decode_secret_key(&text, Some(answer.as_str())).ok()
        });
        let key = decoding.await.ok().flatten();
        *tried = wrong + 1;
        if let Some(key) = key {
            // Nobody else sets it while the lock is held.
            let _ = self.unlocked.set(Arc::new(key));
        }
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

/// The first public key or certificate in a text, a line each.
fn offer_in(text: &str) -> Option<Offer> {
    let lines = text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.find_map(|line| {
        let certificate = Certificate::from_openssh(line).map(Box::new);
        let offer = certificate.map(Offer::Certificate);
        let key = || PublicKey::from_openssh(line).map(Offer::Key);
        offer.or_else(|_| key()).ok()
    })
}
