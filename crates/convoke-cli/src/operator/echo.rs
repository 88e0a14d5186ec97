//! The terminal while something is typed there, and as it was before.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use convoke::connect::ask::Visible;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// No key does this.
const NONE: u8 = 0;

/// What is shown of what is typed. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Echo {
    terminal: Arc<File>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is asked.
    #[default]
    Closed,
    Open(Open),
    /// Nothing may be asked any more.
    Over,
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Open {
    before: Termios,
    during: Termios,
    prompt: String,
}

/// The question is open until this is dropped.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    echo: &'a Echo,
    /// The answer has ended its line.
    pub(super) is_line: bool,
}

impl Echo {
    pub(super) fn new(terminal: Arc<File>) -> Self {
        Echo {
            terminal,
            state: Arc::default(),
        }
    }

    /// Shows a prompt and, from now on, what is typed only if that may be seen. What was typed before is no answer.
    ///
    /// # Errors
    /// The terminal cannot be had, or was put in order for good.
    pub(super) fn ask(&self, prompt: &str, visible: Visible) -> io::Result<Asked<'_>> {
        let before = tcgetattr(&*self.terminal)?;
        let mut during = before.clone();
        during.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        if visible == Visible::No {
            during.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        }
        // It would end us, and leave the terminal as it is.
        during.special_codes[SpecialCodeIndex::VQUIT] = NONE;
        let mut state = self.state();
        if matches!(*state, State::Over) {
            return Err(io::Error::other("nothing is asked any more"));
        }
        tcsetattr(&*self.terminal, OptionalActions::Flush, &during)?;
        *state = State::Open(Open {
            before,
            during,
            prompt: prompt.to_owned(),
        });
        // That it cannot be seen does not change what is typed.
        let _ = (&*self.terminal).write_all(prompt.as_bytes());
        Ok(Asked {
            echo: self,
            is_line: false,
        })
    }

    /// Puts the terminal in order for whoever has it while we are stopped.
    pub(crate) fn pause(&self) {
        if let State::Open(open) = &*self.state() {
            self.set(&open.before);
        }
    }

    /// Asks again what was being asked.
    pub(crate) fn go_on(&self) {
        if let State::Open(open) = &*self.state()
            && self.is_ours()
        {
            let _ = tcsetattr(&*self.terminal, OptionalActions::Flush, &open.during);
            let _ = (&*self.terminal).write_all(open.prompt.as_bytes());
        }
    }

    /// Puts the terminal in order for good, whoever still waits for an answer or wants to ask. Whether the key that was
    /// pressed last has a line of its own then: what is not seen is neither Ctrl-C nor the end of a line.
    pub(crate) fn restore(&self) -> bool {
        let State::Open(open) = self.turn(State::Over) else {
            return false;
        };
        self.set(&open.before);
        open.is_unseen() && self.end_line()
    }

    /// Puts the terminal in order after an answer; `is_line` if that has ended its line.
    fn close(&self, is_line: bool) {
        let mut state = self.state();
        if let State::Open(open) = &*state {
            self.set(&open.before);
            if open.is_unseen() || !is_line {
                self.end_line();
            }
            *state = State::Closed;
        }
    }

    fn end_line(&self) -> bool {
        self.is_ready() && (&*self.terminal).write_all(b"\n").is_ok()
    }

    fn set(&self, modes: &Termios) {
        // In the background it belongs to somebody else, who has set it up, and touching it would stop us.
        if self.is_ours() {
            let _ = tcsetattr(&*self.terminal, OptionalActions::Now, modes);
        }
    }

    /// Whether a write does not wait: output may be stopped.
    fn is_ready(&self) -> bool {
        let mut ready = [PollFd::new(&*self.terminal, PollFlags::OUT)];
        poll(&mut ready, Some(&Timespec::default())) == Ok(1)
    }

    fn is_ours(&self) -> bool {
        let ours = rustix::process::getpgrp();
        tcgetpgrp(&*self.terminal).is_ok_and(|group| group == ours)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, state: State) -> State {
        std::mem::replace(&mut *self.state(), state)
    }
}

impl Open {
    fn is_unseen(&self) -> bool {
        !self.during.local_modes.contains(LocalModes::ECHO)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.echo.close(self.is_line);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    #[test]
    fn nothing_is_asked_once_the_terminal_is_in_order_for_good() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let name = name.into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name);
        let echo = Echo::new(Arc::new(slave.unwrap()));
        drop(echo.ask("first: ", Visible::No).unwrap());
        let second = echo.ask("second: ", Visible::No).unwrap();
        echo.restore();
        drop(second);
        assert!(echo.ask("third: ", Visible::No).is_err());
    }
}
