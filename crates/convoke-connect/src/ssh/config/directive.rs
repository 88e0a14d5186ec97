//! What one line of a configuration asks for.

use std::cell::Cell;
use std::sync::Arc;

use super::algorithms;
use super::condition::Condition;
use super::file::File;
use super::forward::{self, Forward};
use super::installed::Installed;
use super::jump::Jump;
use super::keywords::{self, Keyword, Own, Presence, Rule};
use super::own;
use super::pattern::Patterns;
use super::tokens::Environment;

/// What a line asks for. Values are as they are printed, unless more must be known for that.
#[derive(Debug, Clone)]
pub(super) enum Directive {
    /// Nothing.
    Nothing,
    /// A value for the option at that place, if it has none yet.
    Set(usize, Arc<str>),
    /// Files for the option at that place, if it has none yet.
    Files(usize, Arc<[String]>),
    Host(Patterns),
    Match(Condition),
    /// The lines of other files, as if they stood here.
    Include(Vec<Arc<File>>),
    ProxyCommand(Arc<str>),
    ProxyJump(Arc<Jump>),
    Identity(Arc<str>),
    Certificate(Arc<str>),
    SendEnv(Vec<String>),
    SetEnv(Vec<String>),
    LocalForward(Forward),
    RemoteForward(Forward),
    /// A socket for `ForwardAgent`.
    AgentSocket(usize, Arc<str>),
    /// Bytes, and seconds.
    Rekey(Option<u64>, Option<u32>),
    /// A value that ssh takes, or not, in ways that differ with the version: from a block that is
    /// not for the host, too, or over an earlier one.
    Stray(usize, Arc<str>),
    /// An option that is not known, refused unless `IgnoreUnknown` says otherwise.
    Unknown(String),
    /// Something that is left to ssh where it is in force.
    Asked(Arc<str>),
}

/// What must be known to read a line.
pub(super) struct Reader<'a> {
    pub(super) installed: &'a Installed,
    pub(super) environment: &'a Environment,
    /// Whether a longer list of algorithms would have helped.
    pub(super) lacks: &'a Cell<Lacks>,
    pub(super) trust: Trust,
    /// Whether lines may be right for some hosts and wrong for others: with `IgnoreUnknown`.
    pub(super) is_wayward: &'a Cell<bool>,
    /// Whether a condition looks at the command.
    pub(super) knows_commands: &'a Cell<bool>,
}

/// What is made of lines that are not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing: ssh may refuse them, whatever the host.
    Nothing,
    /// ssh has taken them, or there is none: they count for hosts that they are in force for.
    Lines,
}

/// What would help to read more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// Nothing that is known of.
    Nothing,
    /// What `ssh -Q` tells.
    Lists,
}

