//! Finds the script's answers in what a connection says: bytes in, answers out, no I/O.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

use bstr::ByteSlice as _;
use bytes::BytesMut;

use crate::bootstrap::Nonce;
use crate::printable::printable;

/// How much a login shell may say before the script does: messages of the day, start-up files.
const NOISE_LIMIT: usize = 64 * 1024;

/// The longest answer line; the longest there is names a platform nobody knows.
const LINE_LIMIT: usize = 512;

/// How much of the noise an error quotes.
const QUOTED: usize = 200;

/// What the script says, after the nonce and a blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// The agent is there; what follows is its wire.
    Have { platform: String },
    /// The agent is to be sent.
    Need { platform: String, form: Form },
    /// It has arrived; what follows is its wire.
    Ready,
    /// It has not; so many bytes were stored.
    Bad { stored: String },
    /// The machine is none that we have an agent for.
    Unknown { uname: String },
    /// The reason for each place, by number.
    Nowhere { reasons: Vec<usize> },
}

/// How the agent is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Gzip,
    Raw,
}

/// The bytes of a connection until the agent takes over.
///
/// An answer is a line that begins with the nonce and a blank, wherever on a line of the shell's own
/// that comes: noise need not end with a line end. Lines that begin so and are no answer are noise.
#[derive(Debug)]
pub(super) struct Scan {
    marker: String,
    unread: BytesMut,
    noise: usize,
    last_noise: Vec<u8>,
}

impl Scan {
    pub(super) fn new(nonce: &Nonce) -> Self {
        Scan {
            marker: format!("{} ", nonce.as_str()),
            unread: BytesMut::new(),
            noise: 0,
            last_noise: Vec::new(),
        }
    }

    /// Where bytes of the connection are to be appended.
    pub(super) fn unread(&mut self) -> &mut BytesMut {
        &mut self.unread
    }

    /// What follows the last reply.
    pub(super) fn rest(self) -> BytesMut {
        self.unread
    }

    /// Whether there was more noise than a shell may make.
    pub(super) fn is_exhausted(&self) -> bool {
        self.noise > NOISE_LIMIT
    }

    /// The next reply, when it is there in full. Noise before it is dropped.
    pub(super) fn next(&mut self) -> Option<Reply> {
        while let Some(start) = self.unread.find(&self.marker) {
            self.skip(start);
            let line = self.unread.get(self.marker.len()..)?;
            match line.find_byte(b'\n') {
                Some(end) if end <= LINE_LIMIT => {
                    let reply = line.get(..end).and_then(Reply::parse);
                    if let Some(reply) = reply {
                        let _ = self.unread.split_to(self.marker.len() + end + 1);
                        return Some(reply);
                    }
                }
                None if line.len() <= LINE_LIMIT => return None,
                _ => {}
            }
            self.skip(self.marker.len());
        }
        // The last bytes may be the first ones of the marker.
        self.skip((self.unread.len() + 1).saturating_sub(self.marker.len()));
        None
    }

    /// The last words of a shell that never answered, safe to print; absent when it said nothing.
    pub(super) fn last_words(&self) -> Option<String> {
        let mut words = self.last_noise.clone();
        words.extend_from_slice(&self.unread);
        let from = words.len().saturating_sub(QUOTED);
        let words = words.get(from..).unwrap_or_default().trim_ascii();
        (!words.is_empty()).then(|| printable(words))
    }

    fn skip(&mut self, len: usize) {
        let skipped = self.unread.split_to(len);
        self.noise += len;
        self.last_noise.extend_from_slice(&skipped);
        let surplus = self.last_noise.len().saturating_sub(QUOTED);
        self.last_noise.drain(..surplus);
    }
}

impl Reply {
    /// Understands a line, without the nonce.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = str::from_utf8(line).ok()?;
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest_owned = || rest.to_owned();
        Some(match word {
            "have" if is_word(rest) => Reply::Have {
                platform: rest_owned(),
            },
            "need" => {
                let (platform, form) = rest.split_once(' ')?;
                let platform = is_word(platform).then(|| platform.to_owned())?;
                let form = Form::parse(form)?;
                Reply::Need { platform, form }
            }
            "ready" if rest.is_empty() => Reply::Ready,
            "bad" => Reply::Bad {
                stored: printable(rest.as_bytes()),
            },
            "unknown" => Reply::Unknown {
                uname: printable(rest.as_bytes()),
            },
            "nowhere" => {
                let reasons = rest.split_ascii_whitespace().map(str::parse);
                let reasons = reasons.collect::<Result<_, _>>().ok()?;
                Reply::Nowhere { reasons }
            }
            _ => return None,
        })
    }
}

impl Form {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "gz" => Some(Form::Gzip),
            "raw" => Some(Form::Raw),
            _ => None,
        }
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
