//! The signals that stop a run.

mod suspend;

use nix::sys::signal::{SigSet, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Stop;
pub(crate) use suspend::tidy_before_suspension;

/// Lets a write beyond a limit of file sizes (`ulimit -f`) fail like every other that goes wrong, instead of ending us
/// without a word. Call it before any thread is started.
pub(crate) fn outlive_file_limits() {
    // Held back, it ends nobody. What commands run in gets a mask of its own.
    let _ = SigSet::from(Number::SIGXFSZ).thread_block();
}

/// The signals that stop a run, as they come.
pub(crate) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hangup: Option<Signal>,
}

impl Signals {
    /// Listens from now on. What whoever started us wants ignored (`nohup`, a background job of a script)
    /// stays ignored.
    ///
    /// Call it inside a runtime.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let ignored = ignored();
        let listen = |kind: SignalKind| match ignored >> (kind.as_raw_value() - 1) & 1 {
            0 => signal(kind).map(Some),
            _ => Ok(None),
        };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            Some(()) = received(&mut self.interrupt) => Stop::Interrupt,
            Some(()) = received(&mut self.terminate) => Stop::Terminate,
            Some(()) = received(&mut self.hangup) => Stop::Hangup,
            else => std::future::pending().await,
        }
    }
}

async fn received(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

/// The signals that are ignored, signal 1 in the lowest bit. Read from `/proc`, because the call that
/// tells cannot be made safely; where there is none, nothing is.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
