//! The side of the operator: a directory, an environment, and `convoke` in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use convoke_testkit::fleet::Fleet;

use crate::live::{Live, Ran};

/// How long anything may take on a busy machine before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two questions; not a wait for an answer.
const PAUSE: Duration = Duration::from_millis(3);

/// The variable that marks everything that the operator starts. ssh does not send it.
const MARK: &str = "CONVOKE_TEST_SSH";

/// Where programs are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Somebody with a home of their own and nothing in it.
pub(crate) struct Operator {
    directory: tempfile::TempDir,
}

impl Operator {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("convoke-ssh-").tempdir();
        let operator = Operator {
            directory: directory.unwrap(),
        };
        fs::create_dir(operator.path("programs")).unwrap();
        operator
    }

    /// A path in the directory of the test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a file in the directory of the test.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// Puts a program before all others of its name: a shell script.
    pub(crate) fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.file(
            &format!("programs/{name}"),
            format!("#!/bin/sh\n{script}\n"),
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A program in the environment of the operator.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env(
                "PATH",
                format!("{}:{PATH}", self.path("programs").display()),
            )
            .env("HOME", self.directory.path())
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .env("XDG_CACHE_HOME", self.path("cache"))
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

    /// `convoke run` on a fleet, with some words.
    pub(crate) fn on<A: AsRef<OsStr>>(
        &self,
        fleet: &Fleet,
        words: impl IntoIterator<Item = A>,
    ) -> Command {
        self.with(fleet, "run", words)
    }

    /// `convoke` with any verb on a fleet, with some words.
    pub(crate) fn with<A: AsRef<OsStr>>(
        &self,
        fleet: &Fleet,
        verb: &str,
        words: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = self.convoke([verb, "-F"]);
        command.arg(fleet.ssh_config()).args(words);
        command
    }

    /// The same, as it goes on.
    pub(crate) fn begin<A: AsRef<OsStr>>(
        &self,
        fleet: &Fleet,
        words: impl IntoIterator<Item = A>,
    ) -> Live {
        Live::start(self.on(fleet, words))
    }

    /// The same, from its start to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        fleet: &Fleet,
        words: impl IntoIterator<Item = A>,
    ) -> Ran {
        self.begin(fleet, words).finish()
    }

    /// The processes that the operator started, which is never a process of a host.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = [
            MARK.as_bytes(),
            b"=",
            self.directory.path().as_os_str().as_encoded_bytes(),
        ];
        let mark = mark.concat();
        let is_ours = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|one| one == mark)
        };
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(is_ours).collect()
    }

    /// Waits until nothing that the operator started is left, nor anything on the hosts but a
    /// listening sshd.
    pub(crate) fn end(self, fleet: &Fleet) {
        self.is_left();
        at_rest(fleet, 1);
    }

    /// Waits until nothing that the operator started is left.
    pub(crate) fn is_left(&self) {
        eventually(
            || format!("left behind: {:?}", command_lines(&self.processes())),
            || self.processes().is_empty(),
        );
    }
}

/// Waits until so many processes are left on the hosts.
pub(crate) fn at_rest(fleet: &Fleet, processes: usize) {
    eventually(
        || format!("on the hosts: {:?}", command_lines(&fleet.processes())),
        || fleet.processes().len() == processes,
    );
}

/// Asks again until it is so; tells what is wrong when it never is.
pub(crate) fn eventually(wrong: impl Fn() -> String, is_so: impl FnMut() -> bool) {
    within(PATIENCE, wrong, is_so);
}

/// Asks again until it is so, but not for longer than `limit`.
pub(crate) fn within(limit: Duration, wrong: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < deadline, "{}", wrong());
        thread::sleep(PAUSE);
    }
}

/// Processes in words.
pub(crate) fn command_lines(pids: &[u32]) -> Vec<String> {
    let line = |pid: &u32| {
        let words = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        String::from_utf8_lossy(&words.unwrap_or_default()).replace('\0', " ")
    };
    pids.iter().map(line).collect()
}
