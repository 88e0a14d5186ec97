//! A scratch host: a home directory, an environment, a login shell, and what is left behind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use convoke::agents::{Agent, Agents};
use convoke::bootstrap::{self, Greeting, Nonce};
use convoke::error::BootstrapError;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything here may take on a busy machine before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An agent that says a word and returns what it is sent; another one in every process, so that what
/// lies in the directories all accounts share is never found in its place.
pub(crate) static PARROT: LazyLock<String> = LazyLock::new(|| {
    let unique = Nonce::random();
    format!("#!/bin/sh\necho agent\nexec cat\n# {}\n", unique.as_str())
});

/// The programs that may be `/bin/sh`, and their Debian packages.
pub(crate) const SHELLS: [(&str, &str); 5] = [
    ("dash", "dash"),
    ("bash", "bash"),
    ("busybox", "busybox"),
    ("mksh", "mksh"),
    ("zsh", "zsh"),
];

/// The account that a foreign file belongs to.
const NOBODY: u32 = 65534;

/// A variable that marks every process of a test.
const MARK: &str = "CONVOKE_BOOTSTRAP_TEST";

/// A host of its own on this machine.
pub(crate) struct Host {
    pub(crate) root: TempDir,
    pub(crate) environment: BTreeMap<String, OsString>,
    /// The words before the line: the login shell, or whatever stands for it.
    pub(crate) login: Vec<OsString>,
    /// What `/bin/sh` is there.
    pub(crate) sh: PathBuf,
    pub(crate) directory: PathBuf,
}

/// An open connection to a scratch host.
pub(crate) struct Talk {
    pub(crate) child: Child,
    pub(crate) reader: ChildStdout,
    pub(crate) writer: ChildStdin,
    pub(crate) nonce: Nonce,
    stderr: JoinHandle<Vec<u8>>,
    mark: OsString,
}

/// What a connection said after the bootstrap, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) said: String,
    pub(crate) stderr: String,
    pub(crate) status: ExitStatus,
}

impl Host {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new()
            .prefix("convoke-")
            .tempdir()
            .unwrap();
        std::fs::create_dir(root.path().join("home")).unwrap();
        let mut host = Host {
            environment: BTreeMap::new(),
            login: words(["/bin/sh", "-c"]),
            sh: "/bin/sh".into(),
            directory: root.path().to_owned(),
            root,
        };
        host.set("PATH", "/usr/local/bin:/usr/bin:/bin");
        host.set("HOME", host.home());
        host.set(MARK, host.root.path().to_owned());
        host
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.home().join(".cache/convoke")
    }

    /// The file that the agent is cached in.
    pub(crate) fn cached(&self, agents: &Agents) -> PathBuf {
        self.cache().join(file_name(agents))
    }

    /// Runs the login shell behind a shell script that ends in `exec "$@"`.
    pub(crate) fn behind(&mut self, script: &str) {
        let mut login = words(["/bin/sh", "-c", script, "behind"]);
        login.append(&mut self.login);
        self.login = login;
    }

    /// Runs everything in a mount namespace of its own, prepared by `script`.
    pub(crate) fn with_mounts(&mut self, script: &str) {
        self.behind(&format!("set -e; {script}\nexec \"$@\""));
        let mut login = words(["/usr/bin/unshare", "--mount"]);
        login.append(&mut self.login);
        self.login = login;
    }

    /// Makes another program the `/bin/sh` of this host.
    pub(crate) fn use_sh(&mut self, program: &Path) {
        self.sh = self.root.path().join("sh");
        std::os::unix::fs::symlink(program, &self.sh).unwrap();
    }

    pub(crate) fn open(&self, agents: &Agents) -> Talk {
        let nonce = Nonce::random();
        let line = bootstrap::command(agents, &nonce);
        let sh = format!("exec {} ", self.sh.display());
        let line = line.replacen("exec /bin/sh ", &sh, 1);
        self.open_with(&line, nonce)
    }

    /// Opens a connection whose login shell reads `line`.
    pub(crate) fn open_with(&self, line: &str, nonce: Nonce) -> Talk {
        let mut child = Command::new(&self.login[0])
            .args(&self.login[1..])
            .arg(line)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Talk {
            reader: child.stdout.take().unwrap(),
            writer: child.stdin.take().unwrap(),
            stderr: tokio::spawn(read_to_end(child.stderr.take().unwrap())),
            mark: self.environment[MARK].clone(),
            child,
            nonce,
        }
    }

    /// Opens a connection, holds the conversation, and ends it.
    pub(crate) async fn greet(&self, agents: &Agents) -> Result<Greeting, BootstrapError> {
        let mut talk = self.open(agents);
        let greeting = talk.exchange(agents).await;
        let ended = talk.finish().await;
        match &greeting {
            Ok(greeting) => {
                let said = [&greeting.rest[..], ended.said.as_bytes()].concat();
                assert_eq!(said, b"agent\n", "{ended:?}");
            }
            Err(error) => eprintln!("{error}; {ended:?}"),
        }
        self.assert_no_temporary();
        greeting
    }

    /// Panics when anything is left in the scratch directory that an upload had to remove.
    pub(crate) fn assert_no_temporary(&self) {
        let left = files_below(self.root.path());
        let mut left = left.iter().filter(|path| is_temporary(path));
        assert_eq!(left.next(), None, "a temporary is left");
    }
}

