//! Many open hosts, on which verbs are done at once.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::action::{self, DEFAULT_FANOUT};
use crate::host::{Host, Reach};
use crate::remote::{Completed, Remote, VerbError};
use crate::scope::Scope;
use crate::verb::{Run, Verb, Verbs};

/// What came of a verb on many hosts: each host's name and its own result, in host order.
pub type Answers<T> = Vec<(Arc<str>, Result<T, VerbError>)>;

/// Hosts that are open at the same time.
///
/// A verb is done on all of them at once, or on as many as [`Session::fanout`] says. What goes wrong on one host
/// concerns no other; one that could not be opened stays in the list, and answers every verb with the reason.
///
/// ```
/// use convoke::agents::Agents;
/// use convoke::connect::surroundings::Surroundings;
/// use convoke::host::{Host, Reach};
/// use convoke::session::Session;
/// use convoke::verb::Verbs;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
/// let hosts = [Host::new("local:one")?, Host::new("local:two")?];
/// let session = Session::open(hosts, &reach).await;
/// for (host, answer) in session.run(["uname", "-s"]).await {
///     assert_eq!(answer?.stdout, "Linux\n", "{host}");
/// }
/// session.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    hosts: Arc<Answers<Remote>>,
    scope: Scope,
    fanout: usize,
}

impl Session {
    /// Opens hosts, as many at once as `reach` allows. Never fails: a host that cannot be opened is one that
    /// answers so.
    pub async fn open(hosts: impl IntoIterator<Item = Host>, reach: &Reach) -> Self {
        let hosts = hosts.into_iter().map(|host| {
            let reach = reach.clone();
            let name = Arc::clone(host.name());
            (name, async move { Remote::open(&host, &reach).await })
        });
        Session {
            hosts: Arc::new(everywhere(hosts.collect(), usize::MAX).await),
            scope: Scope::new(),
            fanout: DEFAULT_FANOUT,
        }
    }

    /// Works on at most so many hosts at once, at least 1; 512 without.
    #[must_use]
    pub fn fanout(self, hosts: usize) -> Self {
        let fanout = hosts.max(1);
        Session { fanout, ..self }
    }

    /// The same hosts with `scope` laid over the defaults of this handle, which keeps its own.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> Self {
        Session {
            scope: self.scope.with(scope),
            ..self.clone()
        }
    }

    /// The hosts in order, each open or with the reason why not.
    pub fn remotes(&self) -> impl Iterator<Item = (&Arc<str>, Result<Remote, VerbError>)> + '_ {
        let hosts = self.hosts.iter();
        hosts.map(|(name, remote)| (name, self.scoped(remote)))
    }

    /// Ends all connections, and waits until that is done, but for those of which there are other handles.
    pub async fn close(self) {
        let Some(hosts) = Arc::into_inner(self.hosts) else {
            return;
        };
        let open = hosts.into_iter().filter_map(|(name, remote)| {
            let remote = remote.ok()?;
            Some((name, async move {
                remote.close().await;
                Ok(())
            }))
        });
        everywhere(open.collect(), usize::MAX).await;
    }

    fn scoped(&self, remote: &Result<Remote, VerbError>) -> Result<Remote, VerbError> {
        let remote = remote.as_ref().map_err(VerbError::clone)?;
        Ok(remote.within(&self.scope))
    }
}

impl Verbs for Session {
    type Answer<T: Send + 'static> = Answers<T>;

    fn run(
        &self,
        argv: impl IntoIterator<Item = impl Into<BString>>,
    ) -> impl Future<Output = Answers<Completed>> + Send {
        self.ask(Run::new(argv).unchecked())
    }

    async fn ask<V: Verb>(&self, verb: V) -> Answers<V::Output> {
        let verb = Arc::new(verb);
        let work = self.remotes().map(|(name, remote)| {
            let verb = Arc::clone(&verb);
            (Arc::clone(name), async move { verb.on(&remote?).await })
        });
        everywhere(work.collect(), self.fanout).await
    }
}

/// Does work for hosts, for so many at once, each in a task of its own: what they come to, in order.
///
/// Dropping the future ends all of it.
async fn everywhere<T, W>(work: Vec<(Arc<str>, W)>, fanout: usize) -> Answers<T>
where
    T: Send + 'static,
    W: Future<Output = Result<T, VerbError>> + Send + 'static,
{
    let mut answers = Vec::new();
    let mut tasks = JoinSet::new();
    let mut places = HashMap::new();
    let mut pending = work.into_iter().enumerate();
    loop {
        let next = match tasks.len() < fanout {
            true => pending.next(),
            false => None,
        };
        if let Some((place, (name, work))) = next {
            let span = tracing::error_span!("host", %name);
            places.insert(tasks.spawn(work.instrument(span)).id(), place);
            answers.push((name, Err(VerbError::Cancelled)));
            continue;
        }
        let Some(ended) = tasks.join_next_with_id().await else {
            return answers;
        };
        let (id, result) = ended.unwrap_or_else(|error| {
            let id = error.id();
            let text = action::last_words(error);
            (id, Err(VerbError::Crashed { text }))
        });
        let place = places.remove(&id).and_then(|place| answers.get_mut(place));
        if let Some((_, answer)) = place {
            *answer = result;
        }
    }
}
