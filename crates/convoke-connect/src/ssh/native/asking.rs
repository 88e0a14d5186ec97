//! What one connection may ask the operator: by whom it is asked, and as its configuration lets it.

use crate::ask::{Ask, Asker, Question, Topic, Visible, Zeroizing};
use crate::ssh::printable::printable;
use crate::ssh::terms::Login;

/// Asks on behalf of one server.
#[derive(Clone)]
pub(super) struct Asking<'a> {
    ask: &'a dyn Ask,
    asker: Asker,
    /// `BatchMode`: nobody is asked for anything.
    pub(super) never: bool,
    /// `NumberOfPasswordPrompts`.
    pub(super) prompts: u32,
}

impl<'a> Asking<'a> {
    /// For the host that is being connected, or for the `hop` of that name on the way there.
    pub(super) fn new(ask: &'a dyn Ask, hop: Option<&str>, login: &Login) -> Self {
        Asking {
            ask,
            asker: hop.map_or(Asker::Host, |hop| Asker::Hop(printable(hop))),
            never: login.never_ask,
            prompts: login.prompts,
        }
    }

    /// Whether an answer could come, after so many that were wrong.
    pub(super) fn answers(&self, topic: Topic, wrong: u32) -> bool {
        !self.never && self.ask.answers(topic, &self.asker(topic), wrong)
    }

    /// Asks; none when there is no answer.
    pub(super) async fn ask(
        &self,
        (topic, visible): (Topic, Visible),
        what: String,
        wrong: u32,
    ) -> Option<Zeroizing<String>> {
        if self.never {
            return None;
        }
        let question = Question {
            what,
            topic,
            asker: self.asker(topic),
            visible,
            wrong,
        };
        self.ask.ask(&question).await.ok()
    }

    /// How questions call the hop that asks: two servers may have one name and one account.
    pub(super) fn hop(&self) -> Option<&str> {
        match &self.asker {
            Asker::Hop(name) => Some(name),
            Asker::Host | Asker::Us => None,
        }
    }

    fn asker(&self, topic: Topic) -> Asker {
        match topic {
            Topic::Passphrase | Topic::HostKey => Asker::Us,
            Topic::Password | Topic::Other => self.asker.clone(),
        }
    }
}
