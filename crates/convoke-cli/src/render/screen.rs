//! Our stdout and stderr as one place, where text of both keeps its order and the progress line is never
//! in the way.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use convoke::event::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::sink::{Descriptor, Sink};
use crate::config::Paper;
use crate::exit::Stop;

/// Erases the progress line: the cursor stands at its start, and nothing is below. Where the terminal has become
/// narrower meanwhile and broken the line, that takes away all of it.
const ERASE: &[u8] = b"\r\x1b[J";

/// Where the text of a run goes.
pub(crate) struct Screen {
    out: Sink,
    err: Sink,
    ground: Ground,
    line: Line,
}

/// Whether stdout and stderr lead to the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// They do: what is written to one must not overtake the other.
    Shared,
    /// They do not.
    Apart,
}

/// Whether a progress line is on the screen. Clones know the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line(Arc<Mutex<Place>>);

/// Where a progress line may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// None is there.
    #[default]
    Free,
    /// One is there.
    Taken,
    /// None is there, and none may be: the terminal is somebody else's for now.
    Lent,
}

impl Line {
    fn is_shown(&self) -> bool {
        *self.place() == Place::Taken
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says last words without the screen, whose thread may be stuck; the progress line goes, or the echo of a key
    /// gets a line of its own. Never waits for the terminal.
    pub(crate) fn leave(&self, words: &str, paper: Paper) {
        let stderr = rustix::stdio::stderr();
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        if poll(&mut ready, Some(&Timespec::default())) != Ok(1) {
            return;
        }
        let before = match self.0.try_lock() {
            Ok(place) if *place == Place::Taken => ERASE,
            _ if paper.is_terminal() => b"\n",
            _ => b"",
        };
        let text = [before, words.as_bytes()].concat();
        // Whether it could be said does not change how we leave.
        let _ = Descriptor(stderr).write_all(&text);
    }

    /// Takes the line away until [`Line::take_back`], without the screen. When that is writing a line and is stuck in it,
    /// the line stays.
    pub(crate) fn lend(&self) {
        // It is written in less than this, or not at all for now.
        for _ in 0..20 {
            if let Ok(mut place) = self.0.try_lock() {
                if *place == Place::Taken {
                    let _ = Descriptor(rustix::stdio::stderr()).write_all(ERASE);
                }
                *place = Place::Lent;
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// From now on a line may be shown again.
    pub(crate) fn take_back(&self) {
        let mut place = self.place();
        if *place == Place::Lent {
            *place = Place::Free;
        }
    }
}

/// Why nothing more can be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// Nobody reads it any more.
    #[error("nobody reads our output any more")]
    Closed,
    /// It cannot be written, or not be kept until it is.
    #[error("failed to {doing}: {}", crate::error::in_words(source))]
    Failed {
        /// What failed.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl From<io::Error> for Broken {
    fn from(source: io::Error) -> Self {
        match Stop::of_write(&source) {
            Stop::OutputClosed => Broken::Closed,
            _ => Broken::Failed {
                doing: "write the output",
                source,
            },
        }
    }
}

impl Screen {
    /// The stdout and stderr of this process.
    pub(crate) fn of_this_process(line: Line) -> Self {
        let (out, err) = (rustix::stdio::stdout(), rustix::stdio::stderr());
        let place = |fd| {
            rustix::fs::fstat(fd)
                .ok()
                .map(|stat| (stat.st_dev, stat.st_ino))
        };
        let ground = match place(out) == place(err) {
            true => Ground::Shared,
            false => Ground::Apart,
        };
        Screen {
            out: Sink::new(Descriptor(out)),
            err: Sink::new(Descriptor(err)),
            ground,
            line,
        }
    }

    /// The sink for a stream, with the way cleared: the progress line is gone, and what waits for the
    /// other stream at the same place is written.
    pub(crate) fn sink(&mut self, stream: Stream) -> Result<&mut Sink, Broken> {
        self.erase();
        let (sink, other) = match stream {
            Stream::Stdout => (&mut self.out, &mut self.err),
            Stream::Stderr => (&mut self.err, &mut self.out),
        };
        if self.ground == Ground::Shared && !other.is_empty() {
            other.flush()?;
        }
        Ok(sink)
    }

    /// Says lines where a key was echoed: the echo goes with the progress line, or gets a line of its own.
    pub(crate) fn interject(&mut self, lines: &str) {
        match self.line.is_shown() {
            true => self.say(lines),
            false => self.say(&format!("\n{lines}")),
        }
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> Result<(), Broken> {
        self.out.flush()?;
        Ok(self.err.flush()?)
    }

    /// Writes lines of our own to stderr, on a line of their own where stdout is seen at the same place.
    /// That they cannot be written changes nothing.
    pub(crate) fn say(&mut self, lines: &str) {
        if lines.is_empty() {
            return;
        }
        // Who closed stdout hears of it where output is written.
        let _ = self.out.flush();
        self.erase();
        if self.ground == Ground::Shared && !self.out.is_at_line_start() {
            self.err.buffer().push(b'\n');
        }
        self.err.buffer().extend_from_slice(lines.as_bytes());
        let _ = self.err.flush();
    }

    /// Shows a progress line in place of the one that is there, if one may be. Call only when nothing waits and
    /// stderr is a terminal.
    pub(crate) fn draw(&mut self, line: &str) {
        let mut place = self.line.place();
        if *place == Place::Lent {
            return;
        }
        let buffer = self.err.buffer();
        buffer.extend_from_slice(ERASE);
        buffer.extend_from_slice(line.as_bytes());
        // At the start of the line the cursor stays with it when the terminal is resized.
        buffer.push(b'\r');
        let _ = self.err.flush();
        *place = Place::Taken;
    }

    /// Takes the progress line away.
    pub(crate) fn erase(&mut self) {
        let mut place = self.line.place();
        if *place == Place::Taken {
            self.err.buffer().extend_from_slice(ERASE);
            let _ = self.err.flush();
            *place = Place::Free;
        }
    }
}

#[cfg(test)]
pub(crate) mod memory {
    //! A screen that is looked at instead of written.

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::{Ground, Line, Screen, Sink};

    /// What was written to one stream.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Memory {
        /// The bytes so far.
        pub(crate) fn bytes(&self) -> Vec<u8> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        /// A screen with its stdout and stderr, which are apart.
        pub(crate) fn in_memory() -> (Self, Memory, Memory) {
            let (out, err) = (Memory::default(), Memory::default());
            let screen = Screen {
                out: Sink::new(out.clone()),
                err: Sink::new(err.clone()),
                ground: Ground::Apart,
                line: Line::default(),
            };
            (screen, out, err)
        }
    }
}
