//! Convoke's program on a host.

fn main() {}
