//! What is asked of a file that is open on a host.

use bstr::BString;
use convoke_proto::file::Stat as FileStat;
use convoke_proto::operation::{Answer, Failure, MAX_CONTENT, Operation};

use crate::link::Channel;
use crate::operate::Reply;
use crate::remote::{Remote, VerbError};

/// A file that is open on a host, without a position. Closed on drop.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) remote: Remote,
    /// What errors call it; from the login home when it is relative.
    pub(super) path: BString,
    /// The number of its channel, by which the host knows it.
    pub(super) number: u32,
    /// Its life is that of the file.
    pub(super) _channel: Channel,
}

impl Handle {
    /// What is true of it now.
    pub(super) async fn stat(&self) -> Result<FileStat, VerbError> {
        let file = self.number;
        match self.ask(Operation::StatOpen { file }).await? {
            Answer::Stat(Some(stat)) => Ok(*stat),
            _ => Err(VerbError::unreadable()),
        }
    }

    /// Reads a piece.
    pub(super) async fn piece(&self, offset: u64, most: usize) -> Result<BString, VerbError> {
        let most = most.min(MAX_CONTENT);
        let read = Operation::ReadAt {
            file: self.number,
            offset,
            limit: most as u32,
        };
        match self.ask(read).await? {
            Answer::Content(content) if content.len() <= most => Ok(content),
            _ => Err(VerbError::unreadable()),
        }
    }

    /// Writes a piece, and says where it ends.
    pub(super) async fn write(
        &self,
        offset: Option<u64>,
        content: BString,
    ) -> Result<u64, VerbError> {
        let write = Operation::WriteAt {
            file: self.number,
            offset,
            content,
        };
        match self.ask(write).await? {
            Answer::Position(end) => Ok(end),
            _ => Err(VerbError::unreadable()),
        }
    }

    /// Asks for something that is done to the file. The host knows it by a number alone, which no error shall say.
    pub(super) async fn ask(&self, operation: Operation) -> Result<Answer, VerbError> {
        match self.operate(operation).await? {
            Ok(answer) => Ok(answer),
            Err(failure) => {
                let value = self.absolute().await;
                Err(Failure { value, ..failure }.into())
            }
        }
    }

    /// Where it stood when it was opened. Where a login's home is only the host knows; without an answer, the
    /// path stays as it was given.
    pub(super) async fn absolute(&self) -> BString {
        let path = self.path.clone();
        if path.starts_with(b"/") {
            return path;
        }
        match self.operate(Operation::Absolute { path }).await {
            Ok(Ok(Answer::Path(Some(path)))) => path,
            _ => self.path.clone(),
        }
    }

    async fn operate(&self, operation: Operation) -> Result<Reply, VerbError> {
        let mut reply = None;
        self.remote
            .operate(vec![operation], |_, came| reply = Some(came))
            .await?;
        reply.ok_or_else(VerbError::unreadable)
    }
}
