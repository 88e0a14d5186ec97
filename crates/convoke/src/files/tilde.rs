//! Paths that begin with `~`, and what they are on a host.

use bstr::BString;
use convoke_proto::operation::{Answer, Failure, Field, Operation, Reason};

use crate::link::Link;
use crate::operate::{Reply, operate};
use crate::process::Broken;

/// What a `~` at the begin of a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tilde {
    /// A name like any other.
    #[default]
    Verbatim,
    /// As in a shell of the host, a home: that of the login, or of the user whose name follows.
    Home,
}

impl Tilde {
    /// Whether only the host knows where a path leads.
    pub(crate) fn is_in(self, path: &[u8]) -> bool {
        self == Tilde::Home && path.starts_with(b"~")
    }
}

/// Asks the host what the paths with a `~` are, and nothing when there is none; all paths, in order.
pub(crate) async fn expanded(
    link: &Link,
    paths: Vec<(&BString, Tilde)>,
) -> Result<Vec<Result<BString, Failure>>, Broken> {
    let asks = |(path, tilde): &(&BString, Tilde)| tilde.is_in(path);
    let wanted = paths.iter().filter(|path| asks(path));
    let wanted = wanted.map(|(path, _)| Operation::Expand {
        path: (*path).clone(),
    });
    let mut replies: Vec<Reply> = Vec::new();
    operate(link, wanted.collect(), |_, reply| replies.push(reply)).await?;
    let mut replies = replies.into_iter();
    let expanded = paths.iter().map(|path| match asks(path) {
        false => Ok(path.0.clone()),
        true => match replies.next() {
            Some(Ok(Answer::Path(Some(path)))) => Ok(path),
            Some(Err(failure)) => Err(failure),
            _ => Err(Failure {
                field: Field::Path,
                value: path.0.clone(),
                reason: Reason::Unknown,
                path: None,
            }),
        },
    });
    Ok(expanded.collect())
}
