//! Whether a file that came shorter than it was announced is whole.

use bstr::BString;
use convoke_proto::file::{Follow, Stat};
use convoke_proto::operation::{Answer, Operation};

use crate::link::Link;
use crate::operate::operate;
use crate::process::Broken;

/// Whether a file, of which less came than `opened` has announced, did not change meanwhile.
///
/// Then it was all there is: the kernel says of much that it makes up, as in `/sys`, that it has the size of a page.
/// Otherwise it is another file now or has changed, and what came is a part of it.
pub(crate) async fn is_unchanged(
    link: &Link,
    path: &BString,
    opened: &Stat,
) -> Result<bool, Broken> {
    let look = Operation::Stat {
        path: path.clone(),
        follow: Follow::Yes,
        digests: Vec::new(),
    };
    let mut now = None;
    operate(link, vec![look], |_, reply| now = reply.ok()).await?;
    Ok(matches!(now, Some(Answer::Stat(Some(now))) if identity(&now) == identity(opened)))
}

/// What is different when it is another file or its content changed.
fn identity(stat: &Stat) -> impl PartialEq {
    (stat.device, stat.inode, stat.size, stat.modified)
}
