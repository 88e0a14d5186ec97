//! Who may send how much: credit per stream, out of one shared budget.
//!
//! The receiver of a stream holds a [`Window`] and grants from it; the sender holds an
//! [`Allowance`]. Both start at nothing: the receiver's first [`Credit`](crate::message::Credit)
//! opens the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The window of a new stream, in bytes.
pub const FIRST_WINDOW: usize = 32 * 1024;

/// The largest window of a stream, in bytes: 4 MiB fill a 1 Gbit/s path with 30 ms of round trip.
pub const MAX_WINDOW: usize = 4 * 1024 * 1024;

/// The window of a stream that is born when the budget is short, for as long as it is, in bytes.
pub const SHORT_WINDOW: usize = 8 * 1024;

/// What a controller lets all its streams buffer together unless told otherwise, in bytes.
pub const CONTROLLER_BUDGET: usize = 32 * 1024 * 1024;

/// What an agent lets all its inbound streams buffer together, in bytes.
pub const AGENT_BUDGET: usize = 2 * 1024 * 1024;

/// Bytes that all streams of one process may buffer together. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    left: Arc<AtomicUsize>,
}

impl Budget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        Budget {
            left: Arc::new(AtomicUsize::new(bytes)),
        }
    }

    /// The bytes nobody has reserved.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    fn reserve(&self, bytes: usize) -> bool {
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .is_ok()
    }

    fn release(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The receiver's side of one stream: what the sender may still send, and what waits to be consumed.
///
/// Never more than its size is on the way and buffered together. The size doubles when the sender
/// ran out of credit although most of what came had been consumed, up to [`MAX_WINDOW`]; so a slow
/// consumer and a slow sender keep small windows. (At a grant half the window is free: a consumer
/// that is slower than its sender has about the other half buffered.) Dropping it gives its share of the budget back.
///
/// On a long way the sender runs out while the next grant is still under way to it, which cannot be told from
/// here. So it says that by a frame of no bytes.
#[derive(Debug)]
pub struct Window {
    size: usize,
    on_the_way: usize,
    buffered: usize,
    sender_ran_dry: bool,
    budget: Budget,
    /// How much of the budget it has; nothing while that is short.
    reserved: usize,
}

impl Window {
    /// A new stream's window and the credit to grant at once.
    ///
    /// Born with [`FIRST_WINDOW`], or with [`SHORT_WINDOW`] when the budget is short: then it grows to the first
    /// one as soon as there is room, by the same rule.
    pub fn open(budget: &Budget) -> (Window, u32) {
        let (size, reserved) = match budget.reserve(FIRST_WINDOW) {
            true => (FIRST_WINDOW, FIRST_WINDOW),
            false => (SHORT_WINDOW, 0),
        };
        let window = Window {
            size,
            on_the_way: size,
            buffered: 0,
            sender_ran_dry: false,
            budget: budget.clone(),
            reserved,
        };
        (window, size as u32)
    }

    /// The most that can be on the way and buffered together, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes that came and are not consumed yet.
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// Notes that `bytes` arrived; none say that the sender ran out of credit. `false` when that is more than was
    /// granted.
    #[must_use = "more bytes than were granted end the link"]
    pub fn receive(&mut self, bytes: usize) -> bool {
        let Some(left) = self.on_the_way.checked_sub(bytes) else {
            return false;
        };
        self.on_the_way = left;
        self.buffered += bytes;
        self.sender_ran_dry |= left == 0 || bytes == 0;
        true
    }

    /// Notes that `bytes` of what arrived were consumed; returns the credit to grant now, if any.
    ///
    /// Grants come in halves of the window, so that credit costs few frames.
    #[must_use = "credit that is not sent is lost, and the stream stalls"]
    pub fn consume(&mut self, bytes: usize) -> Option<u32> {
        debug_assert!(bytes <= self.buffered);
        self.buffered = self.buffered.saturating_sub(bytes);
        if self.free() < self.size / 2 {
            return None;
        }
        if self.sender_ran_dry && self.buffered <= self.size / 4 {
            self.sender_ran_dry = false;
            self.grow();
        }
        let grant = self.free();
        self.on_the_way += grant;
        Some(grant as u32)
    }

    fn free(&self) -> usize {
        self.size - self.on_the_way - self.buffered
    }

    fn grow(&mut self) {
        let larger = (2 * self.reserved).max(FIRST_WINDOW);
        if larger <= MAX_WINDOW && self.budget.reserve(larger - self.reserved) {
            (self.size, self.reserved) = (larger, larger);
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.budget.release(self.reserved);
    }
}

/// The sender's side of one stream: how much it may still send.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    left: usize,
}

impl Allowance {
    /// The bytes that may be sent now.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Adds granted bytes. `false` when the peer granted more than any window holds.
    #[must_use = "absurd credit ends the link"]
    pub fn grant(&mut self, bytes: u32) -> bool {
        self.left += bytes as usize;
        self.left <= MAX_WINDOW
    }

    /// Takes `bytes` for sending, at most [`Allowance::left`]; whether that was the last of it, which the sender
    /// says by a frame of no bytes.
    pub fn spend(&mut self, bytes: usize) -> bool {
        debug_assert!(bytes <= self.left);
        self.left = self.left.saturating_sub(bytes);
        bytes > 0 && self.left == 0
    }
}
