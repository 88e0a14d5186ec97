//! Whether our stdout was closed when we were started.
//!
//! Before `main`, Rust opens `/dev/null` in the place of a closed standard descriptor, so that no file of ours gets its
//! number. That is as it should be, and enough for stdin and stderr; but what we print would vanish without a word. So it is
//! looked still earlier, among the functions that the loader calls before it starts the program; to be one of them
//! is what needs `unsafe`.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{Errno, fcntl_getfd};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

// SAFETY: the loader calls what this section holds, with arguments that `look` does not take, which its calling
// convention allows. `look` needs nothing of what Rust sets up before `main`: a system call and an atomic.
#[used]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let is_closed = fcntl_getfd(rustix::stdio::stdout()) == Err(Errno::BADF);
    WAS_CLOSED.store(is_closed, Ordering::Relaxed);
}

/// Whether our stdout was closed when we were started.
pub(super) fn was_stdout_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}
