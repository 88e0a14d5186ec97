//! One open host, on which verbs are done.

mod error;

use std::sync::Arc;

use convoke_proto::operation::Operation;

use crate::host::{Connection, Host, Reach};
use crate::link::Link;
use crate::operate::{self, Reply};
use crate::scope::Scope;

pub use error::{Completed, CutShort, Part, VerbError};

/// An open host.
///
/// Cheap to clone: all clones share one connection, each with defaults of its own. Any number of verbs may be
/// under way at once; dropping the future of one stops it on the host. When the last clone is dropped, the
/// connection ends, and what still runs on the host is ended there; [`Remote::close`] says goodbye first.
///
/// What can be done is told by [`Verbs`](crate::verb::Verbs).
#[derive(Debug, Clone)]
pub struct Remote {
    open: Arc<Open>,
    scope: Arc<Scope>,
}

/// What all clones share.
#[derive(Debug)]
struct Open {
    name: Arc<str>,
    connection: Connection,
}

impl Remote {
    /// Opens `host`, and brings the agent there when it is missing.
    ///
    /// # Errors
    /// [`VerbError::Unreachable`] when there is no working link.
    pub async fn open(host: &Host, reach: &Reach) -> Result<Self, VerbError> {
        let mut connection = Connection::open(host, reach).await?;
        if let Err(unreachable) = connection.hello().await {
            return Err(connection.explain(unreachable).await.into());
        }
        Ok(Remote {
            open: Arc::new(Open {
                name: Arc::clone(host.name()),
                connection,
            }),
            scope: Arc::default(),
        })
    }

    /// The host's name.
    pub fn name(&self) -> &Arc<str> {
        &self.open.name
    }

    /// The defaults of what is done by this handle.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The same host with `scope` laid over the defaults of this handle, which keeps its own.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> Self {
        Remote {
            open: Arc::clone(&self.open),
            scope: Arc::new(self.scope.with(scope)),
        }
    }

    /// Ends the connection, and waits until that is done. When there are other clones, only this handle goes.
    pub async fn close(self) {
        if let Some(open) = Arc::into_inner(self.open) {
            open.connection.close().await;
        }
    }

    pub(crate) fn link(&self) -> &Link {
        self.open.connection.link()
    }

    /// Does operations in order, and hands each answer to `take` with its index.
    pub(crate) async fn operate(
        &self,
        operations: Vec<Operation>,
        take: impl FnMut(usize, Reply) + Send,
    ) -> Result<(), VerbError> {
        let done = operate::operate(self.link(), operations, take).await;
        done.map_err(VerbError::from)
    }
}
