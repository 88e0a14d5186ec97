//! Random bytes from the kernel.

/// So many of them.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel has random bytes on every system we run on");
    bytes
}
