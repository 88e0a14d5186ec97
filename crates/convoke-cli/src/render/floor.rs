//! Who may write to the terminal: the renderer, or whoever asks the operator something there.

use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::sink::Descriptor;

/// How much is kept for later of what is said aside, in bytes; more than that is lost.
const ASIDE: usize = 256 * 1024;

/// The right to write to the terminal. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Floor(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody asks, or is about to.
    asking: bool,
    /// The renderer is at it.
    rendering: bool,
    /// What was said aside meanwhile.
    aside: Vec<u8>,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub(crate) struct Taken(Floor);

impl Floor {
    /// Takes it from the renderer as soon as that has written what it is at. Waits meanwhile, and while somebody else
    /// has it.
    pub(crate) fn take(&self) -> Taken {
        let mut state = self.wait_while(|state| state.asking);
        state.asking = true;
        drop(state);
        drop(self.wait_while(|state| state.rendering));
        Taken(self.clone())
    }

    /// Whether the renderer should write what it has, and step aside.
    pub(crate) fn is_wanted(&self) -> bool {
        self.state().asking
    }

    /// The renderer begins to write, when nobody asks any more.
    pub(crate) fn enter(&self) {
        self.wait_while(|state| state.asking).rendering = true;
    }

    /// The renderer has written everything, and waits for something to do.
    pub(crate) fn leave(&self) {
        self.state().rendering = false;
        self.0.changed.notify_all();
    }

    /// Says something on stderr, beside the renderer, or later when somebody asks.
    pub(crate) fn say_aside(&self, text: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        match state.asking {
            true if state.aside.len() < ASIDE => state.aside.extend_from_slice(text),
            true => {}
            false => Descriptor(rustix::stdio::stderr()).write_all(text)?,
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, is_busy: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self
            .0
            .changed
            .wait_while(self.state(), |state| is_busy(state));
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let aside = std::mem::take(&mut state.aside);
        // Who cannot be told misses nothing that counts.
        let _ = Descriptor(rustix::stdio::stderr()).write_all(&aside);
        state.asking = false;
        drop(state);
        self.0.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_said_aside_waits_while_somebody_asks() {
        let floor = Floor::default();
        let taken = floor.take();
        floor.say_aside(b"later\n").unwrap();
        assert_eq!(floor.state().aside, b"later\n");
        drop(taken);
        assert!(floor.state().aside.is_empty());
    }

    #[test]
    fn who_asks_waits_for_the_renderer_and_the_renderer_for_the_answer() {
        let floor = Floor::default();
        let (told, hears) = channel();
        floor.enter();
        let asking = {
            let (floor, told) = (floor.clone(), told.clone());
            thread::spawn(move || {
                let taken = floor.take();
                told.send("asked").unwrap();
                drop(taken);
            })
        };
        while !floor.is_wanted() {
            thread::yield_now();
        }
        told.send("rendered").unwrap();
        floor.leave();
        floor.enter();
        told.send("rendered again").unwrap();
        asking.join().unwrap();
        let order: Vec<_> = hears.try_iter().collect();
        assert_eq!(order, ["rendered", "asked", "rendered again"]);
    }
}
