//! The words both ends of Convoke's wire share, and the codec that carries them.
//!
//! Pure: bytes in, values out. Nothing here waits, reads a clock, or touches the system. The page
//! `docs/protocol.md` shows the same facts as tables.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

pub mod account;
pub mod command;
pub mod exit;
pub mod fault;
pub mod file;
pub mod frame;
pub mod hello;
pub mod message;
pub mod operation;

pub mod codec;
pub mod credit;
