//! Questions that only the operator can answer.

pub use zeroize::Zeroizing;

use crate::future::BoxFuture;

/// Something a connector needs to know and cannot find out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// What is asked, as it is shown, without a colon at its end: `root@web1's password`.
    pub what: String,
    /// What it is about.
    pub topic: Topic,
    /// Who gets the answer.
    pub asker: Asker,
    /// Whether the answer may be shown while it is typed.
    pub visible: Visible,
    /// How many answers were wrong before.
    pub wrong: u32,
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// The passphrase of a key file, which any number of hosts may need.
    Passphrase,
    /// The password of an account on one host.
    Password,
    /// Whether a key is that of a host.
    HostKey,
    /// Something else that one host wants to know, such as a one-time code.
    Other,
}

/// Who gets the answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Nobody: it stays on this machine.
    Us,
    /// The host that is being connected.
    Host,
    /// A host on the way to others, of this name, for all that are behind it.
    Hop(String),
}

/// Whether an answer may be shown while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visible {
    /// It may.
    Yes,
    /// It is a secret.
    No,
}

impl Question {
    /// The question without its answer.
    pub fn unanswered(&self) -> Unanswered {
        Unanswered {
            what: self.what.clone(),
        }
    }
}

/// Nobody could answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nobody is there to answer: {what}")]
pub struct Unanswered {
    /// What was asked.
    pub what: String,
}

/// Answers questions, asked at first need.
///
/// Called from the task of any host, concurrently. An implementation asks once a run for the same
/// passphrase, and lets everybody else who wants it wait for that answer. Any other answer is for the
/// one [`Asker`] alone and for one use: two servers may ask in the same words. It never blocks the
/// task. The answer is wiped from memory when it is dropped.
pub trait Ask: Send + Sync {
    /// Whether a question about `topic` is answered for `asker`, after so many `wrong` answers. If not,
    /// nothing is begun that would come to one: to leave a server without an answer may count against
    /// an account.
    fn answers(&self, topic: Topic, asker: &Asker, wrong: u32) -> bool {
        let _ = (topic, asker, wrong);
        true
    }

    /// Answers `question`. Dropping the future takes the question back.
    ///
    /// # Errors
    /// [`Unanswered`], with the question, when there is nobody to ask.
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>>;
}

/// Answers nothing: for runs without a terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Ask for Nobody {
    fn answers(&self, _: Topic, _: &Asker, _: u32) -> bool {
        false
    }

    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        Box::pin(std::future::ready(Err(question.unanswered())))
    }
}
