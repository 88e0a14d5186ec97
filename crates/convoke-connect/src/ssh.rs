//! Hosts over ssh without the system's `ssh`: what is needed to do exactly what it would do.

pub mod config;
pub mod force;
pub mod settings;
