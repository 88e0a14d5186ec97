//! Many operations on one host in one flight, each with its own answer.

use std::fmt;
use std::marker::PhantomData;

use convoke_proto::operation::{Answer, Operation};

use crate::operate::Reply;
use crate::remote::{Remote, VerbError};
use crate::scope::Scope;

use super::{Single, Verb, sealed};

/// Verbs of different kinds that go out in one flight and are done in order, whatever fails.
///
/// Each is given a [`Ticket`] when it is added, for which its answer is had afterwards.
///
/// ```
/// use convoke::batch::Batch;
/// use convoke::remote::{Remote, VerbError};
/// use convoke::verb::{Mkdir, Stat, Upload, Verbs as _};
///
/// # async fn show(remote: &Remote) -> Result<(), VerbError> {
/// let mut batch = Batch::new();
/// let made = batch.add(Mkdir::at("site").parents());
/// let stored = batch.add(Upload::new("site/index.html", "<h1>hello</h1>").mode(0o644));
/// let stat = batch.add(Stat::of("site/index.html"));
///
/// let mut answers = remote.flight(batch).await?;
/// answers.take(made)?;
/// assert_eq!(answers.take(stored)?.size, 14);
/// assert!(answers.take(stat)?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Batch {
    verbs: Vec<Any>,
}

/// What stands for one answer of a [`Batch`].
pub struct Ticket<T> {
    index: usize,
    kind: PhantomData<fn() -> T>,
}

/// What came of a [`Batch`].
pub struct Answers {
    answers: Vec<Option<Result<Value, VerbError>>>,
}

impl Batch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a verb.
    pub fn add<S: Single>(&mut self, verb: S) -> Ticket<S::Output> {
        self.verbs.push(Any(Box::new(verb)));
        Ticket {
            index: self.verbs.len() - 1,
            kind: PhantomData,
        }
    }

    /// How many verbs there are.
    pub fn len(&self) -> usize {
        self.verbs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.verbs.is_empty()
    }
}

impl Answers {
    /// The answer to the verb of this ticket.
    ///
    /// # Errors
    /// That of the verb; [`VerbError::Usage`] when the answer was taken before, or the ticket is of another batch.
    pub fn take<T: Send + 'static>(&mut self, ticket: Ticket<T>) -> Result<T, VerbError> {
        let wrong = |why| VerbError::usage("ticket", ticket.index.to_string(), why);
        let answer = self.answers.get_mut(ticket.index).and_then(Option::take);
        let answer = answer.ok_or_else(|| wrong("its answer was taken, or there is none"))??;
        match answer.downcast() {
            Ok(answer) => Ok(*answer),
            Err(_) => Err(wrong("it is of another batch")),
        }
    }
}

impl Verb for Batch {
    type Output = Answers;

    async fn on(&self, remote: &Remote) -> Result<Answers, VerbError> {
        let answers = fly(remote, &self.verbs).await;
        Ok(Answers {
            answers: answers.into_iter().map(Some).collect(),
        })
    }
}

/// Verbs of one kind that go out in one flight: their answers in the same order.
#[derive(Debug, Clone)]
pub struct Each<S> {
    verbs: Vec<S>,
}

impl<S: Single> Each<S> {
    /// These.
    pub fn of(verbs: impl IntoIterator<Item = S>) -> Self {
        Each {
            verbs: verbs.into_iter().collect(),
        }
    }
}

impl<S: Single> Verb for Each<S> {
    type Output = Vec<Result<S::Output, VerbError>>;

    async fn on(&self, remote: &Remote) -> Result<Self::Output, VerbError> {
        Ok(fly(remote, &self.verbs).await)
    }
}

/// Asks for all that can be asked for, and hands out each answer in the place of its verb.
async fn fly<S: Single>(remote: &Remote, verbs: &[S]) -> Vec<Result<S::Output, VerbError>> {
    let scope = remote.scope();
    let mut operations = Vec::with_capacity(verbs.len());
    let mut waiting = Vec::with_capacity(verbs.len());
    let mut answers: Vec<_> = verbs
        .iter()
        .enumerate()
        .map(|(place, verb)| match verb.operation(scope) {
            Ok(operation) => {
                operations.push(operation);
                waiting.push((place, verb));
                None
            }
            Err(error) => Some(Err(error)),
        })
        .collect();
    let flown = remote.operate(operations, |number, reply: Reply| {
        if let Some(&(place, verb)) = waiting.get(number)
            && let Some(answer) = answers.get_mut(place)
        {
            let reply = reply.map_err(VerbError::from);
            *answer = Some(reply.and_then(|reply| verb.answer(reply, scope)));
        }
    });
    // Whatever was not answered by then shares the reason.
    let why = flown.await.err().unwrap_or_else(VerbError::unreadable);
    let answers = answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(|| Err(why.clone())))
        .collect()
}

/// A verb of any kind.
struct Any(Box<dyn Asked>);

/// An answer of any kind.
type Value = Box<dyn std::any::Any + Send>;

trait Asked: Send + Sync {
    fn asks(&self, scope: &Scope) -> Result<Operation, VerbError>;
    fn hears(&self, answer: Answer, scope: &Scope) -> Result<Value, VerbError>;
}

impl<S: Single> Asked for S {
    fn asks(&self, scope: &Scope) -> Result<Operation, VerbError> {
        self.operation(scope)
    }

    fn hears(&self, answer: Answer, scope: &Scope) -> Result<Value, VerbError> {
        Ok(Box::new(self.answer(answer, scope)?))
    }
}

impl sealed::Sealed for Any {}

impl Single for Any {
    type Output = Value;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        self.0.asks(scope)
    }

    fn answer(&self, answer: Answer, scope: &Scope) -> Result<Self::Output, VerbError> {
        self.0.hears(answer, scope)
    }
}

impl<T> Clone for Ticket<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ticket<T> {}

impl<T> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.index)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} verbs)", self.len())
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answers({})", self.answers.len())
    }
}
