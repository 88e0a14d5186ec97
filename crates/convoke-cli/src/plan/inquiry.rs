//! What which hosts will be asked.

use std::fmt::Write as _;

use convoke::action::DEFAULT_FANOUT;
use convoke::connect::registry::Registry;
use convoke::host::Host;
use convoke::inventory::HostList;
use convoke::proto::file::Follow;
use serde::Serialize;

use super::going::{Going, GoingSummary};
use super::quote::quoted;
use super::shown::{SCHEMA, Text, lossless};
use super::{Crowd, apart, hosts, stranger};
use crate::config::{Asked, Inquiry, Output, Pace, Reaching, Rehearsal, Safety};
use crate::error::Usage;
use crate::render::Mode;

/// What hosts will be asked.
pub(crate) struct Questions {
    /// The hosts, in order.
    pub(crate) hosts: Vec<Host>,
    folded: String,
    /// What each is asked.
    pub(crate) asked: Asked,
    /// How the hosts are gone through.
    pub(crate) pace: Pace,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// How many hosts at once.
    pub(crate) crowd: Crowd,
    /// The form of the output.
    pub(crate) mode: Mode,
    /// What is shown, and how.
    pub(crate) output: Output,
    /// Whether anything happens at all.
    pub(crate) rehearsal: Rehearsal,
}

impl Questions {
    /// A plan that can be carried out with the connectors of `registry`; `room` hosts fit below the limit of
    /// descriptors.
    ///
    /// # Errors
    /// A host has a scheme without a connector.
    pub(crate) fn new(
        inquiry: Inquiry,
        names: &HostList,
        room: usize,
        registry: &Registry,
    ) -> Result<Self, Usage> {
        let hosts = hosts(names, registry, &inquiry.reaching).map_err(|error| {
            match inquiry.asked.is_of_paths() {
                true => with_path(error, names, registry),
                false => error,
            }
        })?;
        Ok(Questions {
            crowd: Crowd::of(hosts.len(), inquiry.pace.fanout, DEFAULT_FANOUT, room),
            mode: Mode::of(&inquiry.output, hosts.len()),
            folded: names.fold(),
            hosts,
            asked: inquiry.asked,
            pace: inquiry.pace,
            reaching: inquiry.reaching,
            output: inquiry.output,
            rehearsal: inquiry.rehearsal,
        })
    }

    fn going(&self) -> Going<'_> {
        Going {
            reaching: &self.reaching,
            pace: &self.pace,
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
        let subjects = quoted(&self.asked.subjects());
        line(
            self.asked.verb(),
            match subjects.is_empty() {
                true => self.asked.default_subject(),
                false => &subjects,
            },
        );
        if let Asked::Stat {
            follow, digests, ..
        } = &self.asked
        {
            if *follow == Follow::No {
                line("links", "not followed");
            }
            for digest in digests {
                line("digest", digest.as_str());
            }
        }
        self.going().lines(&mut line);
        let escaped = match self.output.safety {
            Safety::Escaped => "",
            Safety::Raw => ", nothing escaped",
        };
        line("output", &format!("{}{escaped}", self.mode.as_str()));
        text
    }

    /// The plan as it is serialised.
    pub(crate) fn summary(&self) -> impl Serialize {
        let (follow, digests) = match &self.asked {
            Asked::Stat {
                follow, digests, ..
            } => (
                Some(*follow == Follow::Yes),
                Some(digests.iter().map(|digest| digest.as_str()).collect()),
            ),
            _ => (None, None),
        };
        let names = self.hosts.iter();
        Summary {
            schema: SCHEMA,
            kind: "plan",
            verb: self.asked.verb(),
            hosts: names.map(|host| host.name().to_string()).collect(),
            subjects: self.asked.subjects().iter().map(lossless).collect(),
            follow,
            digests,
            going: self.going().summary(),
            output: self.mode.as_str(),
            raw: self.output.safety == Safety::Raw,
        }
    }
}

/// The error of hosts of which one holds a colon that no connector understands: what follows it may be a path.
fn with_path(error: Usage, names: &HostList, registry: &Registry) -> Usage {
    let hosts = names.iter().map(|name| Host::new(name.as_str()));
    let hosts: Vec<Host> = hosts.filter_map(Result::ok).collect();
    let apart = stranger(&hosts, registry).map(apart);
    match (apart, error.hint.clone()) {
        (Some(apart), Some(hint)) if hint != apart => error.hint(format!("{hint}; {apart}")),
        _ => error,
    }
}

#[derive(Serialize)]
struct Summary {
    schema: u32,
    kind: &'static str,
    verb: &'static str,
    hosts: Vec<String>,
    subjects: Vec<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digests: Option<Vec<&'static str>>,
    #[serde(flatten)]
    going: GoingSummary,
    output: &'static str,
    raw: bool,
}
