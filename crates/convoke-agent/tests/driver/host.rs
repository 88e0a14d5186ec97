//! What a test sees of the host's processes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use convoke_proto::hello::LinkId;
use rustix::process::{Pid, Signal, kill_process};

use super::DEADLINE;

/// Asks again until the claim is true.
pub fn eventually(claim: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_true() {
        assert!(Instant::now() < deadline, "not in time: {claim}");
        std::thread::sleep(Duration::from_millis(2)); // A pause between two questions, not a wait for an answer.
    }
}

/// The state letter, parent and group of a process.
pub fn stat(pid: i32) -> Option<(char, i32, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((
        state,
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
    ))
}

pub fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, ..)| !matches!(state, 'Z' | 'X'))
}

pub fn all_processes() -> Vec<i32> {
    let names = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

pub fn children_of(pid: i32) -> Vec<i32> {
    all_processes()
        .into_iter()
        .filter(|child| stat(*child).is_some_and(|(_, parent, _)| parent == pid))
        .collect()
}

/// Every live process with the mark of this link.
pub fn marked(link: LinkId) -> Vec<i32> {
    let mark = format!("CONVOKE_STEP={link}.");
    let carries = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|pair| pair.starts_with(mark.as_bytes()))
    };
    all_processes()
        .into_iter()
        .filter(carries)
        .filter(|pid| is_alive(*pid))
        .collect()
}

pub fn assert_no_process_of(link: LinkId) {
    assert_eq!(marked(link), [], "processes of the link are left");
}

pub fn kill(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// A process that a test wants to end with the test whatever happens.
pub struct Doomed(pub i32);

impl Drop for Doomed {
    fn drop(&mut self) {
        kill(self.0, Signal::KILL);
    }
}

/// Ends everything with the mark of a link, where a test has released it.
pub fn kill_marked(link: LinkId) {
    eventually("what was released is gone", || {
        let left = marked(link);
        left.iter().for_each(|pid| kill(*pid, Signal::KILL));
        left.is_empty()
    });
}

/// The most memory a process has had resident, in KiB.
pub fn peak_memory(pid: i32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The agent as an ordinary user who finds `become-root` in `place`: a way to
/// start processes that belong to root in every respect. Only root can set this up.
pub fn unprivileged(place: &Path) -> Command {
    assert!(
        rustix::process::getuid().is_root(),
        "this test becomes another user, so it needs root"
    );
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    // Where the build lies may be closed to others.
    let (agent, become_root) = (place.join("agent"), place.join("become-root"));
    std::fs::copy(super::agent_command().get_program(), &agent).unwrap();
    std::fs::copy("/usr/bin/setpriv", &become_root).unwrap();
    mode(place, 0o755);
    mode(&become_root, 0o4755);
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .env_clear()
        .env("HOME", "/")
        .env("SHELL", "/bin/sh")
        .env("PATH", "/usr/bin:/bin");
    command
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(agent);
    command
}

/// The account that every system has and that owns nothing, by number.
const NOBODY: &str = "65534";

/// Lets the account of [`unprivileged`] use sudo, until it is dropped.
pub struct SudoRule(std::path::PathBuf);

impl SudoRule {
    pub fn install() -> Self {
        let name = format!("/etc/sudoers.d/convoke-agent-{}", std::process::id());
        let rule = format!("#{NOBODY} ALL=(root) NOPASSWD: ALL\nDefaults:#{NOBODY} !use_pty\n");
        std::fs::write(&name, rule).expect("sudo is installed");
        SudoRule(name.into())
    }
}

impl Drop for SudoRule {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
