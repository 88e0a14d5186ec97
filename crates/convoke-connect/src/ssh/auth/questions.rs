//! Logging in by what only the operator knows.

use russh::client::{KeyboardInteractiveAuthResponse as Dialogue, Prompt};

use super::{Attempts, Door, Step};
use crate::ask::{Question, Topic, Visible, Zeroizing};
use crate::ssh::openssh::diagnose::printable;

/// How many rounds of questions a server may ask in one attempt.
const ROUNDS: usize = 16;

/// How much of what a server says with its questions is shown, in lines.
const LINES: usize = 24;

/// What was asked and answered during a login.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// How many passwords were sent, by either method.
    pub(super) given: u32,
    /// How often a method was tried.
    passwords: u32,
    dialogues: u32,
    /// One of them was right; what is asked from now on is something else.
    is_right: bool,
    /// The server asked something, which is why another attempt may help.
    was_questioned: bool,
}

impl Asked {
    /// After a first method of several.
    pub(super) fn begin_again(&mut self) {
        self.is_right |= self.given > 0;
    }
}

impl Door<'_> {
    fn may_ask(&self, topic: Topic) -> bool {
        !self.login.never_ask && self.ask.answers(topic)
    }

    async fn ask(&self, question: Question) -> Option<Zeroizing<String>> {
        self.ask.ask(&question).await.ok()
    }

    /// By the password of the account.
    pub(super) async fn by_password(
        &mut self,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        let asked = &mut attempts.asked;
        if asked.passwords >= self.login.prompts || !self.may_ask(Topic::Password) {
            return Ok(None);
        }
        asked.passwords += 1;
        let question = Question {
            what: format!("{}@{}'s password", self.login.user, self.login.known_as),
            topic: Topic::Password,
            visible: Visible::No,
            wrong: asked.given,
        };
        let Some(password) = self.ask(question).await else {
            asked.passwords = self.login.prompts;
            return Ok(None);
        };
        asked.given += 1;
        let user = self.login.user.clone();
        // It wipes its copy.
        let result = self.session.authenticate_password(user, password.as_str());
        Ok(Some(result.await?.into()))
    }

    /// By answers to whatever the server asks.
    pub(super) async fn by_dialogue(
        &mut self,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        let asked = &mut attempts.asked;
        let is_known = asked.dialogues > 0 && !asked.was_questioned;
        let may_ask = self.may_ask(Topic::Password) || self.may_ask(Topic::Other);
        if asked.dialogues >= self.login.prompts || is_known || !may_ask {
            return Ok(None);
        }
        asked.dialogues += 1;
        let user = self.login.user.clone();
        let begun = self
            .session
            .authenticate_keyboard_interactive_start(user, None);
        let mut dialogue = begun.await?;
        for round in 0..ROUNDS {
            let asked = &mut attempts.asked;
            let said = match dialogue {
                Dialogue::Success => return Ok(Some(Step::In)),
                Dialogue::Failure {
                    remaining_methods: methods,
                    partial_success: partly,
                } => return Ok(Some(Step::Out { methods, partly })),
                Dialogue::InfoRequest {
                    name,
                    instructions,
                    prompts,
                } => Said {
                    before: [name, instructions],
                    prompts,
                    is_first: round == 0 && !asked.is_right,
                },
            };
            asked.was_questioned = true;
            // A server may ask nothing, only to say something. A wrong answer would count against the
            // account, so there is none if nobody has one.
            let Some(answers) = self.answers(&said, asked).await else {
                attempts.silent = true;
                return Ok(None);
            };
            let answered = self
                .session
                .authenticate_keyboard_interactive_respond(answers);
            dialogue = answered.await?;
        }
        Err(russh::Error::Inconsistent)
    }

    async fn answers(&self, said: &Said, asked: &mut Asked) -> Option<Vec<String>> {
        let mut answers = Vec::with_capacity(said.prompts.len());
        for prompt in &said.prompts {
            let topic = said.topic(prompt);
            if !self.may_ask(topic) {
                return None;
            }
            let who = format!("({}@{})", self.login.user, self.login.known_as);
            let question = Question {
                what: said.shown(&who, prompt),
                topic,
                visible: match prompt.echo {
                    true => Visible::Yes,
                    false => Visible::No,
                },
                wrong: asked.given,
            };
            let answer = self.ask(question).await?;
            asked.given += u32::from(topic == Topic::Password);
            // The session takes only strings that nobody wipes.
            answers.push(answer.as_str().to_owned());
        }
        Some(answers)
    }
}

/// What a server said and asks in one round of a dialogue.
struct Said {
    before: [String; 2],
    prompts: Vec<Prompt>,
    /// Nothing was asked before, so that it may be the password.
    is_first: bool,
}

impl Said {
    /// A single secret that is asked for first is the password: nobody says which it is.
    fn topic(&self, prompt: &Prompt) -> Topic {
        match self.is_first && self.prompts.len() == 1 && !prompt.echo {
            true => Topic::Password,
            false => Topic::Other,
        }
    }

    /// What is shown: what the server says, and its question in the form of ssh.
    fn shown(&self, who: &str, prompt: &Prompt) -> String {
        let asked = prompt.prompt.trim().trim_end_matches(':');
        let before = self.before.iter().flat_map(|text| text.lines());
        let before = before.map(printable).filter(|line| !line.is_empty());
        let asked = asked.lines().map(printable).enumerate();
        let asked = asked.map(|(number, line)| match number {
            0 => format!("{who} {line}"),
            _ => line,
        });
        let lines: Vec<String> = before.chain(asked).take(LINES).collect();
        lines.join("\n")
    }
}
