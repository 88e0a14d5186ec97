//! What hosts answer, as the lines that a command might have printed: from here on it is output like any
//! other, gathered, prefixed or raw.
//!
//! Names from a host are quoted as for a shell, so that none can end its line or look like a second column.
//! What failed has no lines: the recap tells it once, for all hosts that share it.

mod accounts;
mod environment;
mod facts;
mod list;
mod stat;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bstr::BString;
use bytes::Bytes;
use convoke::event::{Event, Kind, Stream};
use convoke::proto::operation::Answer;

use super::quote::quote;
use super::screen::{Broken, Screen};
use super::{Mode, View, words};
use crate::config::Asked;
use list::Listing;
use stat::Found;
use table::Row;

/// How many bytes of lines go on in one piece.
const PIECE: usize = 32 * 1024;

/// Makes lines of answers, and hands them to the view for output.
pub(super) struct Answers {
    asked: Asked,
    mode: Mode,
    inner: Box<dyn View>,
    hosts: HashMap<Arc<str>, Pending>,
    /// What was asked for by a name that nothing has, and on which hosts.
    missing: BTreeMap<BString, Vec<Arc<str>>>,
}

/// What is known of one host.
#[derive(Default)]
struct Pending {
    /// What makes one table with what comes later.
    found: Vec<Found>,
    accounts: Vec<Row>,
    /// How many answers had lines.
    told: usize,
}

impl Answers {
    pub(super) fn new(asked: Asked, mode: Mode, inner: Box<dyn View>) -> Self {
        Answers {
            asked,
            mode,
            inner,
            hosts: HashMap::new(),
            missing: BTreeMap::new(),
        }
    }

    /// Takes an answer: it is shown at once, or with those that make a table with it.
    fn take(
        &mut self,
        answer: Answer,
        subject: Option<BString>,
        event: &Event,
        screen: &mut Screen,
    ) -> Result<(), Broken> {
        let pending = self.hosts.entry(Arc::clone(&event.host)).or_default();
        let mut out = Lines {
            event,
            inner: &mut *self.inner,
            screen,
            text: String::new(),
        };
        match (&self.asked, answer) {
            (Asked::Stat { .. }, Answer::Stat(stat)) => pending.found.push(Found { subject, stat }),
            (_, Answer::User(user)) => pending.accounts.push(accounts::user(&user)),
            (_, Answer::Group(group)) => pending.accounts.push(accounts::group(&group)),
            (Asked::List { paths, form, .. }, Answer::Entries(entries)) => {
                let listing = Listing {
                    entries,
                    form: *form,
                    title: subject.filter(|_| paths.len() > 1),
                    is_first: pending.told == 0,
                };
                pending.told += 1;
                listing.write(&mut out)?;
            }
            (Asked::Facts { names }, Answer::Facts(raw)) => facts::write(raw, names, &mut out)?,
            (_, Answer::Environment(variables)) => environment::write(&variables, &mut out)?,
            _ => {}
        }
        out.flush()
    }

    /// Notes what the operator may have mistyped: a fact or variable of which there is none has no line.
    fn note_missing(&mut self, answer: &Answer, host: &Arc<str>) {
        let names = match (&self.asked, answer) {
            (Asked::Facts { names }, Answer::Facts(raw)) => facts::missing(raw, names),
            (Asked::Environment { names }, Answer::Environment(variables)) => {
                environment::missing(variables, names)
            }
            _ => return,
        };
        for name in names {
            self.missing.entry(name).or_default().push(Arc::clone(host));
        }
    }

    /// Shows the tables that nothing more is added to.
    fn end(&mut self, event: &Event, screen: &mut Screen) -> Result<(), Broken> {
        let Some(pending) = self.hosts.remove(&event.host) else {
            return Ok(());
        };
        let mut out = Lines {
            event,
            inner: &mut *self.inner,
            screen,
            text: String::new(),
        };
        stat::write(&pending.found, &mut out)?;
        table::write(&pending.accounts, Row::clone, &mut out)?;
        out.flush()
    }
}

impl View for Answers {
    fn event(&mut self, mut event: Event, screen: &mut Screen) -> Result<(), Broken> {
        match &mut event.kind {
            Kind::Answer {
                reply: Ok(answer), ..
            } => {
                self.note_missing(answer, &event.host);
                select(answer, &self.asked);
            }
            Kind::Ended(_) => self.end(&event, screen)?,
            _ => {}
        }
        if self.mode == Mode::Json {
            return self.inner.event(event, screen);
        }
        let placeholder = Kind::Connecting { attempt: 0 };
        match std::mem::replace(&mut event.kind, placeholder) {
            Kind::Answer {
                subject,
                reply: Ok(answer),
                ..
            } => self.take(answer, subject, &event, screen),
            Kind::Answer { reply: Err(_), .. } => Ok(()),
            kind => self.inner.event(Event { kind, ..event }, screen),
        }
    }

    fn finish(&mut self, screen: &mut Screen) -> Result<(), Broken> {
        self.inner.finish(screen)?;
        for (name, hosts) in &self.missing {
            let hosts = words::fold(hosts.iter().map(|host| &**host));
            screen.say(&format!("{hosts}: has no {}\n", quote(name)));
        }
        Ok(())
    }

    fn is_silent(&self) -> bool {
        self.inner.is_silent()
    }
}

/// Leaves of an answer what was asked for.
fn select(answer: &mut Answer, asked: &Asked) {
    match (asked, answer) {
        (Asked::List { hidden, .. }, Answer::Entries(entries)) => list::select(entries, *hidden),
        (Asked::Facts { names }, Answer::Facts(raw)) => facts::select(raw, names),
        (Asked::Environment { names }, Answer::Environment(variables)) => {
            environment::select(variables, names);
        }
        _ => {}
    }
}

/// Lines on their way to the view, as output of the host that an event comes from.
struct Lines<'a> {
    event: &'a Event,
    inner: &'a mut dyn View,
    screen: &'a mut Screen,
    text: String,
}

impl Lines<'_> {
    /// Adds a line, without its end.
    fn push(&mut self, line: &str) -> Result<(), Broken> {
        self.text.push_str(line);
        self.text.push('\n');
        match self.text.len() < PIECE {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<(), Broken> {
        if self.text.is_empty() {
            return Ok(());
        }
        let output = Kind::Output {
            stream: Stream::Stdout,
            data: Bytes::from(std::mem::take(&mut self.text)),
        };
        let event = Event {
            run: self.event.run.clone(),
            host: Arc::clone(&self.event.host),
            step: self.event.step.clone(),
            kind: output,
            ..*self.event
        };
        self.inner.event(event, self.screen)
    }
}

#[cfg(test)]
mod tests;