impl Reader<'_> {
    /// Reads a line that is neither a condition nor an include.
    ///
    /// # Errors
    /// What ssh refuses, or may: it says itself why.
    pub(super) fn directive(
        &self,
        keyword: &str,
        rest: &str,
        words: &[String],
    ) -> Result<Directive, String> {
        let Some((slot, option)) = keywords::find(keyword) else {
            return Ok(Directive::Unknown(keyword.to_owned()));
        };
        if option.name == "ignoreunknown" {
            self.is_wayward.set(true);
        }
        let read = self.option(keyword, (slot, option), rest, words);
        // Some versions take these two from any block.
        let is_stray = matches!(
            option.rule,
            Rule::Own(Own::BindMask) | Rule::Own(Own::Facility)
        );
        match read {
            Err(why) if self.trust == Trust::Lines && !is_stray => {
                Ok(Directive::Asked(Arc::from(why)))
            }
            read => read,
        }
    }

    fn option(
        &self,
        keyword: &str,
        (slot, option): (usize, &Keyword),
        rest: &str,
        words: &[String],
    ) -> Result<Directive, String> {
        let default = self.installed.defaults.get(option.name);
        if option.presence == Presence::Always && default.is_none() {
            return Err(format!("{keyword}, which this ssh may not know"));
        }
        let set = |value: &str| Ok(Directive::Set(slot, Arc::from(value)));
        let command = || rest.trim_start_matches([' ', '\t', '\r', '\n', '=']);
        match option.rule {
            Rule::Choice(choice) => {
                let known = |printed: &str| choice.iter().any(|(_, one)| *one == printed);
                if !default.is_some_and(known) {
                    return Err(format!("{keyword} in this version"));
                }
                let word = only(words)?;
                let fits = |(one, _): &&(&str, &str)| one.eq_ignore_ascii_case(word);
                let found = choice.iter().find(fits);
                set(found.ok_or_else(|| format!("{keyword} {word}"))?.1)
            }
            Rule::Text if option.name == "user" && only(words)?.contains(['%', '$']) => {
                Err("a User with tokens".into())
            }
            Rule::Text if option.name == "hostkeyalias" => set(&only(words)?.to_ascii_lowercase()),
            Rule::Text => set(only(words)?),
            Rule::Command => set(command()),
            Rule::Time => match only(words)? {
                "none" => Ok(Directive::Nothing),
                time => set(&own::seconds(time)?.to_string()),
            },
            Rule::Number => set(&own::number(only(words)?, i32::MAX as u32)?.to_string()),
            Rule::Port => match own::number(only(words)?, 65535)? {
                0 => Err("the port 0".into()),
                port => set(&port.to_string()),
            },
            Rule::Algorithms => {
                let list = algorithms::assemble(self.installed, option.name, only(words)?);
                if list.is_err() && self.installed.lacks_list(option.name) {
                    self.lacks.set(Lacks::Lists);
                }
                set(&list?)
            }
            Rule::Files => own::files(slot, words),
            Rule::Ignored => Ok(Directive::Nothing),
            Rule::Asked | Rule::Hidden => Err(format!("the option {keyword}")),
            Rule::Own(Own::ProxyCommand) => Ok(Directive::ProxyCommand(Arc::from(command()))),
            Rule::Own(Own::ProxyJump) => {
                Ok(Directive::ProxyJump(Arc::new(Jump::parse(command())?)))
            }
            Rule::Own(Own::LocalForward) => forward::local(words).map(Directive::LocalForward),
            Rule::Own(Own::DynamicForward) => {
                forward::dynamic(only(words)?).map(Directive::LocalForward)
            }
            Rule::Own(Own::RemoteForward) => forward::remote(words).map(Directive::RemoteForward),
            Rule::Own(Own::ForwardAgent | Own::IdentityAgent) => self.agent(slot, words),
            Rule::Own(rule) => own::directive(rule, slot, words, self.installed),
        }
    }

    /// A flag or the socket of a key agent.
    fn agent(&self, slot: usize, words: &[String]) -> Result<Directive, String> {
        let word = only(words)?;
        let may_be_flag = keywords::name(slot) == "forwardagent";
        let flag = ["yes", "true", "no", "false"]
            .iter()
            .position(|one| one.eq_ignore_ascii_case(word));
        if may_be_flag && let Some(flag) = flag {
            let value = if flag < 2 { "yes" } else { "no" };
            return Ok(Directive::Set(slot, Arc::from(value)));
        }
        super::tokens::with_variables(word, self.environment)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match word.strip_prefix('$') {
            Some(name)
                if !name.starts_with('{') && (name.is_empty() || !name.chars().all(plain)) =>
            {
                Err("the name of an environment variable".into())
            }
            _ if may_be_flag => Ok(Directive::AgentSocket(slot, Arc::from(word))),
            _ => Ok(Directive::Set(slot, Arc::from(word))),
        }
    }
}

/// The one word of a line, which is not empty.
pub(super) fn only(words: &[String]) -> Result<&str, String> {
    match words {
        [word] if !word.is_empty() => Ok(word),
        [] | [_] => Err("a missing argument".into()),
        _ => Err("an argument too many".into()),
    }
}
