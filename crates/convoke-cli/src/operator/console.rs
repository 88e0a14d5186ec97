//! Asking on the terminal: one question at a time, each on a thread of its own.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use convoke::connect::ask::{Visible, Zeroizing};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use tokio::sync::{Mutex, oneshot};

use super::echo::{Asked, Echo};
use crate::render::floor::Floor;
use crate::render::screen::Line;

/// The longest answer, in bytes: a terminal keeps no more of a line.
const LONGEST: usize = 4096;

/// The terminal of the operator.
pub(super) struct Console {
    terminal: Arc<File>,
    echo: Echo,
    floor: Floor,
    line: Line,
    turn: Mutex<()>,
}

/// Takes a question back when it is dropped.
struct Withdrawal(Arc<OwnedFd>);

impl Drop for Withdrawal {
    fn drop(&mut self) {
        // It holds no other number yet, so there is room for this one.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Console {
    /// Questions are asked on `terminal` while nothing else is written there.
    pub(super) fn new(terminal: File, floor: Floor, line: Line) -> Self {
        let terminal = Arc::new(terminal);
        Console {
            echo: Echo::new(Arc::clone(&terminal)),
            terminal,
            floor,
            line,
            turn: Mutex::default(),
        }
    }

    pub(super) fn stage(&self) -> (Floor, Line) {
        (self.floor.clone(), self.line.clone())
    }

    pub(super) fn echo(&self) -> Echo {
        self.echo.clone()
    }

    /// What is typed; none when that is nothing. Dropping it takes the question back.
    pub(super) async fn ask(&self, prompt: &str, visible: Visible) -> Option<Zeroizing<String>> {
        let _turn = self.turn.lock().await;
        let withdrawn = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).ok()?);
        let (answer_in, answer) = oneshot::channel();
        let question = Typing {
            terminal: Arc::clone(&self.terminal),
            echo: self.echo.clone(),
            floor: self.floor.clone(),
            line: self.line.clone(),
            prompt: prompt.to_owned(),
            visible,
            withdrawn: Arc::clone(&withdrawn),
        };
        let _withdrawal = Withdrawal(withdrawn);
        let thread = thread::Builder::new().name("operator".to_owned());
        let asking = thread.spawn(move || drop(answer_in.send(question.ask())));
        asking.ok()?;
        answer.await.ok().flatten()
    }
}

/// A question on its thread.
struct Typing {
    terminal: Arc<File>,
    echo: Echo,
    floor: Floor,
    line: Line,
    prompt: String,
    visible: Visible,
    withdrawn: Arc<OwnedFd>,
}

impl Typing {
    fn ask(self) -> Option<Zeroizing<String>> {
        let _floor = self.floor.take();
        self.wait(Wait::Not)?;
        self.line.lend();
        let asked = self.echo.ask(&self.prompt, self.visible);
        let typed = asked.ok().and_then(|asked| self.line_typed(asked));
        self.line.take_back();
        typed
    }

    /// What is typed until the end of the line, or of the input.
    fn line_typed(&self, mut asked: Asked<'_>) -> Option<Zeroizing<String>> {
        let mut typed = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
        let mut piece = Zeroizing::new([0; LONGEST]);
        while typed.last() != Some(&b'\n') && typed.len() < LONGEST {
            self.wait(Wait::ForKeys)?;
            match rustix::io::read(&*self.terminal, &mut piece[..]) {
                Ok(0) => break,
                Ok(read) => typed.extend_from_slice(&piece[..read]),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return None,
            }
        }
        let line = typed.strip_suffix(b"\n");
        asked.is_line = line.is_some();
        let line = line.unwrap_or(&typed);
        let line = str::from_utf8(line).ok().filter(|line| !line.is_empty())?;
        Some(Zeroizing::new(line.to_owned()))
    }

    /// Waits for keys; none when the question was taken back.
    fn wait(&self, wait: Wait) -> Option<()> {
        let mut ready = [
            PollFd::new(&*self.withdrawn, PollFlags::IN),
            PollFd::new(&*self.terminal, PollFlags::IN),
        ];
        let limit = match wait {
            Wait::ForKeys => None,
            Wait::Not => Some(Default::default()),
        };
        loop {
            match poll(&mut ready, limit.as_ref()) {
                Ok(_) if !ready[0].revents().is_empty() => return None,
                Ok(_) => return Some(()),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Whether something is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Until something was typed.
    ForKeys,
    /// It is only looked whether the question still stands.
    Not,
}
