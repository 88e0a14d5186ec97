//! Convoke's program on a host: frames in on stdin, frames out on stdout.
