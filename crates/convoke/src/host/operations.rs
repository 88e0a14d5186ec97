//! A list of operations on one host, from the request to the outcome.

use bstr::BString;
use convoke_proto::operation::{Answer, Failure, Field, Operation, Reason};

use super::Connection;
use crate::event::{Emitter, Kind};
use crate::operate::{Asked, Reply};
use crate::outcome::{Done, Failed, FailureCause, Outcome};
use crate::process::Broken;

/// The errno of what is not there, on every Linux.
const ENOENT: i32 = 2;

/// What a host is asked to do that is no process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operations {
    /// In the order in which they are done, whatever fails.
    pub list: Vec<Operation>,
    /// What it means that something is not there.
    pub absence: Absence,
}

/// What it means for the outcome that a host answers "there is none".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Absence {
    /// It is an answer as any other.
    #[default]
    Answer,
    /// It is a failure: that of the path that is not there.
    Failure,
}

impl From<Vec<Operation>> for Operations {
    fn from(list: Vec<Operation>) -> Self {
        Operations {
            list,
            absence: Absence::default(),
        }
    }
}

/// Asks for all of them and sends every answer. When the future is dropped, those that have not begun never
/// do.
pub(super) async fn perform(
    connection: &Connection,
    operations: &Operations,
    events: &mut Emitter,
) -> Result<Outcome, Broken> {
    let mut asked = Asked::begin(connection.link(), operations.list.clone()).await?;
    if asked.is_last() {
        // The agent need not wait for us to say goodbye.
        connection.link().finish();
    }
    let greeting = connection.greeting().await;
    let hello = greeting.map_err(|error| asked.broken(error))?;
    connection.introduce(&hello, events).await;
    let mut tally = Tally::default();
    while let Some((index, reply)) = asked.next().await? {
        let subject = operations.list.get(index).and_then(subject).cloned();
        tally.note(&reply, subject.as_ref(), operations.absence);
        let answer = Kind::Answer {
            operation: index,
            subject,
            reply,
        };
        events.send(answer).await;
    }
    Ok(tally.outcome())
}

/// What failed so far.
#[derive(Default)]
struct Tally(Option<Failed>);

impl Tally {
    fn note(&mut self, reply: &Reply, subject: Option<&BString>, absence: Absence) {
        match reply {
            Err(failure) => Failed::note(&mut self.0, FailureCause::Host(failure.clone())),
            Ok(Answer::Stat(None) | Answer::Path(None)) if absence == Absence::Failure => {
                let failure = Failure {
                    field: Field::Path,
                    value: subject.cloned().unwrap_or_default(),
                    reason: Reason::Errno(ENOENT),
                    path: None,
                };
                Failed::note(&mut self.0, FailureCause::Host(failure));
            }
            Ok(_) => {}
        }
    }

    fn outcome(self) -> Outcome {
        match self.0 {
            Some(failed) => Outcome::Failed(failed),
            None => Outcome::Done(Done::default()),
        }
    }
}

/// The path or the name that an operation is about.
fn subject(operation: &Operation) -> Option<&BString> {
    match operation {
        Operation::Stat { path, .. }
        | Operation::List { path }
        | Operation::Absolute { path }
        | Operation::Expand { path }
        | Operation::MakeDirectory { path, .. }
        | Operation::Remove { path, .. }
        | Operation::SetMode { path, .. }
        | Operation::SetOwner { path, .. }
        | Operation::Link { path, .. }
        | Operation::ReadLink { path }
        | Operation::Touch { path, .. }
        | Operation::Read { path, .. }
        | Operation::Rename { from: path, .. } => Some(path),
        Operation::Put { file, .. } => Some(&file.path),
        Operation::Which { name, .. } => Some(name),
        Operation::Home { user: who }
        | Operation::User { who, .. }
        | Operation::Group { who }
        | Operation::TemporaryDirectory { parent: who, .. } => who.as_ref(),
        _ => None,
    }
}
