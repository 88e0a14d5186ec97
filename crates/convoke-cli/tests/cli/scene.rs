//! A place for one test: a directory, a `convoke` with an environment of its own, and a check that
//! nothing is left behind.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// Longer than any run takes on a busy machine; one that is not over by then hangs.
fn limit() -> Duration {
    Duration::from_secs(if is_full() { 1200 } else { 120 })
}

/// How long what belongs to a run may outlive it: the longest grace used here, and a busy machine.
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// The variable that marks everything a test starts.
const MARK: &str = "CONVOKE_TEST_CLI";

/// Whether the full sizes are wanted.
pub(crate) fn is_full() -> bool {
    std::env::var_os("CONVOKE_TEST_FULL").is_some_and(|value| value == "1")
}

/// A place for one test.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// What it said on stdout, as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("convoke-cli-").tempdir();
        Scene {
            directory: directory.unwrap(),
        }
    }

    /// A path in the test's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a file in the test's own directory.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// Makes a pipe with a name, through which a command tells how far it is.
    pub(crate) fn fifo(&self, name: &str) -> String {
        let path = self.path(name);
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// A program with this test's environment; agents are cached for all tests together.
    pub(crate) fn command(&self, program: &str) -> Command {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        fs::create_dir_all(&cache).unwrap();
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.directory.path())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .env("XDG_CACHE_HOME", cache)
            .env(MARK, self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// `convoke` with some words.
    pub(crate) fn convoke<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_convoke"));
        command.args(words);
        command
    }

    /// `convoke run` from its start to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Ran {
        let mut command = self.convoke(["run"]);
        command.args(words);
        self.start(command).finish()
    }

    /// `convoke run` that goes on.
    pub(crate) fn begin<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Live {
        let mut command = self.convoke(["run"]);
        command.args(words);
        self.start(command)
    }

    /// Starts a command. Its stderr is kept in a file, so that nobody has to read it.
    pub(crate) fn start(&self, mut command: Command) -> Live {
        let stderr = self.path("stderr");
        command
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&stderr).unwrap());
        let mut child = command.spawn().unwrap();
        watch(pid(&child));
        Live {
            stdout: child.stdout.take().map(BufReader::new),
            child,
            said: Vec::new(),
            stderr,
        }
    }

    /// The processes that belong to this test.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let mark = [
            MARK.as_bytes(),
            b"=",
            self.directory.path().as_os_str().as_encoded_bytes(),
        ];
        let mark = mark.concat();
        let is_ours = |pid: &Pid| {
            let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
            let environment = fs::read(path).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|one| one == mark)
        };
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter_map(Pid::from_raw).filter(is_ours).collect()
    }

    /// Waits until so many processes belong to this test. One that is just becoming another program has no
    /// environment for a moment, and is not seen.
    pub(crate) fn until_there_are(&self, count: usize) {
        let deadline = Instant::now() + limit();
        while self.processes().len() < count {
            let found: Vec<_> = self.processes().iter().map(command_line).collect();
            assert!(Instant::now() < deadline, "only {found:?} run");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until no process with this command name belongs to this test.
    pub(crate) fn until_none_is_called(&self, name: &str) {
        self.until_gone(|pid| {
            let path = format!("/proc/{}/comm", pid.as_raw_nonzero());
            fs::read_to_string(path).is_ok_and(|comm| comm.trim_end() == name)
        });
    }

    /// Waits until nothing that the test started runs any more.
    pub(crate) fn until_alone(&self) {
        self.until_gone(|_| true);
    }

    /// Waits until nothing that the test started is left.
    pub(crate) fn end(self) {
        self.until_alone();
    }

    fn until_gone(&self, counts: impl Fn(&Pid) -> bool) {
        let deadline = Instant::now() + GONE_WITHIN;
        // The end of one process may be the beginning of another, so it is looked again.
        loop {
            let left: Vec<Pid> = self.processes().into_iter().filter(&counts).collect();
            let Some(first) = left.first() else { return };
            let is_gone = wait(*first, deadline.saturating_duration_since(Instant::now()));
            assert!(
                is_gone,
                "left behind: {:?}",
                left.iter().map(command_line).collect::<Vec<_>>()
            );
        }
    }
}

/// A run that goes on.
pub(crate) struct Live {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    /// What was read from stdout.
    said: Vec<u8>,
    stderr: PathBuf,
}

impl Live {
    pub(crate) fn pid(&self) -> Pid {
        pid(&self.child)
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Reads stdout until `count` lines hold `text`.
    pub(crate) fn until_said(&mut self, text: &str, count: usize) {
        let mut found = 0;
        while found < count {
            let mut line = Vec::new();
            let read = self
                .stdout
                .as_mut()
                .unwrap()
                .read_until(b'\n', &mut line)
                .unwrap();
            assert!(read > 0, "the end came before {text:?}: {}", self.told());
            found += usize::from(String::from_utf8_lossy(&line).contains(text));
            self.said.extend(line);
        }
    }

    /// Reads so many bytes of stdout.
    pub(crate) fn read(&mut self, bytes: usize) {
        let mut buffer = vec![0; bytes];
        self.stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut buffer)
            .unwrap();
        self.said.extend(buffer);
    }

    /// The reader of stdout goes away.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// What it has said on stderr so far, as far as it is text.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap()).into_owned()
    }

    /// Waits until stderr holds `text`.
    pub(crate) fn until_told(&self, text: &str) {
        let deadline = Instant::now() + limit();
        while !self.told().contains(text) {
            assert!(
                Instant::now() < deadline,
                "never said {text:?}: {}",
                self.told()
            );
            // A pause between two looks at a file; there is no event for it.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The most memory it has ever had, in bytes, while it is alive.
    fn peak_bytes(&self) -> Option<u64> {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = fs::read_to_string(path).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes = peak.trim().trim_end_matches(" kB");
        Some(kibibytes.parse::<u64>().unwrap() * 1024)
    }

    /// Hands out what stdout says, piece by piece, until its end; the most memory meanwhile, in bytes.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(&[u8])) -> u64 {
        let mut reader = self.stdout.take().unwrap();
        let mut buffer = vec![0; 1 << 18];
        let mut peak = 0;
        for count in 0_u64.. {
            // It cannot have ended while there is more to read than a pipe holds.
            if count % 64 == 0 {
                peak = self.peak_bytes().unwrap_or(peak);
            }
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                read => take(&buffer[..read]),
            }
        }
        peak
    }

    /// Waits for the end of a run that was killed.
    pub(crate) fn ends_killed(mut self) {
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Ran {
        if let Some(mut stdout) = self.stdout.take() {
            stdout.read_to_end(&mut self.said).unwrap();
        }
        let status = self.child.wait().unwrap();
        assert_ne!(status.signal(), Some(9), "it hung: {}", self.told());
        Ran {
            code: status.code(),
            stderr: self.told(),
            stdout: self.said,
        }
    }
}

pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// Kills a process that runs for too long, so that a test fails instead of hanging.
pub(crate) fn watch(pid: Pid) {
    let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    std::thread::spawn(move || {
        if !ends(&process, limit()) {
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    });
}

/// Waits for the end of a process; whether it came.
fn wait(pid: Pid, limit: Duration) -> bool {
    pidfd_open(pid, PidfdFlags::empty()).map_or(true, |process| ends(&process, limit))
}

fn ends(process: &std::os::fd::OwnedFd, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).unwrap();
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit)) != Ok(0)
}

fn command_line(pid: &Pid) -> String {
    let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace('\0', " ")
}
