//! What is made of ssh's configuration, against `ssh -G` itself.
//!
//! `CONVOKE_TEST_FULL=1` generates many more configurations.

mod cases;
mod generated;
mod oracle;
mod speed;
