//! Run commands on many hosts: the engine, and the library that people use.
//!
//! There are two ways to use it. A program that asks hosts for facts and effects opens them and uses [verbs](verb::Verbs),
//! the same on one host and on many; the page `docs/library.md` is a tour.
//!
//! ```
//! use convoke::agents::Agents;
//! use convoke::connect::surroundings::Surroundings;
//! use convoke::host::{Host, Reach};
//! use convoke::remote::Remote;
//! use convoke::verb::Verbs as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
//! let remote = Remote::open(&Host::new("local:demo")?, &reach).await?;
//! let said = remote.run(["printf", "%s", "it's here"]).await?;
//! assert_eq!(said.stdout, "it's here");
//! assert_eq!(remote.stat("/no/such/file").await?, None);
//! remote.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! | module | what is there |
//! | --- | --- |
//! | [`host`] | a host, and by which means hosts are reached |
//! | [`remote`] | one open host, and why a verb failed on it |
//! | [`verb`] | everything that one can ask of a host |
//! | [`scope`] | defaults: where, as whom, with which variables and permissions |
//! | [`batch`] | many verbs in one flight |
//! | [`session`] | many open hosts |
//! | [`facts`] | what is true of a host |
//!
//! A program that shows what happens while it happens, such as the command line, uses the engine below. An
//! [`action`] takes a list of (host, work), runs one isolated task a host, and sends [`event`]s into one bounded
//! queue; a [`report`] folds them. Every (host, step) ends in exactly one [`outcome`].
//!
//! ```
//! use convoke::action::{Action, QUEUE};
//! use convoke::agents::Agents;
//! use convoke::cancel::Cancel;
//! use convoke::connect::surroundings::Surroundings;
//! use convoke::event::{Event, Kind};
//! use convoke::host::{Host, Reach, Work};
//! use convoke::mpsc;
//! use convoke::process::Command;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hosts = [Host::new("local:demo1")?, Host::new("local:demo2")?];
//! let action = Action::everywhere(hosts, Work::Process(Command::new(["uname", "-s"])));
//! let reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
//! let (events, mut happened) = mpsc::channel::<Event>(QUEUE);
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

mod answer;
pub mod cancel;
pub mod error;
pub mod event;
pub mod facts;
mod failure;
mod hex;
mod lossless;
pub mod outcome;
pub mod printable;
mod random;
pub mod utc;

pub mod agents;
pub mod bootstrap;
// Public for the fuzz targets and the benchmarks, which drive the two halves of the protocol.
#[doc(hidden)]
pub mod link;

pub mod operate;
pub mod process;
mod transfer;

pub mod content;
pub mod landing;

pub mod files;
pub mod report;

pub mod host;

pub mod action;

pub mod scope;

pub mod remote;

pub mod verb;

pub mod session;

pub use bstr::BString;
pub use bytes::{Bytes, BytesMut};
pub use convoke_connect as connect;
pub use convoke_inventory as inventory;
pub use convoke_proto as proto;
pub use tokio::io::{AsyncRead, AsyncWrite};
pub use tokio::sync::mpsc;
pub use verb::batch;

/// The programs of the page for users of the library, which compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct LibraryPage;
