//! Small files that go to a host together: in one request, which spares each of them a round trip.

use bstr::BString;
use convoke_proto::file::{NewFile, Stored};
use convoke_proto::operation::{Answer, Failure, Operation};

use super::Upload;
use crate::error::LinkError;
use crate::link::Link;
use crate::operate::{Asked, weight};
use crate::process::Broken;
use crate::transfer::Undone;

/// How much the files weigh that leave together, in bytes: so many that a long way costs little, and so few that
/// hundreds of hosts may hold as much each.
const MAX_FLIGHT: usize = 256 * 1024;

/// A file that shall go to a host, once it is known how it does.
pub(super) enum Load {
    /// In one piece, with others.
    Small(Operation),
    /// As a stream of its own.
    Large(NewFile),
    /// Not at all.
    Never(Undone),
}

/// Files that go in one request. Those that do not go at all are among them, so that each has its result in its
/// turn.
#[derive(Default)]
pub(super) struct Flight<'a> {
    files: Vec<(&'a Upload, Result<u64, Undone>)>,
    operations: Vec<Operation>,
    /// What the operations weigh.
    weight: usize,
}

/// The results of a flight that has left.
pub(super) struct Landed<'a, 'l> {
    files: std::vec::IntoIter<(&'a Upload, Result<u64, Undone>)>,
    asked: Option<Asked<'l>>,
}

impl Load {
    /// Reads what a small file shall hold; `path` is its place, or why it has none.
    pub(super) async fn of(upload: &Upload, path: Result<BString, Failure>) -> Self {
        let path = match path {
            Ok(path) => path,
            Err(failure) => return Load::Never(Undone::Host(failure)),
        };
        let file = NewFile {
            path,
            ..upload.file.clone()
        };
        match upload.content.read_small().await {
            Ok(Some(content)) => Load::Small(Operation::Put {
                file,
                content: content.into(),
            }),
            Ok(None) => Load::Large(file),
            Err(error) => Load::Never(Undone::Here(error)),
        }
    }
}

impl<'a> Flight<'a> {
    /// Whether this file may go with the others.
    pub(super) fn has_room(&self, operation: &Operation) -> bool {
        self.operations.is_empty() || self.weight + weight(operation) <= MAX_FLIGHT
    }

    /// Adds a file that is put in place by an operation.
    pub(super) fn add(&mut self, upload: &'a Upload, operation: Operation) {
        let size = match &operation {
            Operation::Put { content, .. } => content.len() as u64,
            _ => 0,
        };
        self.weight += weight(&operation);
        self.operations.push(operation);
        self.files.push((upload, Ok(size)));
    }

    /// Adds a file that does not go.
    pub(super) fn add_undone(&mut self, upload: &'a Upload, why: Undone) {
        self.files.push((upload, Err(why)));
    }

    /// Asks a host for all of them.
    pub(super) async fn leave<'l>(self, link: &'l Link) -> Result<Landed<'a, 'l>, Broken> {
        let asked = match self.operations.is_empty() {
            true => None,
            false => Some(Asked::begin(link, self.operations).await?),
        };
        Ok(Landed {
            files: self.files.into_iter(),
            asked,
        })
    }
}

impl<'a> Landed<'a, '_> {
    /// The next file and what became of it; none when all have come.
    pub(super) async fn next(
        &mut self,
    ) -> Result<Option<(&'a Upload, Result<Stored, Undone>)>, Broken> {
        match self.files.next() {
            Some((upload, Err(why))) => Ok(Some((upload, Err(why)))),
            Some((upload, Ok(size))) => Ok(Some((upload, self.stored(size).await?))),
            None => {
                // The host's last word.
                if let Some(asked) = &mut self.asked {
                    asked.next().await?;
                }
                Ok(None)
            }
        }
    }

    async fn stored(&mut self, size: u64) -> Result<Result<Stored, Undone>, Broken> {
        let unreadable = LinkError::Unreadable;
        let Some(asked) = &mut self.asked else {
            return Err(Broken::unsent(unreadable));
        };
        match asked.next().await? {
            // A host that has stored something else than was sent is believed in nothing.
            Some((_, Ok(Answer::Stored(stored)))) if stored.size == size => Ok(Ok(stored)),
            Some((_, Err(failure))) => Ok(Err(Undone::Host(failure))),
            _ => Err(asked.broken(unreadable)),
        }
    }
}
