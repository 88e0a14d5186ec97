//! The one joint: whatever can reach a host implements this.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::ask::Ask;
use crate::endpoint::Endpoint;
use crate::error::ConnectError;
use crate::future::BoxFuture;
use crate::surroundings::Surroundings;
use crate::terminal::{Lent, Terminal};
use crate::trail::Trail;

/// Opens endpoints of one scheme.
///
/// One instance serves all hosts of a run and is called from many tasks at once; it keeps no state
/// of a host. Constructing one is not connecting.
pub trait Connector: Send + Sync + fmt::Debug {
    /// Its name in reports, such as `local`.
    fn name(&self) -> &'static str;

    /// Looks at the words of `endpoint`: asks nobody, waits for nothing and starts nothing.
    ///
    /// May be called at any time and any number of times, so that all endpoints of a run can be judged
    /// before anything happens to the first. Whoever opens an endpoint need not have called it.
    ///
    /// # Errors
    /// What [`Connector::open`] would refuse it for, before it does anything.
    fn check(&self, endpoint: &Endpoint) -> Result<(), ConnectError> {
        let _ = endpoint;
        Ok(())
    }

    /// Decides by which way `endpoint` is reached. Nothing is sent there.
    ///
    /// Called once a host, before [`Connector::open`]. Not limited by the caller, as it may wait for
    /// others; the connector limits whatever it asks. May be dropped at any moment.
    ///
    /// # Errors
    /// When the endpoint cannot be opened whatever happens.
    fn route<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        surroundings: &'a Surroundings,
    ) -> BoxFuture<'a, Result<Route, ConnectError>> {
        let _ = (endpoint, surroundings);
        Box::pin(std::future::ready(Ok(Route::default())))
    }

    /// Connects and runs `request.command` there: one connection, one command, never a second one.
    ///
    /// The command is one line that the account's login shell reads. The future may be dropped at
    /// any moment; whatever was started is then ended. It returns as soon as the command can be
    /// talked to, not when it has said something.
    fn open<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Pipes, ConnectError>>;

    /// Ends at once all that it has started and that still runs, before this process ends: nothing is
    /// opened any more. Blocks, for a second at most.
    fn end(&self) {}

    /// Says why a connection failed whose command never answered, if it can tell.
    ///
    /// `ending` is how it ended; without one it was given up, and the answer is what it was waiting for.
    /// `noise` is the last of what came on
    /// [`Pipes::stderr`], at most 8 KiB. `None` when the connection stood and the far end is to blame.
    fn diagnose(
        &self,
        endpoint: &Endpoint,
        ending: Option<&Ending>,
        noise: &[u8],
    ) -> Option<ConnectError> {
        let _ = (endpoint, ending, noise);
        None
    }
}

/// By which way an endpoint is reached.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Who opens it instead of the connector that was asked.
    pub instead: Option<Arc<dyn Connector>>,
    /// Why this way, in words, for those who want to know.
    pub remark: Option<String>,
    /// The server that has the work of the connection, such as `10.0.0.7:22`: so many at once are
    /// made to each. None when there is nobody to spare.
    pub server: Option<String>,
}

/// What a connector is asked to open.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Where to.
    pub endpoint: &'a Endpoint,
    /// The line for the host's shell.
    pub command: &'a str,
    /// The machine and account we run on.
    pub surroundings: &'a Surroundings,
    /// Who answers questions.
    pub ask: &'a dyn Ask,
    /// The operator's terminal, when a program that connects may ask there itself.
    pub terminal: Option<&'a Terminal>,
    /// How long the way to the server may take. The caller keeps it, too, but not while the terminal is
    /// lent or a question is open: the time of the operator is not the server's.
    pub limit: Duration,
    /// Where is noted how far the attempt has come, and what is to be told of it.
    pub trail: &'a Trail,
}

/// The streams of one remote command, and the handle that ends the connection.
pub struct Pipes {
    /// The command's stdout.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// The command's stdin; dropping it is the end of its input.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// The stderr of the command and of the connector itself: noise and causes, never output.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// Ends the connection.
    pub close: Box<dyn Close>,
    /// The terminal while the connecting program has it; to be dropped when the command has answered.
    pub lent: Option<Lent>,
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipes").finish_non_exhaustive()
    }
}

/// Ends a connection.
///
/// Dropping it without [`Close::close`] ends the connection at once and leaves nothing behind that
/// somebody must wait for.
pub trait Close: Send + Sync {
    /// Waits for the command's end, after reader and writer were dropped, and says how it ended.
    ///
    /// May be dropped at any moment, which is the same as dropping the handle.
    fn close(self: Box<Self>) -> BoxFuture<'static, Ending>;
}

/// How the remote command of a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It exited by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended it before it could put anything in order.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// The connection ended, and nothing is known of the command.
    Unknown {
        /// What the connector can say about it.
        remark: String,
    },
}
