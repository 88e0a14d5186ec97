//! A scratch account on this machine for one test, and what was left of it in the end.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::live::{Live, Ran};
use crate::processes::{self, command_line, is_alive, is_of_a_step, runs_from, variable};

/// The variable that marks everything a test starts.
const MARK: &str = "CONVOKE_TEST_FAULTS";

/// The binary under test.
const CONVOKE: &str = env!("CARGO_BIN_EXE_convoke");

/// Directories of its own for everything that Convoke may write to, and a mark for all it starts.
pub(crate) struct Place {
    root: TempDir,
    /// The account it acts as; ours when there is none.
    uid: Option<u32>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let uid = rustix::process::getuid();
        assert!(
            uid.is_root(),
            "these tests mount and change accounts: run them as root"
        );
        let root = tempfile::Builder::new().prefix("convoke-faults-").tempdir();
        let place = Place {
            root: root.unwrap(),
            uid: None,
        };
        for name in ["bin", "home", "work", "tmp", "runtime"] {
            fs::create_dir(place.path(name)).unwrap();
        }
        place
    }

    /// A place of another account, which may do nothing but what everybody may.
    pub(crate) fn of_account(uid: u32) -> Self {
        let mut place = Place::new();
        place.uid = Some(uid);
        // Where the build lies may be closed to others.
        fs::copy(CONVOKE, place.path("convoke")).unwrap();
        set_mode(place.root.path(), 0o755);
        for name in ["home", "work", "tmp", "runtime"] {
            chown(place.path(name), Some(uid), Some(uid)).unwrap();
        }
        place
    }

    /// A place whose cache holds the agent.
    pub(crate) fn warm() -> Self {
        let place = Place::new();
        place.warm_up();
        place
    }

    pub(crate) fn warm_up(&self) {
        assert_eq!(self.run(["local:warm", "--", "true"]).code, Some(0));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.path("work").join(name)
    }

    /// The first directory that the agent is looked for in.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path("home/.cache/convoke")
    }

    /// The cached agent: the only file there.
    pub(crate) fn agent_file(&self) -> PathBuf {
        let files = files_below(&self.cache());
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }

    /// Makes `script` a tool that the host's shell finds before its own.
    pub(crate) fn add_tool(&self, name: &str, script: &str) {
        let tool = self.path("bin").join(name);
        fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
        set_mode(&tool, 0o755);
    }

    /// `convoke` with the environment of this place and nothing of ours.
    pub(crate) fn convoke<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Command {
        self.behind([""; 0], words)
    }

    /// The same, started by the program whose words come first.
    pub(crate) fn behind<B: AsRef<OsStr>, A: AsRef<OsStr>>(
        &self,
        before: impl IntoIterator<Item = B>,
        words: impl IntoIterator<Item = A>,
    ) -> Command {
        let before = before.into_iter().map(|word| word.as_ref().to_owned());
        let own = self.program();
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        let mut all = before.chain(own).chain(words);
        let mut command = Command::new(all.next().unwrap());
        command.args(all).env_clear().envs(self.environment());
        command.current_dir(self.path("work"));
        command
    }

    /// The words that start `convoke` as this place's account.
    fn program(&self) -> Vec<OsString> {
        let Some(uid) = self.uid else {
            return vec![CONVOKE.into()];
        };
        let ids = [format!("--reuid={uid}"), format!("--regid={uid}")];
        let mut words: Vec<OsString> = vec!["/usr/bin/setpriv".into()];
        words.extend(ids.map(OsString::from));
        words.extend(["--clear-groups".into(), "--".into()]);
        words.push(self.path("convoke").into());
        words
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.path("bin").display()
        );
        let pairs: [(&str, OsString); 6] = [
            ("HOME", self.path("home").into()),
            ("PATH", path.into()),
            ("SHELL", "/bin/sh".into()),
            ("TMPDIR", self.path("tmp").into()),
            ("XDG_RUNTIME_DIR", self.path("runtime").into()),
            (MARK, self.root.path().into()),
        ];
        pairs.map(|(name, value)| (name.into(), value)).to_vec()
    }

    /// `convoke run` from its start to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Ran {
        self.start(words).finish()
    }

    /// `convoke run` that goes on.
    pub(crate) fn start<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Live {
        Live::start(self.convoke(after_run(words)))
    }

    /// Everything that a test started and that still runs.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let root = self.root.path();
        let mark = root.to_string_lossy().into_owned();
        let is_ours =
            |pid: &i32| variable(*pid, MARK).as_ref() == Some(&mark) || runs_from(*pid, root);
        let alive = processes::all().into_iter().filter(|pid| is_alive(*pid));
        alive.filter(is_ours).collect()
    }

    /// What runs of steps: their main processes and whatever those started.
    pub(crate) fn steps(&self) -> Vec<i32> {
        let mut steps = self.processes();
        steps.retain(|pid| is_of_a_step(*pid));
        steps
    }

    /// What runs of agents: guards and workers.
    pub(crate) fn agents(&self) -> Vec<i32> {
        let mut agents = self.processes();
        let is_agent = |pid: i32| processes::executable(pid).is_some_and(|path| is_agent(&path));
        agents.retain(|pid| is_agent(*pid));
        agents
    }

    /// The worker of the only agent.
    pub(crate) fn worker(&self) -> i32 {
        let agents = self.agents();
        let is_worker =
            |pid: &&i32| processes::parent(**pid).is_some_and(|one| agents.contains(&one));
        *agents.iter().find(is_worker).unwrap()
    }

    /// Waits until nothing runs any more, but not longer than `limit`.
    pub(crate) fn is_empty_within(&self, limit: Duration) {
        processes::within(
            limit,
            &format!("nothing runs but {:?}", self.named()),
            || self.processes().is_empty(),
        );
    }

    fn named(&self) -> Vec<(i32, String)> {
        let running = self.processes().into_iter();
        running.map(|pid| (pid, command_line(pid))).collect()
    }

    /// Ends what a test let live on.
    pub(crate) fn end_steps(&self) {
        processes::eventually("what was left running is gone", || {
            let steps = self.steps();
            steps
                .iter()
                .for_each(|pid| processes::send(*pid, Signal::KILL));
            steps.is_empty()
        });
    }

    /// Panics when anything is left but whole agents in cache directories.
    pub(crate) fn assert_no_file(&self, planted: &[PathBuf]) {
        let dirs = ["home", "tmp", "runtime"].map(|name| self.path(name));
        let mut files: Vec<_> = dirs.iter().flat_map(|dir| files_below(dir)).collect();
        files.retain(|file| !planted.contains(file) && !is_whole_agent(file));
        assert!(files.is_empty(), "files are left: {files:?}");
    }

    /// The end of a test: nothing runs, and no file is left.
    pub(crate) fn end(self) {
        self.end_but(&[]);
    }

    /// The end of a test that planted some files.
    pub(crate) fn end_but(self, planted: &[PathBuf]) {
        let running = || self.processes();
        let deadline = std::time::Instant::now() + processes::PATIENCE;
        while !running().is_empty() {
            let is_time_left = std::time::Instant::now() < deadline;
            assert!(is_time_left, "still runs: {:?}", self.named());
        }
        self.assert_no_file(planted);
    }
}

/// A failed test leaves nothing behind either.
impl Drop for Place {
    fn drop(&mut self) {
        let running = self.processes();
        running
            .iter()
            .for_each(|pid| processes::send(*pid, Signal::KILL));
    }
}

fn after_run<A: AsRef<OsStr>>(words: impl IntoIterator<Item = A>) -> Vec<OsString> {
    let words = words.into_iter().map(|word| word.as_ref().to_owned());
    std::iter::once("run".into()).chain(words).collect()
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file, link or special file below a directory, which itself may be missing.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files_below(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

fn is_agent(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_bytes().starts_with(b"agent-")
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(crate) fn hash(file: &Path) -> String {
    let sum = Command::new("sha256sum").arg(file).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    sum.split(' ').next().unwrap().to_owned()
}

/// Whether a file is an agent whose content is what its name says.
fn is_whole_agent(file: &Path) -> bool {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    is_agent(file) && file.is_file() && name.ends_with(&hash(file))
}
