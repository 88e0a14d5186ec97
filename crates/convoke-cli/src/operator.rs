//! The operator, who answers questions on the terminal: what is asked, and of whom never.
//!
//! A passphrase opens a key file, whichever hosts need it, so it is asked for at first need. A password belongs to a host:
//! it is asked for when there is only one, or once beforehand for all (`--ask-pass`), and then given to each host once.
//! A jump host is none of them: it is asked for apart, and never given theirs.
//! Whatever else a server wants to know is asked for one host only. Only what opens a key file is kept.

mod console;
mod echo;

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use convoke::connect::ask::{Ask, Asker, Question, Topic, Unanswered, Visible, Zeroizing};
use convoke::connect::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::error::Usage;
use crate::render::floor::Floor;
use crate::render::screen::Line;
use console::Console;
pub(crate) use echo::Echo;

/// Answers the questions of a run.
pub(crate) struct Operator {
    /// None without a terminal: then nobody is asked.
    console: Option<Console>,
    hosts: Crowd,
    password: Password,
    /// Passphrases, by what was asked, and how many answers were wrong before. Kept until the run is over.
    passphrases: Mutex<HashMap<(String, u32), Arc<Answer>>>,
}

/// An answer, once it is there; None if nothing was typed.
type Answer = OnceCell<Option<Zeroizing<String>>>;

/// How many hosts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crowd {
    /// One, whose questions may be asked.
    One,
    /// Several, whose questions would not end.
    Several,
}

/// Where passwords come from.
enum Password {
    /// They are asked for when a host wants one.
    AtNeed,
    /// One is asked for beforehand; None until it is there.
    Beforehand(Mutex<Option<Zeroizing<String>>>),
}

impl Operator {
    /// The operator at `terminal`, if there is one, who may be asked on behalf of so many `hosts`.
    ///
    /// # Errors
    /// A password is to be asked for beforehand (`asks_beforehand`), and there is nobody.
    pub(crate) fn new(
        terminal: Option<File>,
        floor: Floor,
        hosts: usize,
        asks_beforehand: bool,
    ) -> Result<Self, Usage> {
        if asks_beforehand && terminal.is_none() {
            return Err(nobody());
        }
        let line = Line::default();
        Ok(Operator {
            console: terminal.map(|terminal| Console::new(terminal, floor, line)),
            hosts: match hosts {
                1 => Crowd::One,
                _ => Crowd::Several,
            },
            password: match asks_beforehand {
                true => Password::Beforehand(Mutex::default()),
                false => Password::AtNeed,
            },
            passphrases: Mutex::default(),
        })
    }

    /// What the renderer shares with whoever is asked: the right to write, and the progress line.
    pub(crate) fn stage(&self) -> (Floor, Line) {
        let stage = self.console.as_ref().map(Console::stage);
        stage.unwrap_or_default()
    }

    /// What is typed unseen; to be put in order whatever ends the run.
    pub(crate) fn echo(&self) -> Option<Echo> {
        self.console.as_ref().map(Console::echo)
    }

    /// Asks for what is to be asked before anything is done.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) async fn prepare(&self) -> Result<(), Usage> {
        let Password::Beforehand(password) = &self.password else {
            return Ok(());
        };
        let Some(console) = &self.console else {
            return Err(nobody());
        };
        let answer = console.ask("Password for all hosts: ", Visible::No).await;
        let answer = answer.ok_or_else(|| Usage::new("--ask-pass: no password was typed"))?;
        *password.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        Ok(())
    }

    /// What the operator types, seen, after a prompt of ours; none if that is nothing.
    pub(crate) async fn line(&self, prompt: &str) -> Option<String> {
        let console = self.console.as_ref()?;
        let typed = console.ask(prompt, Visible::Yes).await?;
        Some(typed.trim().to_owned())
    }

    async fn typed(&self, question: &Question) -> Option<Zeroizing<String>> {
        let console = self.console.as_ref()?;
        let prompt = match (question.wrong, question.topic) {
            (1.., Topic::Password) => {
                format!("Permission denied, please try again.\n{}: ", question.what)
            }
            (1.., Topic::HostKey) => "Please type yes, no or the fingerprint: ".to_owned(),
            (0, Topic::HostKey) => format!("{}? ", question.what),
            _ => format!("{}: ", question.what),
        };
        let asking = console.ask(&prompt, question.visible);
        match question.topic {
            Topic::Passphrase => {
                let answer = self.passphrase(question);
                answer.get_or_init(|| asking).await.clone()
            }
            // Another server may ask in the same words.
            _ => asking.await,
        }
    }

    fn passphrase(&self, question: &Question) -> Arc<Answer> {
        let kept = self.passphrases.lock();
        let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
        let key = (question.what.clone(), question.wrong);
        Arc::clone(kept.entry(key).or_default())
    }

    async fn answer(&self, question: &Question) -> Option<Zeroizing<String>> {
        if !self.answers(question.topic, &question.asker, question.wrong) {
            return None;
        }
        match (&self.password, question.topic, &question.asker) {
            (Password::Beforehand(password), Topic::Password, Asker::Host) => {
                let password = password.lock().unwrap_or_else(PoisonError::into_inner);
                password.clone()
            }
            _ => self.typed(question).await,
        }
    }
}

