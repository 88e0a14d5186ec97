//! Operations on one host: a list goes out in one flight, and comes back in order.

use convoke_proto::frame::MAX_REQUEST;
use convoke_proto::message::Oversized;
use convoke_proto::operation::{
    Answer, Failure, Field, MAX_OPERATIONS, Operation, Reason, Record, Records,
};

use crate::error::{LinkError, StartError};
use crate::link::{Channel, Delivery, Link};
use crate::process::Broken;

/// What one host answers to one operation.
pub type Reply = Result<Answer, Failure>;

/// The most that the answer to one operation of one host may take, in bytes as it comes: a directory of a million
/// names. Many hosts that send as much at once take as much each.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// What is taken off the room of a request for every operation beside its texts: its numbers and lengths.
const OVERHEAD: usize = 256;

/// Asks for `operations` and hands each answer to `take` with its index, in order.
///
/// The host goes through them in order, whatever fails. A list beyond what one request holds goes in
/// several, each after the answers to the one before. Dropping the future stops those that have not begun.
pub(crate) async fn operate(
    link: &Link,
    operations: Vec<Operation>,
    mut take: impl FnMut(usize, Reply) + Send,
) -> Result<(), Broken> {
    let mut asked = Asked::begin(link, operations).await?;
    while let Some((index, reply)) = asked.next().await? {
        take(index, reply);
    }
    Ok(())
}

/// Operations that were asked for, until their last answer has come. The host is slowed down by whoever
/// takes the answers. Dropping it stops those that have not begun.
pub(crate) struct Asked<'a> {
    link: &'a Link,
    flights: std::vec::IntoIter<Vec<Operation>>,
    flight: Option<Flight>,
    /// How many operations were asked for, or could not be.
    count: usize,
}

/// A request on its way.
enum Flight {
    Answered(Answers),
    /// The operation of this index fits no request.
    TooLong(usize),
}

impl<'a> Asked<'a> {
    /// Asks for as many as one request holds.
    pub(crate) async fn begin(link: &'a Link, operations: Vec<Operation>) -> Result<Self, Broken> {
        let mut asked = Asked {
            link,
            flights: flights(operations).into_iter(),
            flight: None,
            count: 0,
        };
        asked.flight = asked.ask().await?;
        Ok(asked)
    }

    /// Whether nothing more will be asked for.
    pub(crate) fn is_last(&self) -> bool {
        self.flights.len() == 0
    }

    /// The next answer with the index of its operation; none when all have come. Must not be dropped
    /// before it is ready, unless nothing more is wanted.
    pub(crate) async fn next(&mut self) -> Result<Option<(usize, Reply)>, Broken> {
        loop {
            match self.flight.take() {
                None => return Ok(None),
                Some(Flight::TooLong(index)) => {
                    self.flight = self.ask().await?;
                    return Ok(Some((index, Err(too_long()))));
                }
                Some(Flight::Answered(mut answers)) => {
                    let answer = answers.next().await?;
                    if answer.is_some() {
                        self.flight = Some(Flight::Answered(answers));
                        return Ok(answer);
                    }
                    self.flight = self.ask().await?;
                }
            }
        }
    }

    /// The link ended while something else was waited for.
    pub(crate) fn broken(&self, error: LinkError) -> Broken {
        match &self.flight {
            Some(Flight::Answered(answers)) => answers.broken(error),
            _ => Broken::unsent(error),
        }
    }

    async fn ask(&mut self) -> Result<Option<Flight>, Broken> {
        let Some(flight) = self.flights.next() else {
            return Ok(None);
        };
        let first = self.count;
        self.count += flight.len();
        match self.link.operate(flight).await {
            Ok(channel) => {
                let answers = Answers::new(channel, first..self.count);
                Ok(Some(Flight::Answered(answers)))
            }
            Err(StartError::Lost(error)) => Err(Broken::unsent(error)),
            // A flight of several fits: this is one operation that fits no request.
            Err(StartError::Oversized(Oversized { .. })) => Ok(Some(Flight::TooLong(first))),
        }
    }
}

/// Cuts a list so that each piece fits a request.
fn flights(operations: Vec<Operation>) -> Vec<Vec<Operation>> {
    let mut flights: Vec<Vec<Operation>> = Vec::new();
    let mut room = 0;
    for operation in operations {
        let weight = weight(&operation);
        match flights.last_mut() {
            Some(flight) if weight <= room && flight.len() < MAX_OPERATIONS => {
                flight.push(operation);
            }
            _ => {
                flights.push(vec![operation]);
                room = MAX_REQUEST;
            }
        }
        room = room.saturating_sub(weight);
    }
    flights
}

/// No less than what an operation takes on the wire, in bytes.
pub(crate) fn weight(operation: &Operation) -> usize {
    let texts: usize = match operation {
        Operation::Put { file, content } => {
            content.len() + file.path.len() + file.inside.as_ref().map_or(0, |name| name.len())
        }
        Operation::WriteAt { content, .. } => content.len(),
        Operation::Rename { from, to } => from.len() + to.len(),
        Operation::Link { target, path } => target.len() + path.len(),
        Operation::Which { name, search } => {
            name.len() + search.as_ref().map_or(0, |search| search.len())
        }
        Operation::Stat { path, digests, .. } => path.len() + digests.len(),
        Operation::TemporaryDirectory { parent, prefix } => {
            prefix.len() + parent.as_ref().map_or(0, |parent| parent.len())
        }
        Operation::List { path }
        | Operation::Absolute { path }
        | Operation::Expand { path }
        | Operation::MakeDirectory { path, .. }
        | Operation::Remove { path, .. }
        | Operation::SetMode { path, .. }
        | Operation::SetOwner { path, .. }
        | Operation::ReadLink { path }
        | Operation::Touch { path, .. }
        | Operation::Read { path, .. } => path.len(),
        Operation::Home { user: Some(who) }
        | Operation::User { who: Some(who), .. }
        | Operation::Group { who: Some(who) } => who.len(),
        _ => 0,
    };
    OVERHEAD + texts + ownership(operation)
}

