//! Questions that only the operator can answer.

use zeroize::Zeroizing;

use crate::future::BoxFuture;

/// Something a connector needs to know and cannot find out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// What is asked, and the key under which the answer is shared: `password of root@web1`.
    pub what: String,
    /// Whether the answer may be shown while it is typed.
    pub visible: Visible,
}

/// Whether an answer may be shown while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Visible {
    /// It may.
    Yes,
    /// It is a secret.
    No,
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
/// Called from the task of any host, concurrently. An implementation asks once per
/// [`Question::what`] and lets everybody else who asks the same wait for that answer. It never
/// blocks the task. The answer is wiped from memory when it is dropped.
pub trait Ask: Send + Sync {
    /// Answers `question`.
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
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        Box::pin(std::future::ready(Err(Unanswered {
            what: question.what.clone(),
        })))
    }
}
