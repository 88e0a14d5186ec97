//! Convoke's program on a host: frames in on stdin, frames out on stdout.
//!
//! Two processes. The *guard* is the original one and does nothing but wait; the *worker* speaks the
//! wire, starts what it is asked to and watches over it. When the worker dies, the guard ends what it
//! left behind. [`serve`] is the protocol without I/O, [`drive`] the loop that does the system calls, and
//! [`verbs`] what is done for an operation.

pub mod serve;

pub mod signals;
pub mod spawn;

pub mod errand;

pub mod account;
pub mod order;

pub mod verbs;

pub mod job;

pub mod tree;

pub mod register;

pub mod ledger;

pub mod kill;
pub mod process;

pub mod guard;

pub mod drive;

pub mod run;
