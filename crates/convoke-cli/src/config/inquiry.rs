//! What hosts are asked, by the verbs that run nothing there.

use std::ffi::OsString;

use bstr::BString;
use convoke::files::{Destination, Download, Tilde};
use convoke::host::{Absence, Operations, Work};
use convoke::proto::account::PasswordHash;
use convoke::proto::file::{Digest, Follow};
use convoke::proto::operation::Operation;

use super::{
    Environment, Output, OutputForm, Pace, Reaching, Rehearsal, Safety, Selection, bytes, facts,
};
use crate::args::{self, Talk};
use crate::error::Usage;

/// What hosts are asked, and how.
#[derive(Debug)]
pub(crate) struct Inquiry {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// What they are asked.
    pub(crate) asked: Asked,
    /// How the hosts are gone through.
    pub(crate) pace: Pace,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// What is shown, and how.
    pub(crate) output: Output,
    /// Whether anything happens at all.
    pub(crate) rehearsal: Rehearsal,
}

/// What hosts are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What stands at paths.
    Stat {
        paths: Vec<BString>,
        follow: Follow,
        digests: Vec<Digest>,
    },
    /// What is in directories.
    List {
        paths: Vec<BString>,
        hidden: Hidden,
        form: ListForm,
    },
    /// What files hold.
    Contents { paths: Vec<BString> },
    /// What is true of them; all of it when nothing is named.
    Facts { names: Vec<String> },
    /// Who users are; who the login is when nobody is named.
    Users { who: Vec<BString> },
    /// What groups are; what that of the login is when none is named.
    Groups { who: Vec<BString> },
    /// What is in the environment; all of it when nothing is named.
    Environment { names: Vec<BString> },
}

/// What becomes of names that begin with a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hidden {
    Shown,
    LeftOut,
}

/// How a directory is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// The names.
    Names,
    /// What they name, too.
    Long,
}

