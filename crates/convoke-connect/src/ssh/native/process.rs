//! The program of a `ProxyCommand`: its stdin and stdout are the way to the server.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::Sleep;

use super::contact::Caller;
use super::noise::Noise;
use super::programs::Program;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::printable::printable;
use crate::ssh::session::{self, Session};
use crate::surroundings::Surroundings;

/// What ssh runs it with when nobody chose a shell.
const SHELL: &str = "/bin/sh";

/// How long its last words are waited for once its stdout is at its end: something that it left
/// behind may hold its stderr.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running program. Dropping it ends it, with all of its process group.
pub(super) struct Process {
    /// None when it is being ended.
    program: Option<Program>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// None when it is at its end.
    stderr: Option<ChildStderr>,
    noise: Noise,
    /// Runs when its stdout is at its end.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Process {
    /// Starts `line` as ssh does: by the user's shell, which becomes it. What it says on stderr is
    /// added to `noise`.
    pub(super) fn start(
        line: &str,
        noise: Noise,
        caller: Caller<'_>,
    ) -> Result<Self, ConnectError> {
        let shell = shell(caller.surroundings);
        let mut command = session::command(&shell, Session::Own, caller.surroundings);
        command
            .args(["-c", &format!("exec {line}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let started = caller.programs.start(&mut command);
        let mut program = started.map_err(|error| {
            let text = format!("{} could not be started: {error}", shell.display());
            ConnectError::not_started(printable(&text), error)
        })?;
        let child = &mut program.child;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            let text = "a pipe of the ProxyCommand is missing";
            return Err(ConnectError::new(ConnectErrorKind::Spawn, text));
        };
        Ok(Process {
            program: Some(program),
            stdin,
            stdout,
            stderr: Some(stderr),
            noise,
            patience: None,
        })
    }

    /// Waits for what it still has to say, when it has failed.
    pub(super) async fn hear_out(&mut self) {
        std::future::poll_fn(|context| self.poll_last_words(context)).await;
    }

    /// Listens to its stderr: if nobody did, it would stop once the pipe was full.
    fn listen(&mut self, context: &mut Context<'_>) {
        while let Some(stderr) = &mut self.stderr {
            let mut piece = [0; 1024];
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(stderr).poll_read(context, &mut piece) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => self.noise.add(piece.filled()),
                Poll::Ready(_) => self.stderr = None,
            }
        }
    }

    fn poll_last_words(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.listen(context);
        if self.stderr.is_none() {
            return Poll::Ready(());
        }
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LAST_WORDS)));
        patience.as_mut().poll(context)
    }
}

/// The user's shell. ssh does not look for it in PATH.
fn shell(surroundings: &Surroundings) -> PathBuf {
    let chosen = surroundings.variable("SHELL").unwrap_or(OsStr::new(""));
    match chosen.as_encoded_bytes() {
        [] => SHELL.into(),
        bytes if bytes.contains(&b'/') => chosen.into(),
        _ => PathBuf::from(".").join(chosen),
    }
}

impl AsyncRead for Process {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.listen(context);
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stdout).poll_read(context, buffer);
        let is_over = matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before;
        if is_over && buffer.remaining() > 0 {
            // Its end is told when it is known why.
            return self.poll_last_words(context).map(Ok);
        }
        read
    }
}

impl AsyncWrite for Process {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stdin).poll_write(context, data);
        match written {
            Poll::Pending => self.listen(context),
            // Its end is told when it is known why.
            Poll::Ready(Err(_)) => ready!(self.poll_last_words(context)),
            Poll::Ready(Ok(_)) => {}
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(context)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.noise.end();
        if let Some(program) = self.program.take() {
            program.end();
        }
    }
}
