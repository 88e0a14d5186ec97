//! Logging in by what only the operator knows.

use russh::client::{KeyboardInteractiveAuthResponse as Dialogue, Prompt};

use super::{Attempts, Door, Step};
use crate::ask::{Topic, Visible};
use crate::ssh::hints::{PASSWORD_WANTED, PASSWORD_WRONG};
use crate::ssh::native::keys::Closed;
use crate::ssh::printable::printable;

/// How many rounds of questions a server may ask in one attempt.
const ROUNDS: usize = 16;

/// How much of what a server says with its questions is shown, in lines.
const LINES: usize = 24;

/// How much of a line is shown, in characters.
const WIDTH: usize = 240;

const ANSWER_WRONG: &str = "what was typed was not taken";
const UNTYPED: &str = "the server asked for something, and nothing was typed";
const NEVER: &str = "with BatchMode nobody is asked for a password";

/// What was asked and answered during a login.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// How many passwords were sent, by either method.
    given: u32,
    /// How many of them were sent when one was taken.
    taken: u32,
    /// Something else was answered since.
    was_answered: bool,
    /// Somebody was asked, and typed nothing.
    was_untyped: bool,
    /// How many dialogues ended with a refusal since.
    refused: u32,
    /// How often a method was tried.
    passwords: u32,
    dialogues: u32,
    /// The server asked something, which is why another attempt may help.
    was_questioned: bool,
}

impl Asked {
    /// After a first method of several.
    pub(super) fn begin_again(&mut self) {
        self.taken = self.given;
        self.was_answered = false;
        self.refused = 0;
    }

    /// What to do about answers that were not taken, or not given.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            asked if asked.given > asked.taken => Some(PASSWORD_WRONG),
            asked if asked.was_answered => Some(ANSWER_WRONG),
            asked if asked.was_untyped => Some(UNTYPED),
            _ => None,
        }
    }
}

