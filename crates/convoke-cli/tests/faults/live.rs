//! A `convoke` that runs, what it has said so far, and what became of it.

use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::processes::{self, eventually, send};

/// The longest run of these tests, on a busy machine, without the big outputs.
const LIMIT: Duration = Duration::from_secs(90);

/// A run that goes on. What it says is read all the time.
pub(crate) struct Live {
    child: Child,
    begun: Instant,
    stdout: Heard,
    stderr: Heard,
}

/// What a stream has said so far.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
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

impl Live {
    pub(crate) fn start(mut command: Command) -> Self {
        let begun = Instant::now();
        command.stdin(Stdio::null());
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

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// The events so far of a run with `--json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.stdout.bytes.lock().unwrap())
    }

    /// Waits until `count` hosts have said `text` on stdout.
    pub(crate) fn until_said(&self, text: &str, count: usize) {
        eventually(&format!("{count} hosts say {text:?}"), || {
            let events = self.events();
            let says = |event: &&Value| {
                event["kind"] == "stdout"
                    && event["data"]["text"]
                        .as_str()
                        .is_some_and(|said| said.contains(text))
            };
            events.iter().filter(says).count() >= count
        });
    }

    /// Waits until the step of `host` is over.
    pub(crate) fn until_ended(&self, host: &str) {
        eventually(&format!("{host} ends"), || {
            let events = self.events();
            events
                .iter()
                .any(|event| event["kind"] == "ended" && event["host"] == host)
        });
    }

    /// Waits until the command on `host` runs; its main process.
    pub(crate) fn main_process(&self, host: &str) -> i32 {
        let mut pid = None;
        eventually(&format!("{host} starts"), || {
            let events = self.events();
            let mut events = events.iter();
            let started = |event: &&Value| event["kind"] == "started" && event["host"] == host;
            pid = events
                .find(started)
                .and_then(|event| event["data"]["pid"].as_i64());
            pid.is_some()
        });
        pid.unwrap().try_into().unwrap()
    }

    /// The agent's worker and guard on `host`, where a command runs.
    pub(crate) fn agent(&self, host: &str) -> (i32, i32) {
        let worker = processes::parent(self.main_process(host)).unwrap();
        (worker, processes::parent(worker).unwrap())
    }

    pub(crate) fn kill(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Ran {
        let mut status: Option<ExitStatus> = None;
        let deadline = Instant::now() + LIMIT;
        while status.is_none() {
            status = self.child.try_wait().unwrap();
            if Instant::now() > deadline {
                send(self.pid(), Signal::KILL);
                let stderr = self.stderr.bytes.lock().unwrap();
                panic!(
                    "convoke hangs; it said {:?}",
                    String::from_utf8_lossy(&stderr)
                );
            }
            thread::sleep(Duration::from_millis(1)); // A pause between two questions.
        }
        let (status, took) = (status.unwrap(), self.begun.elapsed());
        let ran = Ran {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.take(),
            stderr: String::from_utf8_lossy(&self.stderr.take()).into_owned(),
            took,
        };
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }
}

impl Heard {
    fn listen(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut piece = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut piece) {
                heard.lock().unwrap().extend_from_slice(&piece[..count]);
            }
        });
        Heard { bytes, reader }
    }

    fn take(self) -> Vec<u8> {
        self.reader.join().unwrap();
        std::mem::take(&mut self.bytes.lock().unwrap())
    }
}

impl Ran {
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.stdout)
    }

    /// What became of `host`, as `--json` says it.
    pub(crate) fn outcome(&self, host: &str) -> Value {
        let ended = |event: &&Value| event["kind"] == "ended" && event["host"] == host;
        let events = self.events();
        let mut found = events.iter().filter(ended);
        let outcome = found
            .next()
            .unwrap_or_else(|| panic!("{host} has no end: {self:?}"));
        assert!(found.next().is_none(), "{host} ends twice");
        outcome["data"].clone()
    }

    /// The text of one stream of `host`.
    pub(crate) fn text(&self, host: &str, stream: &str) -> String {
        let events = self.events();
        let said = events
            .iter()
            .filter(|event| event["kind"] == stream && event["host"] == host);
        said.map(|event| event["data"]["text"].as_str().unwrap())
            .collect()
    }

    /// How the agent came to `host`: `sent` or `cached`.
    pub(crate) fn origin(&self, host: &str) -> String {
        let events = self.events();
        let connected = |event: &&Value| event["kind"] == "connected" && event["host"] == host;
        let found = events.iter().find(connected);
        let found = found.unwrap_or_else(|| panic!("{host} never answered: {self:?}"));
        found["data"]["agent"].as_str().unwrap().to_owned()
    }
}

/// The whole lines of what was said, as events.
fn events(said: &[u8]) -> Vec<Value> {
    let end = said
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lines = said[..end]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}
