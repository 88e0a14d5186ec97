//! Which of our three standard descriptors were closed when we were started.
//!
//! Before `main`, Rust opens `/dev/null` in the place of a closed one, so that no file of ours gets its number. That is
//! as it should be, but what we print would vanish without a word. So it is looked still earlier, among the
//! functions that the loader calls before it starts the program; to be one of them is what needs `unsafe`.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU8, Ordering};

use rustix::io::{Errno, fcntl_getfd};

/// One bit for each descriptor that was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);

// SAFETY: the loader calls what this section holds, with arguments that `look` does not take, which its calling
// convention allows. `look` needs nothing of what Rust sets up before `main`: three system calls and an atomic.
#[used]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let standard = [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ];
    for (number, descriptor) in standard.into_iter().enumerate() {
        if fcntl_getfd(descriptor) == Err(Errno::BADF) {
            CLOSED.fetch_or(1 << number, Ordering::Relaxed);
        }
    }
}

/// Whether a standard descriptor was closed when we were started; `number` is 0, 1 or 2.
pub(super) fn was_closed(number: u8) -> bool {
    CLOSED.load(Ordering::Relaxed) >> number & 1 == 1
}
