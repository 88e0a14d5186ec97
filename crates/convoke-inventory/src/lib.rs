//! Which hosts: ranges, ordered host lists and host expressions.
//!
//! Text goes in, values come out. Nothing here reads a file, asks a name service or looks at the environment: an
//! expression says what it [needs](Expr::needs), the caller fetches that, and evaluation is a pure function of both.
//!
//! ```
//! use convoke_inventory::{Expr, Supplied};
//!
//! let hosts = Expr::parse("web[1-3],db[01-02]!web2")?.evaluate(&Supplied::nothing())?;
//! assert_eq!(hosts.join(" "), "web1 web3 db01 db02");
//! assert_eq!(hosts.fold(), "db[01-02],web[1,3]");
//! # Ok::<(), convoke_inventory::Error>(())
//! ```

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice
)]

pub mod error;
pub mod rangeset;

pub mod hostlist;

pub mod expr;

pub use error::Error;
pub use expr::{Expr, HostFile, Need, Supplied};
pub use hostlist::{HostList, HostName};
pub use rangeset::{MAX_NAMES, RangeSet};