impl Door<'_> {
    /// What to do where only a password would have helped.
    pub(super) fn without_password(&self) -> &'static str {
        match self.asking.never {
            true => NEVER,
            false => PASSWORD_WANTED,
        }
    }

    /// Why a key file stays locked, in words; none where that it is locked explains nothing.
    pub(super) fn unopened(&self, why: Closed) -> Option<&'static str> {
        match why {
            Closed::Wrong => Some("what was typed as its passphrase was wrong"),
            Closed::Untyped => Some("its passphrase was not typed"),
            Closed::Never => Some("with BatchMode nobody is asked for its passphrase"),
            Closed::Nobody if self.login.agent.is_some() => {
                Some("nobody is there to type its passphrase")
            }
            // That there is no ssh-agent says more.
            Closed::Nobody | Closed::NoKey => None,
        }
    }

    /// By the password of the account.
    pub(super) async fn by_password(
        &mut self,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        let asked = &mut attempts.asked;
        let is_over = asked.passwords >= self.asking.prompts;
        if is_over || !self.asking.answers(Topic::Password, asked.given) {
            return Ok(None);
        }
        asked.passwords += 1;
        let hop = self.asking.hop();
        let hop = hop.map_or_else(String::new, |hop| format!(" (jump host {hop})"));
        let what = format!(
            "{}@{}'s password{hop}",
            self.login.user, self.login.known_as
        );
        let secret = (Topic::Password, Visible::No);
        let Some(password) = self.asking.ask(secret, what, asked.given).await else {
            asked.passwords = self.asking.prompts;
            asked.was_untyped = true;
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
        let may_ask = self.asking.answers(Topic::Password, asked.given)
            || self.asking.answers(Topic::Other, asked.refused);
        if asked.dialogues >= self.asking.prompts || is_known || !may_ask {
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
                } => {
                    asked.refused += u32::from(!partly);
                    return Ok(Some(Step::Out { methods, partly }));
                }
                Dialogue::InfoRequest {
                    name,
                    instructions,
                    prompts,
                } => Said {
                    before: [name, instructions],
                    prompts,
                    is_first: round == 0 && asked.taken == 0,
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
        let hop = self.asking.hop();
        let hop = hop.map_or_else(String::new, |hop| format!(", jump host {hop}"));
        let who = format!("({}@{}{hop})", self.login.user, self.login.known_as);
        for prompt in &said.prompts {
            let topic = said.topic(prompt);
            let wrong = match topic {
                Topic::Password => asked.given,
                _ => asked.refused,
            };
            if !self.asking.answers(topic, wrong) {
                return None;
            }
            let visible = match prompt.echo {
                true => Visible::Yes,
                false => Visible::No,
            };
            let what = said.shown(&who, prompt);
            let Some(answer) = self.asking.ask((topic, visible), what, wrong).await else {
                asked.was_untyped = true;
                return None;
            };
            match topic {
                Topic::Password => asked.given += 1,
                _ => asked.was_answered = true,
            }
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

    /// What is shown: what the server says, and its question. The line that is answered is always the
    /// last one, and begins with who asks it: no server can ask in our name.
    fn shown(&self, who: &str, prompt: &Prompt) -> String {
        let before = self.before.iter().flat_map(|text| text.lines());
        let before = before.filter(|line| !line.trim().is_empty());
        let asked = prompt.prompt.trim().trim_end_matches(':');
        let (above, last) = asked.rsplit_once(['\n', '\r']).unwrap_or(("", asked));
        let above = above.lines().filter(|line| !line.trim().is_empty());
        let said = before.take(LINES).chain(above.take(LINES)).map(short);
        // Blanks could fill the line, so that its rest seems to be another one.
        let words: Vec<&str> = last.split_whitespace().collect();
        let asked = short(format!("{who} {}", words.join(" ")).trim_end());
        said.chain([asked]).collect::<Vec<_>>().join("\n")
    }
}

/// The beginning of a line, as it may be shown.
fn short(line: &str) -> String {
    let line = printable(line);
    match line.char_indices().nth(WIDTH) {
        None => line,
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(instructions: &str, prompt: &str) -> String {
        let said = Said {
            before: [String::new(), instructions.to_owned()],
            prompts: Vec::new(),
            is_first: true,
        };
        let prompt = Prompt {
            prompt: prompt.to_owned(),
            echo: false,
        };
        said.shown("(me@host)", &prompt)
    }

    #[test]
    fn the_last_line_says_who_asks() {
        let passphrase = "Enter passphrase for key '/home/me/.ssh/id_rsa'";
        let many = format!("x\n{passphrase}:\n").repeat(LINES);
        for (instructions, prompt, last) in [
            ("", "Code: ", "(me@host) Code".to_owned()),
            ("", "", "(me@host)".to_owned()),
            (&*many, "Code: ", "(me@host) Code".to_owned()),
            ("", &*many, format!("(me@host) {passphrase}")),
            (
                "",
                &*many.replace('\n', "\r"),
                format!("(me@host) {passphrase}"),
            ),
            (
                "",
                &*format!("Code{}{passphrase}:", " ".repeat(80)),
                format!("(me@host) Code {passphrase}"),
            ),
        ] {
            let shown = shown(instructions, prompt);
            assert_eq!(shown.lines().last(), Some(&*last), "{shown}");
            assert!(shown.lines().count() <= 2 * LINES + 1);
        }
    }

    #[test]
    fn a_menu_stands_above_its_question() {
        let prompt = "Choose:\n\n 1. push\n 2. call\n\nOption (1-2): ";
        let expected = "Hello\nChoose:\n 1. push\n 2. call\n(me@host) Option (1-2)";
        assert_eq!(shown("Hello\n", prompt), expected);
    }

    #[test]
    fn a_long_line_is_cut() {
        let shown = shown(&"ä".repeat(100_000), &"ö".repeat(100_000));
        let widths: Vec<_> = shown.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [WIDTH + 1, WIDTH + 1]);
    }
}
