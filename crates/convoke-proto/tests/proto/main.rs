//! What both ends of the wire rely on: layouts, splitting, refusals and credit.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests are tests, which clippy does not see.

mod any;

mod codec;
mod credit;
mod golden;
mod hostile;
