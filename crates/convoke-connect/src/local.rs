//! This machine: `local:` and `local:NAME`, where the name is only a label.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::connector::{Close, Connector, Ending, Pipes, Request};
use crate::error::ConnectError;
use crate::future::BoxFuture;
use crate::start::start;

/// The shell that reads the command, as a login shell does elsewhere.
const SHELL: &str = "/bin/sh";

/// Reaches this machine, as the account we run as, through `/bin/sh`.
///
/// Every endpoint is a host of its own: `local:a` and `local:b` share nothing but the machine. The
/// command runs in its own process group, so that a key pressed on our terminal does not reach it
/// before us.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

impl Connector for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn open<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Pipes, ConnectError>> {
        Box::pin(std::future::ready(spawn(request)))
    }
}

fn spawn(request: Request<'_>) -> Result<Pipes, ConnectError> {
    let mut shell = Command::new(SHELL);
    shell
        .arg("-c")
        .arg(request.command)
        .env_clear()
        .envs(request.surroundings.environment.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let child = start(&mut shell, SigSet::empty()).map_err(failed)?;
    pipes(child).ok_or_else(|| failed(io::Error::other("a pipe of the shell is missing")))
}

fn pipes(mut child: Child) -> Option<Pipes> {
    Some(Pipes {
        reader: Box::new(child.stdout.take()?),
        writer: Box::new(child.stdin.take()?),
        stderr: Box::new(child.stderr.take()?),
        close: Box::new(Shell { child }),
        lent: None,
    })
}

fn failed(source: io::Error) -> ConnectError {
    ConnectError::not_started(format!("{SHELL} could not be started: {source}"), source)
}

/// The running shell, or what it became.
struct Shell {
    child: Child,
}

/// TERM to its process group, never KILL: whoever still cleans up there must be able to end that. A
/// child that is left unreaped is reaped by the runtime.
impl Drop for Shell {
    fn drop(&mut self) {
        // A child that was reaped has no number any more, so nobody else can be hit.
        let group = self.child.id().and_then(|pid| Pid::from_raw(pid as i32));
        if let Some(group) = group {
            // An error means that the group is gone.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
}

impl Close for Shell {
    fn close(mut self: Box<Self>) -> BoxFuture<'static, Ending> {
        Box::pin(async move {
            match self.child.wait().await {
                Ok(status) => ending(status),
                Err(error) => Ending::Unknown {
                    remark: format!("its end could not be awaited: {error}"),
                },
            }
        })
    }
}

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited { code },
        (None, Some(signal)) => Ending::Killed { signal },
        (None, None) => Ending::Unknown {
            remark: status.to_string(),
        },
    }
}
