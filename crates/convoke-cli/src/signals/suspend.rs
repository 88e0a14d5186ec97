//! Ctrl-Z stops us like every program, but not before the progress line is gone and what is typed is seen again; `fg` brings
//! back the line, and the question that was asked.
//!
//! The signal is held back in every thread and awaited in one of its own, which tidies up, lets the signal through,
//! and is stopped by it together with all others. Its default action stays in force, so that the shell sees a job that was
//! stopped from the terminal. Programs that we start would inherit that it is held back, so whoever starts
//! one gives it a mask of its own.

use std::io;
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};

use crate::operator::Echo;
use crate::render::screen::Line;

/// Takes the progress line away before Ctrl-Z stops us, and shows again what is typed. Call it before any thread is started.
///
/// # Errors
/// No thread can be had.
pub(crate) fn tidy_before_suspension(line: Line, echo: Option<Echo>) -> io::Result<()> {
    let suspension = SigSet::from(Signal::SIGTSTP);
    suspension.thread_block()?;
    let thread = thread::Builder::new().name("suspend".to_owned());
    thread.spawn(move || {
        while suspension.wait().is_ok() {
            if let Some(echo) = &echo {
                echo.pause();
            }
            line.lend();
            // Held back here too, until the next line; there it stops us, and on the one after that we go on.
            let _ = raise(Signal::SIGTSTP);
            let _ = suspension.thread_unblock();
            let _ = suspension.thread_block();
            line.take_back();
            if let Some(echo) = &echo {
                echo.go_on();
            }
        }
    })?;
    Ok(())
}
