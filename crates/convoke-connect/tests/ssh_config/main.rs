//! What is made of ssh's configuration, against `ssh -G` itself.
//!
//! `CONVOKE_TEST_FULL=1` generates many more configurations.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod asked;
mod cases;
mod files;
mod generated;
mod options;
mod oracle;
mod speed;
mod system;
mod values;