impl Inquiry {
    /// What the arguments of `convoke stat` mean.
    ///
    /// # Errors
    /// As for every verb here: something is missing, empty, or has no meaning.
    pub(crate) fn stat(stat: args::Stat, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let mut digests: Vec<Digest> = Vec::new();
        for digest in stat.digest.into_iter().map(Digest::from) {
            if !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        let asked = Asked::Stat {
            paths: paths(stat.paths)?,
            follow: match stat.no_follow {
                true => Follow::No,
                false => Follow::Yes,
            },
            digests,
        };
        Self::new(stat.inquiry, asked, talk, here)
    }

    /// What the arguments of `convoke ls` mean.
    pub(crate) fn list(list: args::Ls, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        check_login(&list.inquiry)?;
        let asked = Asked::List {
            paths: match list.paths.is_empty() {
                true => vec![".".into()],
                false => paths(list.paths)?,
            },
            hidden: match list.all {
                true => Hidden::Shown,
                false => Hidden::LeftOut,
            },
            form: match list.long {
                true => ListForm::Long,
                false => ListForm::Names,
            },
        };
        Self::new(list.inquiry, asked, talk, here)
    }

    /// What the arguments of `convoke cat` mean.
    pub(crate) fn contents(cat: args::Cat, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let asked = Asked::Contents {
            paths: paths(cat.paths)?,
        };
        let mut inquiry = Self::new(cat.inquiry, asked, talk, here)?;
        if cat.raw {
            inquiry.output.safety = Safety::Raw;
        }
        Ok(inquiry)
    }

    /// What the arguments of `convoke facts` mean.
    pub(crate) fn facts(
        facts: args::Facts,
        talk: &Talk,
        here: &Environment,
    ) -> Result<Self, Usage> {
        facts.names.iter().try_for_each(|name| facts::check(name))?;
        let asked = Asked::Facts { names: facts.names };
        Self::new(facts.inquiry, asked, talk, here)
    }

    /// What the arguments of `convoke user` mean.
    pub(crate) fn users(user: args::User, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let asked = Asked::Users {
            who: names(user.who, "user")?,
        };
        Self::new(user.inquiry, asked, talk, here)
    }

    /// What the arguments of `convoke group` mean.
    pub(crate) fn groups(
        group: args::Group,
        talk: &Talk,
        here: &Environment,
    ) -> Result<Self, Usage> {
        let asked = Asked::Groups {
            who: names(group.who, "group")?,
        };
        Self::new(group.inquiry, asked, talk, here)
    }

    /// What the arguments of `convoke env` mean.
    pub(crate) fn environment(
        env: args::Env,
        talk: &Talk,
        here: &Environment,
    ) -> Result<Self, Usage> {
        let names = names(env.names, "variable")?;
        if let Some(name) = names.iter().find(|name| name.contains(&b'=')) {
            return Err(Usage::new(format!("no variable is called {name:?}"))
                .hint("`convoke run --env NAME=VALUE` sets one for a command"));
        }
        let asked = Asked::Environment { names };
        Self::new(env.inquiry, asked, talk, here)
    }

    fn new(
        inquiry: args::Inquiry,
        asked: Asked,
        talk: &Talk,
        here: &Environment,
    ) -> Result<Self, Usage> {
        Ok(Inquiry {
            selection: Selection::new(inquiry.hosts, &inquiry.pace),
            asked,
            pace: Pace::new(&inquiry.pace),
            reaching: Reaching::new(inquiry.reaching)?,
            output: Output::new(OutputForm::of(inquiry.form), talk, here),
            rehearsal: Rehearsal::of(inquiry.dry_run),
        })
    }
}

impl Asked {
    /// The verb that asks it.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Asked::Stat { .. } => "stat",
            Asked::List { .. } => "ls",
            Asked::Contents { .. } => "cat",
            Asked::Facts { .. } => "facts",
            Asked::Users { .. } => "user",
            Asked::Groups { .. } => "group",
            Asked::Environment { .. } => "env",
        }
    }

    /// Whether it is about paths, which stand behind the hosts.
    pub(crate) fn is_of_paths(&self) -> bool {
        matches!(
            self,
            Asked::Stat { .. } | Asked::List { .. } | Asked::Contents { .. }
        )
    }

    /// What it is about: paths or names.
    pub(crate) fn subjects(&self) -> Vec<BString> {
        match self {
            Asked::Stat { paths, .. } | Asked::List { paths, .. } | Asked::Contents { paths } => {
                paths.clone()
            }
            Asked::Facts { names } => names.iter().map(|name| name.as_str().into()).collect(),
            Asked::Users { who: names } | Asked::Groups { who: names } => names.clone(),
            Asked::Environment { names } => names.clone(),
        }
    }

    /// What it is about when nothing is named.
    pub(crate) fn default_subject(&self) -> &'static str {
        match self {
            Asked::Users { .. } => "whom the login is",
            Asked::Groups { .. } => "the primary one of the login",
            _ => "all",
        }
    }

    /// What a host does for it.
    pub(crate) fn work(&self) -> Work {
        let list: Vec<Operation> = match self {
            Asked::Stat {
                paths,
                follow,
                digests,
            } => {
                let stat = |path: &BString| Operation::Stat {
                    path: path.clone(),
                    follow: *follow,
                    digests: digests.clone(),
                };
                return Work::Operations(Operations {
                    list: paths.iter().map(stat).collect(),
                    absence: Absence::Failure,
                    tilde: Tilde::Home,
                });
            }
            Asked::Contents { paths } => {
                let download = |path: &BString| Download {
                    path: path.clone(),
                    tilde: Tilde::Home,
                    to: Destination::Output,
                };
                return Work::Get(paths.iter().map(download).collect());
            }
            Asked::List { paths, .. } => {
                let list = |path: &BString| Operation::List { path: path.clone() };
                paths.iter().map(list).collect()
            }
            Asked::Facts { .. } => vec![Operation::Facts],
            Asked::Users { who } => {
                let user = |who| Operation::User {
                    who,
                    hash: PasswordHash::Hidden,
                };
                anyone(who).map(user).collect()
            }
            Asked::Groups { who } => anyone(who).map(|who| Operation::Group { who }).collect(),
            Asked::Environment { .. } => vec![Operation::Environment {
                user: None,
                cwd: None,
            }],
        };
        Work::Operations(Operations {
            tilde: Tilde::Home,
            ..list.into()
        })
    }
}

/// Refuses what was typed as for ls(1), whose `-l` takes nothing: then that is the hosts, and a path stands in their
/// place.
fn check_login(inquiry: &args::Inquiry) -> Result<(), Usage> {
    let Some(user) = &inquiry.reaching.user else {
        return Ok(());
    };
    let is_path = inquiry.hosts.starts_with(['/', '.', '~']);
    match is_path || user.contains(['/', ':', '[', ',']) {
        true => Err(
            Usage::new(format!("-l is whom to log in as, and here it is {user:?}"))
                .hint("the long form is --long"),
        ),
        false => Ok(()),
    }
}

/// Each of the names, or nobody in particular when there is none.
fn anyone(names: &[BString]) -> impl Iterator<Item = Option<BString>> {
    let nobody = names.is_empty().then_some(None);
    names.iter().cloned().map(Some).chain(nobody)
}

fn paths(words: Vec<OsString>) -> Result<Vec<BString>, Usage> {
    if words.is_empty() {
        return Err(Usage::new("no path given")
            .hint("write the paths after the hosts, as words of their own: `HOSTS /PATH`"));
    }
    match words.iter().any(|word| word.is_empty()) {
        true => Err(Usage::new("a path is empty").hint("is a shell variable empty?")),
        false => Ok(words.into_iter().map(bytes).collect()),
    }
}

fn names(words: Vec<OsString>, what: &str) -> Result<Vec<BString>, Usage> {
    match words.iter().any(|word| word.is_empty()) {
        true => {
            Err(Usage::new(format!("the name of a {what} is empty"))
                .hint("is a shell variable empty?"))
        }
        false => Ok(words.into_iter().map(bytes).collect()),
    }
}
