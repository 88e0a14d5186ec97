//! Run commands on many hosts: the engine, and the library that people use.
//!
//! An [`action`] takes a list of (host, work), runs one isolated task a host, and sends
//! [`event`]s into one bounded queue; a [`report`] folds them. Every (host, step) ends in exactly
//! one [`outcome`].
//!
//! ```
//! use convoke::action::{Action, QUEUE};
//! use convoke::agents::Agents;
//! use convoke::cancel::Cancel;
//! use convoke::connect::surroundings::Surroundings;
//! use convoke::event::Kind;
//! use convoke::host::{Host, Reach, Work};
//! use convoke::process::Command;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hosts = [Host::new("local:demo1")?, Host::new("local:demo2")?];
//! let action = Action::everywhere(hosts, Work::Process(Command::new(["uname", "-s"])));
//! let reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
//! let (events, mut happened) = tokio::sync::mpsc::channel::<convoke::event::Event>(QUEUE);
//! let cancel = Cancel::new();
//! let consumer = async {
//!     let mut output = Vec::new();
//!     while let Some(event) = happened.recv().await {
//!         if let Kind::Output { data, .. } = event.kind {
//!             output.extend_from_slice(&data);
//!         }
//!     }
//!     output
//! };
//! let (report, output) = tokio::join!(action.run(&reach, events, &cancel), consumer);
//! assert!(report.is_ok());
//! assert_eq!(output, b"Linux\nLinux\n");
//! # Ok(())
//! # }
//! ```

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