impl Talk {
    pub(crate) async fn exchange(&mut self, agents: &Agents) -> Result<Greeting, BootstrapError> {
        let exchange = async {
            let answer = bootstrap::answer(&mut self.reader, agents, &self.nonce).await?;
            bootstrap::deliver(answer, &mut self.reader, &mut self.writer, agents).await
        };
        timeout(PATIENCE, exchange)
            .await
            .expect("the bootstrap hangs")
    }

    /// Reads up to and with the end of the line that holds `text`.
    pub(crate) async fn wait_for(&mut self, text: &str) -> String {
        let mut said = Vec::new();
        let wait = async {
            while !(said.ends_with(b"\n") && String::from_utf8_lossy(&said).contains(text)) {
                match self.reader.read_u8().await {
                    Ok(byte) => said.push(byte),
                    Err(_) => break,
                }
            }
        };
        timeout(PATIENCE, wait).await.expect("the line never comes");
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(text), "{text:?} was not said, but {said:?}");
        said
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // A host that gave up closes its input; what it did instead is what a test looks at.
        let _ = self.writer.write_all(bytes).await;
        let _ = self.writer.flush().await;
    }

    /// Sends a signal to the shell, or to its whole process group.
    pub(crate) fn signal(&self, signal: Signal, whole_group: bool) {
        let pid = self.child.id().expect("the shell runs");
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        match whole_group {
            true => rustix::process::kill_process_group(pid, signal).unwrap(),
            false => rustix::process::kill_process(pid, signal).unwrap(),
        }
    }

    /// Ends the input and waits until nothing of the connection runs any more.
    pub(crate) async fn finish(self) -> Ended {
        let Talk {
            mut child,
            reader,
            writer,
            stderr,
            mark,
            ..
        } = self;
        drop(writer);
        let end = async {
            // Both ends are reached only when every process that inherited them is gone.
            let said = read_to_end(reader).await;
            let stderr = stderr.await.unwrap();
            let status = child.wait().await.unwrap();
            while let Some(process) = marked_process(&mark) {
                eprintln!("{process} still runs");
                tokio::task::yield_now().await;
            }
            Ended {
                said: String::from_utf8_lossy(&said).into_owned(),
                stderr: String::from_utf8_lossy(&stderr).into_owned(),
                status,
            }
        };
        timeout(PATIENCE, end)
            .await
            .expect("something of the connection still runs")
    }
}

/// The agents of a run whose only agent, for this machine, is `script`.
pub(crate) fn agents(script: &str) -> Agents {
    Agents::new(vec![
        Agent::from_bytes(&platform(), script.as_bytes()).unwrap(),
    ])
}

pub(crate) fn platform() -> String {
    format!("{}-linux", std::env::consts::ARCH)
}

/// The name an agent is cached under.
pub(crate) fn file_name(agents: &Agents) -> String {
    let agent = agents.iter().next().unwrap();
    format!("agent-{}-{}", agent.platform(), agent.sha256())
}

/// The path of a program, or a failure that names the Debian package it is in.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    ["/bin", "/usr/bin", "/usr/sbin"]
        .iter()
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is missing: install the Debian package {package}"))
}

/// Whether this test may mount. Fails the test when it may not, unless it is told to be skipped.
pub(crate) fn can_mount() -> bool {
    let probe = std::process::Command::new(program("unshare", "util-linux"))
        .args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output()
        .unwrap();
    if probe.status.success() {
        return true;
    }
    let said = String::from_utf8_lossy(&probe.stderr);
    assert!(
        std::env::var_os("CONVOKE_TEST_SKIP_MOUNT").is_some_and(|value| value == "1"),
        "mounting is not possible here ({said}): run as root, or set CONVOKE_TEST_SKIP_MOUNT=1"
    );
    eprintln!("skipped: mounting is not possible here, and CONVOKE_TEST_SKIP_MOUNT=1");
    false
}

/// Makes a directory, whatever the umask.
pub(crate) fn make_dir(path: PathBuf, mode: u32) -> PathBuf {
    std::fs::create_dir_all(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Makes a file or directory somebody else's.
pub(crate) fn give_away(path: impl AsRef<Path>) {
    let given = std::os::unix::fs::chown(path, Some(NOBODY), None);
    given.expect("giving files away is not possible here: run as root");
}

pub(crate) fn is_temporary(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("upload-"))
}

pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    // Directories may vanish or be closed to us: what cannot be read holds nothing of ours.
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_below(&path));
        }
        found.push(path);
    }
    found
}

pub(crate) fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.map(OsString::from).to_vec()
}

async fn read_to_end(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// A process whose environment bears the mark of this test.
fn marked_process(mark: &OsString) -> Option<String> {
    use std::os::unix::ffi::OsStrExt as _;
    let entry = [MARK.as_bytes(), b"=", mark.as_bytes()].concat();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find_map(|process| {
            // A zombie has no environment, and neither has a process that is gone.
            let environment = std::fs::read(process.path().join("environ")).ok()?;
            let is_ours = environment
                .split(|byte| *byte == 0)
                .any(|have| have == entry);
            is_ours.then(|| {
                let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&command).into_owned()
            })
        })
}