fn nobody() -> Usage {
    Usage::new("--ask-pass: there is no terminal to ask on").hint(
        "without one, hosts are reached by keys: of ssh-agent, or of files without a passphrase",
    )
}

impl Ask for Operator {
    fn answers(&self, topic: Topic, asker: &Asker, wrong: u32) -> bool {
        let is_there = self.console.is_some();
        is_there
            && match (topic, asker, &self.password) {
                (Topic::Passphrase, ..) => true,
                // A second try with the same password could lock the account.
                (Topic::Password, Asker::Host, Password::Beforehand(_)) => wrong == 0,
                // Once for all hosts behind it.
                (Topic::Password, Asker::Hop(_), Password::Beforehand(_)) => true,
                _ => self.hosts == Crowd::One,
            }
    }

    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        Box::pin(async move {
            let answer = self.answer(question).await;
            answer.ok_or_else(|| question.unanswered())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator(is_there: bool, hosts: usize, asks_beforehand: bool) -> Result<Operator, Usage> {
        let terminal = is_there.then(|| File::open("/dev/null").unwrap());
        Operator::new(terminal, Floor::default(), hosts, asks_beforehand)
    }

    #[test]
    fn what_is_asked_depends_on_how_many_hosts_there_are() {
        let topics = [
            Topic::Passphrase,
            Topic::Password,
            Topic::HostKey,
            Topic::Other,
        ];
        for (is_there, hosts, asks_beforehand, answered) in [
            (true, 1, false, [true, true, true, true]),
            (true, 2, false, [true, false, false, false]),
            (true, 1, true, [true, true, true, true]),
            (true, 2, true, [true, true, false, false]),
            (false, 1, false, [false, false, false, false]),
        ] {
            let operator = operator(is_there, hosts, asks_beforehand).unwrap();
            let answers = |topic| operator.answers(topic, &Asker::Host, 0);
            assert_eq!(topics.map(answers), answered);
        }
        assert!(operator(false, 2, true).is_err());
    }

    #[test]
    fn a_password_of_a_jump_host_is_asked_for_as_often_as_it_lets_us() {
        let gate = Asker::Hop("gate".to_owned());
        for (hosts, asks_beforehand, answered) in [
            (1, false, true),
            (1, true, true),
            (2, false, false),
            (2, true, true),
        ] {
            let operator = operator(true, hosts, asks_beforehand).unwrap();
            for wrong in 0..3 {
                let is_answered = operator.answers(Topic::Password, &gate, wrong);
                assert_eq!(is_answered, answered, "{hosts} {asks_beforehand}");
            }
        }
    }

    #[tokio::test]
    async fn a_password_for_all_hosts_is_given_to_a_host_once_and_to_no_jump_host() {
        let operator = operator(true, 2, true).unwrap();
        if let Password::Beforehand(password) = &operator.password {
            *password.lock().unwrap() = Some(Zeroizing::new("secret".to_owned()));
        }
        let mut question = Question {
            what: "root@web1's password".to_owned(),
            topic: Topic::Password,
            asker: Asker::Host,
            visible: Visible::No,
            wrong: 0,
        };
        let answer = operator.ask(&question).await.unwrap();
        assert_eq!(answer.as_str(), "secret");
        question.wrong = 1;
        assert!(operator.ask(&question).await.is_err());
        question.wrong = 0;
        question.asker = Asker::Hop("gate".to_owned());
        // The terminal is none, so that nothing is typed.
        assert!(operator.ask(&question).await.is_err());
    }
}
