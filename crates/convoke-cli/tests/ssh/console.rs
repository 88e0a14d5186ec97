//! A terminal, and a program that it belongs to.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::operator::{Operator, PATIENCE};

/// A program on a terminal of its own, which controls it.
pub(crate) struct Console {
    child: Child,
    master: File,
    pieces: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Console {
    pub(crate) fn start(operator: &Operator, words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        let mut command = operator.command("setsid");
        command.arg("--ctty").args(words);
        command.stdin(slave.try_clone().unwrap());
        command.stdout(slave.try_clone().unwrap()).stderr(slave);
        let child = command.spawn().unwrap();
        let master = File::from(master);
        let (sender, pieces) = channel();
        let mut reader = master.try_clone().unwrap();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            // The end of a terminal is an error.
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                if sender.send(piece[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Console {
            child,
            master,
            pieces,
            seen: Vec::new(),
        }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until `text` has been seen.
    pub(crate) fn until(&mut self, text: &str) {
        self.until_times(text, 1);
    }

    /// Reads until `text` has been seen so many times.
    pub(crate) fn until_times(&mut self, text: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.text().matches(text).count() < times {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.seen.extend(piece),
                Err(why) => panic!("{text:?} is not seen, {why}: {}", self.text()),
            }
        }
    }

    /// Presses Ctrl-C until `text` has been seen: an ssh that was about to read misses the first.
    pub(crate) fn interrupt_until(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.text().contains(text) {
            self.press("\x03");
            let again = Instant::now() + Duration::from_secs(2);
            while !self.text().contains(text) && Instant::now() < again {
                let left = again.saturating_duration_since(Instant::now());
                if let Ok(piece) = self.pieces.recv_timeout(left) {
                    self.seen.extend(piece);
                }
            }
            assert!(Instant::now() < deadline, "{text:?}: {}", self.text());
        }
    }

    /// What was seen so far, with the line ends of a file.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).replace("\r\n", "\n")
    }

    /// Everything that was seen until the end, and the exit code.
    pub(crate) fn finish(mut self) -> (String, Option<i32>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.seen.extend(piece),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end: {}", self.text()),
            }
        }
        let code = self.child.wait().unwrap().code();
        let text = self.text();
        eprintln!("[{code:?}]\n{text}");
        (text, code)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Only a test that failed leaves it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
