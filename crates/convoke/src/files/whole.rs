//! Whether a file that came shorter than it was announced is whole.

use std::io;

use bstr::BString;
use convoke_proto::file::{Follow, Stat};
use convoke_proto::operation::{Answer, Operation};

use crate::link::Link;
use crate::operate::operate;
use crate::printable::printable;
use crate::transfer::Undone;

/// Sees that a file, of which less came than `opened` has announced, did not change meanwhile.
///
/// Then it was all there is: the kernel says of much that it makes up, as in `/sys`, that it has the size of a page.
///
/// # Errors
/// It is another file now or has changed, and what came is a part of it.
pub(super) async fn check(link: &Link, path: &BString, opened: &Stat) -> Result<(), Undone> {
    let look = Operation::Stat {
        path: path.clone(),
        follow: Follow::Yes,
        digests: Vec::new(),
    };
    let mut now = None;
    let asked = operate(link, vec![look], |_, reply| now = reply.ok());
    asked.await.map_err(Undone::Broken)?;
    match now {
        Some(Answer::Stat(Some(now))) if is_unchanged(opened, &now) => Ok(()),
        _ => {
            let path = printable(path);
            let error = format!("it would not be whole: \"{path}\" changed while it was fetched");
            Err(Undone::Here(io::Error::other(error)))
        }
    }
}

/// Whether it is the same file with the same content.
fn is_unchanged(before: &Stat, now: &Stat) -> bool {
    let identity = |stat: &Stat| (stat.device, stat.inode, stat.size, stat.modified);
    identity(before) == identity(now)
}
