//! A command's output, kept in memory.

use bstr::BString;

use crate::cancel::Cancel;
use crate::event::{Emitter, Kind, Stream};
use crate::outcome::CancelCause;

use super::{Listener, Said};

/// Which output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// All of both streams, when it is not more than so many bytes.
    UpTo(usize),
    /// None: it is read and thrown away.
    Nothing,
}

/// What has come of a command's output.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) stdout: BString,
    pub(crate) stderr: BString,
    capture: Capture,
    cancel: Cancel,
    /// Whether there was more than may be kept.
    pub(crate) is_overfull: bool,
}

impl Captured {
    /// Nothing yet. `cancel` ends the command when it says more than may be kept.
    pub(crate) fn new(capture: Capture, cancel: &Cancel) -> Self {
        Captured {
            stdout: BString::default(),
            stderr: BString::default(),
            capture,
            cancel: cancel.clone(),
            is_overfull: false,
        }
    }

    fn keep(&mut self, stream: Stream, data: &[u8]) {
        let Capture::UpTo(limit) = self.capture else {
            return;
        };
        let kept = self.stdout.len() + self.stderr.len();
        if self.is_overfull || data.len() > limit.saturating_sub(kept) {
            self.is_overfull = true;
            self.cancel.fire(CancelCause::Operator);
            return;
        }
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(data),
            Stream::Stderr => self.stderr.extend_from_slice(data),
        }
    }
}

impl Listener for Captured {
    async fn hear(&mut self, said: Said) {
        match said {
            Said::Started { .. } => {}
            Said::Output { stream, data } => self.keep(stream, &data),
        }
    }
}

impl Listener for Emitter {
    async fn hear(&mut self, said: Said) {
        self.send(match said {
            Said::Started { pid } => Kind::Started { pid },
            Said::Output { stream, data } => Kind::Output { stream, data },
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_beyond_the_limit_ends_the_command() {
        let cancel = Cancel::new();
        let mut captured = Captured::new(Capture::UpTo(5), &cancel);
        captured.keep(Stream::Stdout, b"abc");
        captured.keep(Stream::Stderr, b"de");
        assert!(!captured.is_overfull && !cancel.is_fired());
        captured.keep(Stream::Stdout, b"f");
        assert!(captured.is_overfull && cancel.is_fired());
        assert_eq!(
            (captured.stdout, captured.stderr),
            ("abc".into(), "de".into())
        );
    }

    #[test]
    fn output_that_nobody_wants_is_thrown_away() {
        let cancel = Cancel::new();
        let mut captured = Captured::new(Capture::Nothing, &cancel);
        captured.keep(Stream::Stdout, &[0; 1000]);
        assert!(captured.stdout.is_empty() && !cancel.is_fired());
    }
}
