//! Which files will move between this machine and which hosts.

use std::fmt::Write as _;
use std::path::PathBuf;

use bstr::BString;
use convoke::action::{SMALL_TRANSFER_FANOUT, TRANSFER_FANOUT};
use convoke::connect::registry::Registry;
use convoke::host::Host;
use convoke::inventory::HostList;
use convoke::proto::file::{Durability, Ownership};
use serde::Serialize;

use super::going::{Going, GoingSummary};
use super::quote::quoted;
use super::shown::{SCHEMA, Text, bytes_of, lossless};
use super::{Crowd, hosts};
use crate::args::ExitRule;
use crate::config::Moving;
use crate::error::Usage;
use crate::render::Mode;

/// Which files will move.
pub(crate) struct Files {
    /// The hosts, in order.
    pub(crate) hosts: Vec<Host>,
    folded: String,
    /// `put` or `get`.
    pub(crate) verb: &'static str,
    moves: Vec<Move>,
    form: FileForm,
    /// How many bytes each host gets, when that is known.
    pub(crate) each: Option<u64>,
    /// How.
    pub(crate) moving: Moving,
    /// How many hosts at once.
    pub(crate) crowd: Crowd,
    /// The form of the output.
    pub(crate) mode: Mode,
}

/// What is said of all files that move.
#[derive(Debug, Default)]
pub(crate) struct FileForm {
    /// Permission bits, when they are given.
    pub(crate) mode: Option<u16>,
    /// To whom they shall belong.
    pub(crate) ownership: Ownership,
    /// Whether they are on the disk before they take their places.
    pub(crate) durability: Durability,
}

/// Up to how many bytes a host it takes as much to connect as to move them.
pub(crate) const LITTLE: u64 = 128 * 1024;

/// The files that will move, and how.
pub(crate) struct Moves {
    /// `put` or `get`.
    pub(crate) verb: &'static str,
    /// Each.
    pub(crate) list: Vec<Move>,
    /// What all of them are given.
    pub(crate) form: FileForm,
    /// How many bytes each host gets, when that is known.
    pub(crate) each: Option<u64>,
}

/// One file that will move.
pub(crate) struct Move {
    /// The hosts, as short as they can be written.
    pub(crate) hosts: String,
    /// The file here; none is stdin or stdout.
    pub(crate) here: Option<PathBuf>,
    /// The file there.
    pub(crate) there: BString,
}

impl Files {
    /// A plan that can be carried out with the connectors of `registry`; `room` hosts fit below the limit of
    /// descriptors.
    ///
    /// # Errors
    /// A host has a scheme without a connector.
    pub(crate) fn new(
        moves: Moves,
        names: &HostList,
        moving: Moving,
        room: usize,
        registry: &Registry,
    ) -> Result<Self, Usage> {
        let hosts = hosts(names, registry, &moving.reaching)?;
        let usual = match moves.each {
            Some(0..=LITTLE) => SMALL_TRANSFER_FANOUT,
            Some(_) | None => TRANSFER_FANOUT,
        };
        Ok(Files {
            crowd: Crowd::of(hosts.len(), moving.pace.fanout, usual, room),
            mode: Mode::of(&moving.output, hosts.len()),
            folded: names.fold(),
            hosts,
            verb: moves.verb,
            moves: moves.list,
            form: moves.form,
            each: moves.each,
            moving,
        })
    }

    fn going(&self) -> Going<'_> {
        Going {
            reaching: &self.moving.reaching,
            pace: &self.moving.pace,
            hosts: self.hosts.len(),
            fanout: self.crowd.fanout,
        }
    }

    /// The plan as lines for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |word: &str, what: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{word:<9} {what}");
        };
        line("hosts", &format!("{} ({})", self.folded, self.hosts.len()));
        for one in &self.moves {
            let here = one.here.as_deref().map(bytes_of);
            let here = here.map_or_else(|| "-".to_owned(), |here| quoted([&here]));
            let there = format!("{}:{}", one.hosts, quoted([&one.there]));
            match self.verb {
                "get" => line(self.verb, &format!("{there} to {here}")),
                verb => line(verb, &format!("{here} to {there}")),
            }
        }
        self.form.lines(&mut line);
        self.going().lines(&mut line);
        line("output", self.mode.as_str());
        match self.moving.exit_rule {
            ExitRule::Kind => {}
            ExitRule::Max => line("exit code", "the largest remote code"),
        }
        text
    }

    /// The plan as it is serialised.
    pub(crate) fn summary(&self) -> impl Serialize {
        let names = self.hosts.iter();
        Summary {
            schema: SCHEMA,
            kind: "plan",
            verb: self.verb,
            hosts: names.map(|host| host.name().to_string()).collect(),
            files: self.moves.iter().map(MoveSummary::from).collect(),
            mode: self.form.mode.map(octal),
            owner: self.form.ownership.owner.as_ref().map(lossless),
            group: self.form.ownership.group.as_ref().map(lossless),
            sync: self.form.durability == Durability::Synced,
            going: self.going().summary(),
            output: self.mode.as_str(),
            exit_code: match self.moving.exit_rule {
                ExitRule::Kind => "kind",
                ExitRule::Max => "max",
            },
        }
    }
}

impl FileForm {
    /// It as lines for people: what is left to the hosts has none.
    fn lines(&self, mut line: impl FnMut(&str, &str)) {
        if let Some(mode) = self.mode {
            line("mode", &octal(mode));
        }
        if let Some(owner) = &self.ownership.owner {
            line("owner", &quoted([owner]));
        }
        if let Some(group) = &self.ownership.group {
            line("group", &quoted([group]));
        }
        if self.durability == Durability::Unsynced {
            line("disk", "not waited for");
        }
    }
}

fn octal(mode: u16) -> String {
    format!("{mode:04o}")
}

#[derive(Serialize)]
struct Summary {
    schema: u32,
    kind: &'static str,
    verb: &'static str,
    hosts: Vec<String>,
    files: Vec<MoveSummary>,
    mode: Option<String>,
    owner: Option<Text>,
    group: Option<Text>,
    sync: bool,
    #[serde(flatten)]
    going: GoingSummary,
    output: &'static str,
    exit_code: &'static str,
}

#[derive(Serialize)]
struct MoveSummary {
    hosts: String,
    path: Text,
    here: Option<Text>,
}

impl From<&Move> for MoveSummary {
    fn from(one: &Move) -> Self {
        MoveSummary {
            hosts: one.hosts.clone(),
            path: lossless(&one.there),
            here: one.here.as_deref().map(|path| lossless(&bytes_of(path))),
        }
    }
}