fn ownership(operation: &Operation) -> usize {
    let ownership = match operation {
        Operation::MakeDirectory { ownership, .. }
        | Operation::SetOwner { ownership, .. }
        | Operation::Touch { ownership, .. } => ownership,
        Operation::Put { file, .. } => &file.ownership,
        _ => return 0,
    };
    let names = ownership.owner.iter().chain(&ownership.group);
    names.map(|name| name.len()).sum()
}

/// The failure of a request that fits no frame.
pub(crate) fn too_long() -> Failure {
    Failure {
        field: Field::Request,
        value: "".into(),
        reason: Reason::TooLong,
        path: None,
    }
}

/// The answers of one request.
struct Answers {
    channel: Channel,
    records: Records,
    /// The operations that are not answered yet.
    next: std::ops::Range<usize>,
    parts: Option<Answer>,
    /// How many bytes came since the last answer was whole.
    bytes: usize,
}

impl Answers {
    fn new(channel: Channel, next: std::ops::Range<usize>) -> Self {
        Answers {
            channel,
            records: Records::default(),
            next,
            parts: None,
            bytes: 0,
        }
    }

    /// The next answer with its index; none when all have come.
    async fn next(&mut self) -> Result<Option<(usize, Reply)>, Broken> {
        loop {
            if let Some(answer) = self.whole()? {
                return Ok(Some(answer));
            }
            match self.channel.next().await {
                Delivery::Output { data, .. } => {
                    self.bytes += data.len();
                    self.records.feed(&data);
                }
                Delivery::Done if self.next.is_empty() && self.records.is_empty() => {
                    return Ok(None);
                }
                Delivery::Fault(fault) => {
                    return Err(self.broken(LinkError::Refused { text: fault.text }));
                }
                Delivery::Lost(error) => return Err(self.broken(error)),
                _ => return Err(self.unreadable()),
            }
        }
    }

    /// The next answer in what has come, if that holds all of it.
    fn whole(&mut self) -> Result<Option<(usize, Reply)>, Broken> {
        while let Some(record) = self.records.next().map_err(|_| self.unreadable())? {
            let reply = match record {
                Record::Part(part) => {
                    self.join(part)?;
                    continue;
                }
                Record::Last(part) => {
                    self.join(part)?;
                    self.parts.take().map(Ok)
                }
                Record::Failed(failure) => Some(Err(failure)),
            };
            self.parts = None;
            self.bytes = 0;
            return match (self.next.next(), reply) {
                (Some(index), Some(reply)) => Ok(Some((index, reply))),
                _ => Err(self.unreadable()),
            };
        }
        match self.bytes > MAX_ANSWER {
            true => Err(self.unreadable()),
            false => Ok(None),
        }
    }

    fn join(&mut self, more: Answer) -> Result<(), Broken> {
        if let Answer::Entries(entries) = &more
            && !entries.iter().all(|entry| is_name(&entry.name))
        {
            return Err(self.unreadable());
        }
        match (&mut self.parts, more) {
            (parts @ None, first) => *parts = Some(first),
            (Some(Answer::Entries(all)), Answer::Entries(more)) => all.extend(more),
            (Some(Answer::Environment(all)), Answer::Environment(more)) => all.extend(more),
            (Some(Answer::Facts(all)), Answer::Facts(more)) => all.extend(more),
            _ => return Err(self.unreadable()),
        }
        Ok(())
    }

    /// The agent said something that answers nothing.
    fn unreadable(&self) -> Broken {
        self.broken(LinkError::Unreadable)
    }

    fn broken(&self, error: LinkError) -> Broken {
        Broken::sent(error, self.channel.receipt())
    }
}

/// Whether something in a directory can have this name: whoever joins it to a path stays in there.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in ["a", "...", ".a", "-", " ", "\n", "a..b", "\u{202e}"] {
            assert!(is_name(name.as_bytes()), "{name:?}");
        }
        assert!(is_name(b"\xff"));
        for name in ["", ".", "..", "/", "a/b", "../a", "/etc", "a/", "a\0"] {
            assert!(!is_name(name.as_bytes()), "{name:?}");
        }
    }

    fn put(bytes: usize) -> Operation {
        Operation::WriteAt {
            file: 1,
            offset: None,
            content: vec![0; bytes].into(),
        }
    }

    #[test]
    fn a_list_is_cut_where_a_request_is_full() {
        let lengths = |operations: Vec<Operation>| -> Vec<usize> {
            flights(operations).iter().map(Vec::len).collect()
        };
        assert_eq!(lengths(vec![]), [0; 0]);
        assert_eq!(
            lengths(vec![Operation::Facts; MAX_OPERATIONS + 1]),
            [MAX_OPERATIONS, 1]
        );
        assert_eq!(lengths(vec![put(1024); 1000]), [1000]);
        assert_eq!(lengths(vec![put(1024 * 1024); 5]), [3, 2]);
        assert_eq!(lengths(vec![put(2 * MAX_REQUEST), put(1)]), [1, 1]);
    }
}
