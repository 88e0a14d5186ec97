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
    open: Arc<Mutex<Option<Open>>>,
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
pub(super) struct Asked<'a>(&'a Echo);

impl Echo {
    pub(super) fn new(terminal: Arc<File>) -> Self {
        Echo {
            terminal,
            open: Arc::default(),
        }
    }

    /// Shows a prompt and, from now on, what is typed only if that may be seen. What was typed before is no answer.
    pub(super) fn ask(&self, prompt: &str, visible: Visible) -> io::Result<Asked<'_>> {
        let before = tcgetattr(&*self.terminal)?;
        let mut during = before.clone();
        during.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        if visible == Visible::No {
            during.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        }
        // It would end us, and leave the terminal as it is.
        during.special_codes[SpecialCodeIndex::VQUIT] = NONE;
        let mut open = self.open();
        tcsetattr(&*self.terminal, OptionalActions::Flush, &during)?;
        *open = Some(Open {
            before,
            during,
            prompt: prompt.to_owned(),
        });
        // That it cannot be seen does not change what is typed.
        let _ = (&*self.terminal).write_all(prompt.as_bytes());
        Ok(Asked(self))
    }

    /// Puts the terminal in order for whoever has it while we are stopped.
    pub(crate) fn pause(&self) {
        if let Some(open) = &*self.open() {
            self.set(&open.before);
        }
    }

    /// Asks again what was being asked.
    pub(crate) fn go_on(&self) {
        if let Some(open) = &*self.open()
            && self.is_ours()
        {
            let _ = tcsetattr(&*self.terminal, OptionalActions::Flush, &open.during);
            let _ = (&*self.terminal).write_all(open.prompt.as_bytes());
        }
    }

    /// Puts the terminal in order for good, whoever still waits for an answer. Whether the key that was pressed last has
    /// a line of its own then: what is not seen is neither Ctrl-C nor the end of a line.
    pub(crate) fn restore(&self) -> bool {
        let Some(open) = self.open().take() else {
            return false;
        };
        self.set(&open.before);
        let is_unseen = !open.during.local_modes.contains(LocalModes::ECHO);
        is_unseen && self.is_ready() && (&*self.terminal).write_all(b"\n").is_ok()
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

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.restore();
    }
}
