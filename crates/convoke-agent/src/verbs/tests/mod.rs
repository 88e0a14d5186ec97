//! What the verbs do to a real file system, and what they say.

mod accounts;
mod change;
mod incoming;
mod listing;
mod open;
mod remove;
mod stat;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bstr::{BString, ByteSlice};
use convoke_proto::file::Stat;
use convoke_proto::operation::{Answer, Failure, Field, Operation, Reason, Record};
use tempfile::TempDir;

use super::{OpenFiles, Verbs};
use crate::account::getent::Getent;
use crate::account::service::NameService;
use crate::errand::Errands;
use crate::order::Login;

/// Names that break what is careless: blanks, quotes, a newline, a dash, escapes, no UTF-8.
const NAMES: [&[u8]; 8] = [
    b"plain",
    b"two words ",
    b"it's \"$(x)\" `y`",
    b"a\nb",
    b"-rf",
    b"\x1b[31mred",
    b"\xff\xfe",
    b"*",
];

/// The variable that tells a process which test it is to run the inner part of.
const INNER: &str = "CONVOKE_TEST_INNER";

/// A host: a login home, files of users and groups, and a directory of programs.
struct Host {
    scratch: TempDir,
    verbs: Verbs,
    files: RefCell<BTreeMap<u32, Arc<File>>>,
}

impl Host {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        for name in ["home", "etc", "bin", "tmp"] {
            fs::create_dir(scratch.path().join(name)).unwrap();
        }
        let at = |name: &str| scratch.path().join(name).as_os_str().as_bytes().to_vec();
        let variables = [
            ("HOME", at("home")),
            ("SHELL", b"/bin/sh".to_vec()),
            ("PATH", at("bin")),
            ("TMPDIR", at("tmp")),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value));
        let getent = Getent::new(at("bin"), Arc::new(Errands::default()));
        let service = NameService::new(scratch.path().join("etc"), getent);
        Host {
            verbs: Verbs::with(Login::new(variables), service),
            files: RefCell::default(),
            scratch,
        }
    }

    /// Where `name` in the login home is.
    fn at(&self, name: impl AsRef<[u8]>) -> PathBuf {
        let home = self.scratch.path().join("home");
        home.join(OsStr::from_bytes(name.as_ref()))
    }

    fn write(&self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn etc(&self, name: &str, content: &str) {
        fs::write(self.scratch.path().join("etc").join(name), content).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.scratch.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        set_mode(&path, 0o755);
    }

    fn all(&self, operation: Operation) -> Result<Vec<Answer>, Failure> {
        self.until(&AtomicBool::new(false), operation)
    }

    /// All that is said of an operation that `stop` ends.
    fn until(&self, stop: &AtomicBool, operation: Operation) -> Result<Vec<Answer>, Failure> {
        let mut answers = Vec::new();
        let mut end = None;
        self.verbs.perform(operation, self, stop, &mut |record| {
            assert!(end.is_none(), "{record:?} comes after the end");
            match record {
                Record::Part(answer) => answers.push(answer),
                Record::Last(answer) => {
                    answers.push(answer);
                    end = Some(None);
                }
                Record::Failed(failure) => end = Some(Some(failure)),
            }
            true
        });
        match end.expect("an operation has an end") {
            None => Ok(answers),
            Some(failure) => Err(failure),
        }
    }

    fn one(&self, operation: Operation) -> Result<Answer, Failure> {
        let mut answers = self.all(operation)?;
        assert_eq!(answers.len(), 1);
        Ok(answers.remove(0))
    }

    /// What is wrong, and with what.
    fn wrong(&self, operation: Operation) -> (Field, Reason) {
        let failure = self.refusal(operation);
        (failure.field, failure.reason)
    }

    /// The one failure of an operation.
    fn refusal(&self, operation: Operation) -> Failure {
        self.all(operation).expect_err("this cannot be")
    }

    /// The names in a directory of the login home.
    fn names(&self, directory: &str) -> Vec<BString> {
        let entries = fs::read_dir(self.at(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().as_bytes().into());
        let mut names: Vec<BString> = names.collect();
        names.sort();
        names
    }
}

impl OpenFiles for Host {
    fn file(&self, channel: u32) -> Option<Arc<File>> {
        self.files.borrow().get(&channel).cloned()
    }
}

fn text(path: impl AsRef<Path>) -> BString {
    path.as_ref().as_os_str().as_bytes().into()
}

fn errno(number: i32) -> (Field, Reason) {
    (Field::Path, Reason::Errno(number))
}

fn mode(path: impl AsRef<Path>) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn stat_of(answer: Answer) -> Option<Stat> {
    match answer {
        Answer::Stat(stat) => stat.map(|stat| *stat),
        other => panic!("{other:?} is no stat"),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this process is there for the inner part of the test `name` only.
fn is_inside(name: &str) -> bool {
    std::env::var_os(INNER).is_some_and(|which| which == name)
}

/// Runs the inner part of the test `name` in a process of its own, which `shell` leads up to: a line for
/// `sh` that ends by executing `"$@"`. `name` is the whole path of the test.
fn inside(name: &str, prepare: impl FnOnce(&mut Command), shell: &str, inner: impl FnOnce()) {
    if is_inside(name) {
        return inner();
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", shell, "sh"]);
    command.arg(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(INNER, name).current_dir("/");
    prepare(&mut command);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let has_run = output.status.success() && said.contains_str("1 passed");
    assert!(has_run, "{}: {}", output.status, said.as_bstr());
}

/// Runs the inner part of a test as somebody without privileges.
fn unprivileged(name: &str, inner: impl FnOnce()) {
    match is_root() {
        true => {
            let become_nobody = |command: &mut Command| {
                command.uid(65534).gid(65534);
            };
            inside(name, become_nobody, "exec \"$@\"", inner);
        }
        false => inner(),
    }
}
