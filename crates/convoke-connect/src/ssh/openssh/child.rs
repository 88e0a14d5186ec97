//! The running `ssh`: its streams, its end, and ending it.

mod stream;
mod watch;

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use std::os::unix::process::ExitStatusExt as _;

use nix::sys::signal::{SigSet, Signal};
use tokio::process::Command;

use crate::connector::{Close, Ending, Pipes};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::future::BoxFuture;
use crate::terminal::Terminal;

use stream::{Quiet, Stream};
use watch::Watch;

/// What ssh exits with when the connection broke; the command may do so, too.
const BROKEN: i32 = 255;

/// SIGINT, as the ending of a program that had the terminal.
const INTERRUPT: i32 = 2;

/// Whether the stderr of ssh holds its own account, which was asked for only to be read by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chatter {
    /// It is taken out.
    Ours,
    /// The user asked for it.
    Theirs,
}

/// Starts an ssh that nobody can reach but us.
pub(super) fn start(command: Command, chatter: Chatter) -> Result<Pipes, ConnectError> {
    let watch = spawn(command, Reach::OwnSession)?;
    pipes(watch, chatter, Reach::OwnSession)
}

/// Starts an ssh in our session and lends it the terminal. None if that cannot be lent.
pub(super) fn start_on(
    command: Command,
    chatter: Chatter,
    terminal: &Terminal,
) -> Result<Option<Pipes>, ConnectError> {
    let watch = spawn(command, Reach::Terminal)?;
    let Some(Ok(lent)) = watch.id().map(|group| terminal.lend(group)) else {
        watch.end();
        return Ok(None);
    };
    let pipes = pipes(watch, chatter, Reach::Terminal)?;
    Ok(Some(Pipes {
        lent: Some(lent),
        ..pipes
    }))
}

fn spawn(mut command: Command, reach: Reach) -> Result<Watch, ConnectError> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let held = match reach {
        Reach::OwnSession => SigSet::empty(),
        // If Ctrl-Z stopped it, it would keep the terminal: nobody but its parent could take that back,
        // and the parent waits for an answer. So that key does nothing while ssh asks.
        Reach::Terminal => SigSet::from(Signal::SIGTSTP),
    };
    match crate::start::start(&mut command, held) {
        Ok(child) => Ok(Watch::new(child)),
        Err(error) => Err(not_started(&command, error)),
    }
}

/// Why the program could not be started.
pub(crate) fn not_started(command: &Command, source: io::Error) -> ConnectError {
    let program = command.as_std().get_program().to_string_lossy();
    let missing = source.kind() == io::ErrorKind::NotFound;
    let text = if missing {
        format!("{program} is not there")
    } else {
        format!("{program} could not be started: {source}")
    };
    let hint = "install the OpenSSH client, or look at PATH";
    ConnectError {
        hint: missing.then(|| hint.to_owned()),
        ..ConnectError::not_started(text, source)
    }
}

fn pipes(watch: Watch, chatter: Chatter, reach: Reach) -> Result<Pipes, ConnectError> {
    let watch = Arc::new(watch);
    let ssh = Ssh {
        watch: Arc::clone(&watch),
        reach,
    };
    let Some((stdin, stdout, stderr)) = watch.streams() else {
        let text = "a pipe of ssh is missing";
        return Err(ConnectError::new(ConnectErrorKind::Spawn, text));
    };
    let stderr = Stream::new(stderr, Arc::clone(&watch));
    Ok(Pipes {
        reader: Box::new(Stream::new(stdout, watch)),
        writer: Box::new(stdin),
        stderr: match chatter {
            Chatter::Ours => Box::new(Quiet::new(stderr)),
            Chatter::Theirs => Box::new(stderr),
        },
        close: Box::new(ssh),
        lent: None,
    })
}

/// From where keys can reach ssh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// From nowhere.
    OwnSession,
    /// From the operator's terminal.
    Terminal,
}

/// The handle of a running ssh.
///
/// TERM to its process group when it is dropped, never KILL: it hangs up and ends its `ProxyCommand`.
struct Ssh {
    watch: Arc<Watch>,
    reach: Reach,
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.watch.end();
    }
}

impl Close for Ssh {
    fn close(self: Box<Self>) -> BoxFuture<'static, Ending> {
        Box::pin(async move {
            match std::future::poll_fn(|context| self.watch.poll_end(context)).await {
                Some(status) => ending(status, self.reach),
                None => Ending::Unknown {
                    remark: "the end of ssh could not be awaited".into(),
                },
            }
        })
    }
}

/// Whether ssh passes on how the command ended: the connection did not break.
fn went_well(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| code != BROKEN)
}

/// What the end of ssh says of the command: nothing, unless ssh passes its code on.
fn ending(status: ExitStatus, reach: Reach) -> Ending {
    let unknown = |remark: String| Ending::Unknown { remark };
    match (status.code(), status.signal()) {
        (Some(BROKEN), _) => unknown("ssh ended with 255: the connection broke".into()),
        (Some(code), _) => Ending::Exited { code },
        // The operator's key, pressed while ssh asked for something there.
        (None, Some(INTERRUPT)) if reach == Reach::Terminal => Ending::Killed { signal: INTERRUPT },
        (None, Some(signal)) => unknown(format!("ssh was ended by signal {signal}")),
        (None, None) => unknown(status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Programs without a shell, since that gives up the mask that it got. The runtime has one thread.
    #[tokio::test]
    async fn only_ctrl_z_is_held_back_and_only_on_the_terminal() {
        let ours: SigSet = [Signal::SIGTSTP, Signal::SIGUSR1].into_iter().collect();
        ours.thread_block().unwrap();
        for (reach, expected) in [
            (Reach::OwnSession, "SigBlk:\t0000000000000000\n"),
            (Reach::Terminal, "SigBlk:\t0000000000080000\n"),
        ] {
            let mut command = Command::new("grep");
            command.args(["SigBlk", "/proc/self/status"]);
            let watch = spawn(command, reach).unwrap();
            let mut pipes = pipes(watch, Chatter::Ours, reach).unwrap();
            let mut held = String::new();
            pipes.reader.read_to_string(&mut held).await.unwrap();
            assert_eq!(held, expected, "{reach:?}");
            assert_eq!(pipes.close.close().await, Ending::Exited { code: 0 });
        }
        let after = SigSet::thread_get_mask().unwrap();
        assert!(ours.iter().all(|signal| after.contains(signal)));
    }

    #[test]
    fn only_a_code_that_ssh_passes_on_says_something_of_the_command() {
        let code = |code: i32| ExitStatus::from_raw(code << 8);
        let signal = ExitStatus::from_raw;
        let known = |ending: Ending| !matches!(ending, Ending::Unknown { .. });
        for (status, reach, is_known) in [
            (code(0), Reach::OwnSession, true),
            (code(254), Reach::OwnSession, true),
            (code(255), Reach::OwnSession, false),
            (code(255), Reach::Terminal, false),
            (signal(2), Reach::OwnSession, false),
            (signal(2), Reach::Terminal, true),
            (signal(15), Reach::Terminal, false),
        ] {
            assert_eq!(known(ending(status, reach)), is_known, "{status:?}");
        }
        let cancelled = ending(signal(2), Reach::Terminal);
        assert_eq!(cancelled, Ending::Killed { signal: 2 });
    }
}
