//! The login: its home and its shell.
//!
//! From the environment that the login gave us, else from the account data base. A static program
//! cannot load the host's name service, so `getent` asks it for us.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitOptions, getuid, kill_process_group, waitpid};

use crate::spawn::{Directory, Program, Spawner};

/// How long `getent` may take: a name service that answers later is out of order.
const PATIENCE: Duration = Duration::from_secs(5);

/// An entry of the account data base is one line; more than this is something else.
const MAX_ENTRY: usize = 64 * 1024;

/// Where a login starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The home directory; `/` when the account has none.
    pub home: BString,
    /// The login shell; `/bin/sh` when the account names none.
    pub shell: BString,
}

impl Account {
    /// The login of this process. Sleeps while `getent` runs, when it is needed at all.
    pub fn of_this_process(spawner: &mut Spawner) -> Self {
        let home = variable("HOME");
        let shell = variable("SHELL");
        if let (Some(home), Some(shell)) = (&home, &shell) {
            return Account {
                home: home.clone(),
                shell: shell.clone(),
            };
        }
        let recorded = recorded(spawner).unwrap_or_else(|| Account {
            home: "/".into(),
            shell: "/bin/sh".into(),
        });
        Account {
            home: home.unwrap_or(recorded.home),
            shell: shell.unwrap_or(recorded.shell),
        }
    }
}

fn variable(name: &str) -> Option<BString> {
    let value = std::env::var_os(name)?;
    let value: &OsStr = &value;
    (!value.is_empty()).then(|| value.as_bytes().into())
}

fn recorded(spawner: &mut Spawner) -> Option<Account> {
    let uid = getuid().as_raw().to_string();
    let local = std::fs::read("/etc/passwd").unwrap_or_default();
    entry(&local, uid.as_bytes()).or_else(|| entry(&ask(spawner, &uid)?, uid.as_bytes()))
}

/// The first entry for `uid` among lines of `name:password:uid:gid:comment:home:shell`.
fn entry(lines: &[u8], uid: &[u8]) -> Option<Account> {
    let of_uid = |line: &&[u8]| line.split(|b| *b == b':').nth(2) == Some(uid);
    let line = lines.lines().find(of_uid)?;
    let mut fields = line.split(|b| *b == b':').skip(5);
    let or = |field: Option<&[u8]>, default: &str| match field {
        Some(field) if !field.is_empty() => field.into(),
        _ => default.into(),
    };
    Some(Account {
        home: or(fields.next(), "/"),
        shell: or(fields.next(), "/bin/sh"),
    })
}

/// What `getent passwd` says about a user number.
fn ask(spawner: &mut Spawner, uid: &str) -> Option<Vec<u8>> {
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).ok()?;
    let text = |s: &str| CString::new(s).ok();
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let program = Program {
        name: text("getent")?,
        argv: vec![text("getent")?, text("passwd")?, text(uid)?],
        env: vec![CString::new([b"PATH=", path.as_bytes()].concat()).ok()?],
        directory: Directory::Given(text("/")?),
        umask: None,
        files: vec![(theirs, 1)],
    };
    let pid = spawner.spawn(&program).ok()?;
    drop(program);
    let answer = read_within(ours, PATIENCE);
    // Over by now, or too late; a child that is left alone would be counted as somebody's orphan.
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
    answer
}

/// Everything up to the end of `fd`, or `None` when it does not come in time.
fn read_within(fd: OwnedFd, patience: Duration) -> Option<Vec<u8>> {
    let deadline = Instant::now() + patience;
    let mut file = File::from(fd);
    let mut answer = Vec::new();
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let timeout = Timespec::try_from(left).ok()?;
        let ready = poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&timeout)).ok()?;
        let mut chunk = [0; 4096];
        let count = if ready > 0 {
            file.read(&mut chunk).ok()?
        } else {
            return None;
        };
        answer.extend_from_slice(chunk.get(..count)?);
        if count == 0 || answer.len() > MAX_ENTRY {
            return Some(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_by_its_user_number() {
        let account = |home: &str, shell: &str| Account {
            home: home.into(),
            shell: shell.into(),
        };
        let table = [
            (
                "a:x:7:7::/home/a:/bin/zsh\n",
                Some(account("/home/a", "/bin/zsh")),
            ),
            (
                "b:x:8:7::/b:/b\nno line\na:x:7:7:::\n",
                Some(account("/", "/bin/sh")),
            ),
            ("a:x:77:7::/home/a:/bin/zsh", None),
            ("a:x:7", Some(account("/", "/bin/sh"))),
            ("", None),
        ];
        for (lines, expected) in table {
            assert_eq!(entry(lines.as_bytes(), b"7"), expected, "{lines:?}");
        }
    }
}
