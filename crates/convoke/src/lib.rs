//! Run commands on many hosts: the engine, and the library that people use.
//!
//! An [`action`] takes a list of (host, work), runs one isolated task a host, and sends
//! [`event`]s into one bounded queue; a [`report`] folds them. Every (host, step) ends in exactly
//! one [`outcome`].

pub mod cancel;
pub mod event;
pub mod outcome;
mod printable;

pub mod agents;
pub mod bootstrap;
pub mod link;

pub mod process;
pub mod report;

pub mod host;

pub mod action;

pub use convoke_connect as connect;
pub use convoke_inventory as inventory;
pub use convoke_proto as proto;
