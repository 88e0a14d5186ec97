//! A list of operations on one host, from the request to the outcome.

use bstr::BString;
use convoke_proto::operation::{Answer, Failure, Field, Operation, Reason};

use super::Connection;
use crate::error::LinkError;
use crate::event::{Emitter, Kind};
use crate::files::{Tilde, expanded};
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
    /// What a `~` means at the begin of the path of what is looked at: by [`Operation::Stat`], [`Operation::List`],
    /// [`Operation::Absolute`], [`Operation::ReadLink`] and [`Operation::Read`]. Homes are asked for beforehand, which
    /// costs a round trip where there is one.
    pub tilde: Tilde,
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
            tilde: Tilde::default(),
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
    let flight = Flight::of(connection, operations).await?;
    let mut asked = Asked::begin(connection.link(), flight.list()).await?;
    if asked.is_last() {
        // The agent need not wait for us to say goodbye.
        connection.link().finish();
    }
    let greeting = connection.greeting().await;
    let hello = greeting.map_err(|error| asked.broken(error))?;
    connection.introduce(&hello, events).await;
    let mut tally = Tally::new(operations.absence);
    let absolute = flight.absolute(&mut asked).await?;
    for (index, (operation, absolute)) in flight.operations.iter().zip(absolute).enumerate() {
        let reply = match operation {
            Ok(_) => match asked.next().await? {
                Some((_, reply)) => reply,
                None => return Err(asked.broken(LinkError::Unreadable)),
            },
            Err(failure) => Err(failure.clone()),
        };
        let subject = operations.list.get(index).and_then(subject).cloned();
        tally.note(&reply, absolute.as_ref().or(subject.as_ref()));
        let answer = Kind::Answer {
            operation: index,
            subject,
            reply,
        };
        events.send(answer).await;
    }
    // The end of the last answer.
    asked.next().await?;
    Ok(tally.outcome())
}

/// Operations as a host is asked for them.
struct Flight {
    /// Each, or why its path leads nowhere.
    operations: Vec<Result<Operation, Failure>>,
    /// Whether a failure of ours is to say where a path leads that the host makes absolute.
    absence: Absence,
}

impl Flight {
    /// Only when a path begins with a `~` that means a home, the host is asked first what that is.
    async fn of(connection: &Connection, operations: &Operations) -> Result<Self, Broken> {
        let (tilde, absence) = (operations.tilde, operations.absence);
        let mut list = operations.list.clone();
        let typed = list
            .iter_mut()
            .filter_map(looked_at)
            .map(|path| path.clone());
        let typed: Vec<BString> = typed.collect();
        let mut places = Vec::new();
        if typed.iter().any(|path| tilde.is_in(path)) {
            connection.greeting().await.map_err(Broken::unsent)?;
            let paths = typed.iter().map(|path| (path, tilde)).collect();
            places = expanded(connection.link(), paths).await?;
        }
        let mut places = places.into_iter();
        let operations = list.into_iter().map(|mut operation| {
            if let Some(path) = looked_at(&mut operation)
                && let Some(place) = places.next()
            {
                *path = place?;
            }
            Ok(operation)
        });
        Ok(Flight {
            operations: operations.collect(),
            absence,
        })
    }

    /// What goes out together: first what relative paths are, where a failure will say it.
    fn list(&self) -> Vec<Operation> {
        let relative = self.operations.iter().filter_map(|one| self.relative(one));
        let absolute = relative.map(|path| Operation::Absolute { path: path.clone() });
        let operations = self.operations.iter().flatten().cloned();
        absolute.chain(operations).collect()
    }

    /// The paths as the host understands them, for those that are told when nothing is there.
    async fn absolute(&self, asked: &mut Asked<'_>) -> Result<Vec<Option<BString>>, Broken> {
        let mut absolute = Vec::new();
        for operation in &self.operations {
            let mut known = operation.as_ref().ok().and_then(subject).cloned();
            if self.relative(operation).is_some()
                && let Some((_, Ok(Answer::Path(Some(path))))) = asked.next().await?
            {
                known = Some(path);
            }
            absolute.push(known);
        }
        Ok(absolute)
    }

    fn relative<'a>(&self, operation: &'a Result<Operation, Failure>) -> Option<&'a BString> {
        match operation {
            Ok(Operation::Stat { path, .. })
                if self.absence == Absence::Failure && !path.starts_with(b"/") =>
            {
                Some(path)
            }
            _ => None,
        }
    }
}

/// What failed so far.
struct Tally {
    absence: Absence,
    failed: Option<Failed>,
}

impl Tally {
    fn new(absence: Absence) -> Self {
        let failed = None;
        Tally { absence, failed }
    }

    fn note(&mut self, reply: &Reply, subject: Option<&BString>) {
        let failed = &mut self.failed;
        match reply {
            Err(failure) => Failed::note(failed, FailureCause::Host(failure.clone())),
            Ok(Answer::Stat(None) | Answer::Path(None)) if self.absence == Absence::Failure => {
                let failure = Failure {
                    field: Field::Path,
                    value: subject.cloned().unwrap_or_default(),
                    reason: Reason::Errno(ENOENT),
                    path: None,
                };
                Failed::note(failed, FailureCause::Host(failure));
            }
            Ok(_) => {}
        }
    }

    fn outcome(self) -> Outcome {
        match self.failed {
            Some(failed) => Outcome::Failed(failed),
            None => Outcome::Done(Done::default()),
        }
    }
}

/// The path of what an operation looks at.
fn looked_at(operation: &mut Operation) -> Option<&mut BString> {
    match operation {
        Operation::Stat { path, .. }
        | Operation::List { path }
        | Operation::Absolute { path }
        | Operation::ReadLink { path }
        | Operation::Read { path, .. } => Some(path),
        _ => None,
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
