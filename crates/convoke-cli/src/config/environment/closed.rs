//! Whether our stdin or stdout was closed when we were started.
//!
//! Before `main`, Rust opens `/dev/null` in the place of a closed standard descriptor, so that no file of ours gets its
//! number. That is as it should be, and enough for stderr; but what we print would vanish without a word, and a file that
//! was to get what we read would be emptied. So it is looked still earlier, among the functions that the loader calls
//! before it starts the program; to be one of them is what needs `unsafe`.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, fcntl_getfd};

static WAS_STDIN_CLOSED: AtomicBool = AtomicBool::new(false);
static WAS_STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

// SAFETY: the loader calls what this section holds, with arguments that `look` does not take, which its calling
// convention allows. `look` needs nothing of what Rust sets up before `main`: system calls and atomics.
#[used]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let is_closed = |descriptor| fcntl_getfd(descriptor) == Err(Errno::BADF);
    WAS_STDIN_CLOSED.store(is_closed(rustix::stdio::stdin()), Ordering::Relaxed);
    WAS_STDOUT_CLOSED.store(is_closed(rustix::stdio::stdout()), Ordering::Relaxed);
}

/// Whether our stdin was closed when we were started.
pub(super) fn was_stdin_closed() -> bool {
    WAS_STDIN_CLOSED.load(Ordering::Relaxed)
}

/// Whether our stdout was closed when we were started.
pub(super) fn was_stdout_closed() -> bool {
    WAS_STDOUT_CLOSED.load(Ordering::Relaxed)
}
