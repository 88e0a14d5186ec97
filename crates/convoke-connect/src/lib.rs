//! How Convoke reaches a host: one small trait, a registry by url scheme, one file a connector.
//!
//! A [`Connector`](connector::Connector) opens an [`Endpoint`](endpoint::Endpoint), runs one command
//! line there with the host's shell, and hands out its [`Pipes`](connector::Pipes). Nothing here
//! knows what the command is.

pub mod endpoint;
pub mod error;
pub mod future;
pub mod surroundings;
pub mod terminal;
pub mod trail;

pub mod ask;
pub mod connector;

mod start;

pub mod local;

pub mod ssh;

pub mod registry;
