//! Logging in by what only the operator knows.

use russh::client::{KeyboardInteractiveAuthResponse as Dialogue, Prompt};

use super::{Attempts, Door, Step};
use crate::ask::{Question, Visible};
use crate::openssh::diagnose::printable;

/// How many rounds of questions a server may ask in one attempt.
const ROUNDS: usize = 16;

impl Door<'_> {
    /// By the password of the account; asked for once.
    pub(super) async fn by_password(
        &mut self,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        if !std::mem::take(&mut attempts.password) || self.login.never_ask {
            return Ok(None);
        }
        let what = format!("password of {}@{}", self.login.user, self.host);
        let question = Question {
            what,
            visible: Visible::No,
        };
        let Ok(password) = self.ask.ask(&question).await else {
            return Ok(None);
        };
        let user = self.login.user.clone();
        let result = self.session.authenticate_password(user, password.as_str());
        Ok(Some(result.await?.into()))
    }

    /// By answers to whatever the server asks.
    pub(super) async fn by_dialogue(
        &mut self,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        if !std::mem::take(&mut attempts.dialogue) || self.login.never_ask {
            return Ok(None);
        }
        let user = self.login.user.clone();
        let begun = self
            .session
            .authenticate_keyboard_interactive_start(user, None);
        let mut dialogue = begun.await?;
        for _ in 0..ROUNDS {
            let prompts = match dialogue {
                Dialogue::Success => return Ok(Some(Step::In)),
                Dialogue::Failure {
                    remaining_methods: methods,
                    partial_success: partly,
                } => return Ok(Some(Step::Out { methods, partly })),
                Dialogue::InfoRequest { prompts, .. } => prompts,
            };
            // A server may ask nothing, only to say something. A wrong answer would count against the
            // account, so there is none if nobody has one.
            let Some(answers) = self.answers(&prompts).await else {
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

    async fn answers(&self, prompts: &[Prompt]) -> Option<Vec<String>> {
        let mut answers = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let asked = printable(prompt.prompt.trim().trim_end_matches(':'));
            let question = Question {
                what: format!("{asked} of {}@{}", self.login.user, self.host),
                visible: match prompt.echo {
                    true => Visible::Yes,
                    false => Visible::No,
                },
            };
            answers.push(self.ask.ask(&question).await.ok()?.as_str().to_owned());
        }
        Some(answers)
    }
}
