//! A `convoke` that runs, what it has said so far, and what became of it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::operator::{PATIENCE, within};

/// A run that goes on. What it says is read all the time.
pub(crate) struct Live {
    child: Child,
    begun: Instant,
    stdout: Heard,
    stderr: Heard,
}

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// What a stream has said so far.
struct Heard {
    said: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: JoinHandle<()>,
}

impl Live {
    pub(crate) fn start(mut command: Command) -> Self {
        let begun = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Live {
            begun,
            stdout: Heard::listen(child.stdout.take().unwrap()),
            stderr: Heard::listen(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits until stdout holds `text` so many times.
    pub(crate) fn until_said(&self, text: &str, count: usize) {
        let said = self
            .stdout
            .until(|said| said.matches(text).count() >= count);
        let told = self.stderr.text();
        assert!(
            said.is_ok(),
            "{text:?} is not said {count} times: {said:?}, {told}"
        );
    }

    /// Waits until stderr holds `text`.
    pub(crate) fn until_told(&self, text: &str) {
        let told = self.stderr.until(|told| told.contains(text));
        assert!(told.is_ok(), "{text:?} is not told: {told:?}");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Ran {
        let mut status = None;
        let told = || format!("it hangs; it told {:?}", self.stderr.text());
        within(2 * PATIENCE, told, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let (status, took) = (status.unwrap(), self.begun.elapsed());
        let ran = Ran {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.take(),
            stderr: String::from_utf8_lossy(&self.stderr.take()).into_owned(),
            took,
        };
        // Shown when a test fails, or by `--nocapture` to whoever wants to read what operators read.
        eprintln!("[{took:.1?}, {status}]\n{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"));
        ran
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Only a test that failed leaves it running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Heard {
    fn listen(mut stream: impl Read + Send + 'static) -> Self {
        let said = Arc::<(Mutex<Vec<u8>>, Condvar)>::default();
        let heard = Arc::clone(&said);
        let reader = thread::spawn(move || {
            let mut piece = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut piece) {
                heard.0.lock().unwrap().extend_from_slice(&piece[..count]);
                heard.1.notify_all();
            }
        });
        Heard { said, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said.0.lock().unwrap()).into_owned()
    }

    /// Waits until it is so of what was said; what was said instead when it never is.
    fn until(&self, is_so: impl Fn(&str) -> bool) -> Result<(), String> {
        let (said, more) = &*self.said;
        let waits = |said: &mut Vec<u8>| !is_so(&String::from_utf8_lossy(said));
        let said = said.lock().unwrap();
        let (said, timeout) = more.wait_timeout_while(said, PATIENCE, waits).unwrap();
        match timeout.timed_out() {
            false => Ok(()),
            true => Err(String::from_utf8_lossy(&said).into_owned()),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        // Its end is the end of the stream, which some child may still hold.
        let ended = || format!("the stream stays open: {:?}", self.text());
        within(PATIENCE, ended, || self.reader.is_finished());
        std::mem::take(&mut self.said.0.lock().unwrap())
    }
}

impl Ran {
    /// What it said on stdout, as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// The events of a run with `--json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What became of `host`, as `--json` says it.
    pub(crate) fn outcome(&self, host: &str) -> Value {
        let events = self.events().into_iter();
        let mut found = events.filter(|event| event["kind"] == "ended" && event["host"] == host);
        let outcome = found.next().unwrap_or_else(|| panic!("{host} has no end"));
        assert!(found.next().is_none(), "{host} ends twice");
        outcome["data"].clone()
    }

    /// The text of one stream of `host`, as `--json` says it.
    pub(crate) fn stream(&self, host: &str, stream: &str) -> String {
        let events = self.events().into_iter();
        let said = events.filter(|event| event["kind"] == stream && event["host"] == host);
        let texts = said.map(|event| event["data"]["text"].as_str().unwrap().to_owned());
        texts.collect()
    }
}
