//! What a host answers to an operation, as JSON: flat fields, of which `answer` says what they are.

use convoke_proto::account::{Group, User};
use convoke_proto::file::{Entry, Stat, Time};
use convoke_proto::operation::{Answer, Failure};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::facts::Facts;
use crate::failure;
use crate::hex::hex;
use crate::lossless::{Element, field, optional, whole};
use crate::utc::Utc;

/// The entries of an answer, or of a failure instead of one.
pub(crate) fn entries<M: SerializeMap>(
    reply: &Result<Answer, Failure>,
    map: &mut M,
) -> Result<(), M::Error> {
    match reply {
        Ok(answer) => {
            map.serialize_entry("answer", word(answer))?;
            facts_of(answer, map)
        }
        Err(failure) => {
            map.serialize_entry("answer", "failed")?;
            failure::entries(failure, map)?;
            map.serialize_entry("text", &failure::words(failure))
        }
    }
}

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Done => "done",
        Answer::Stat(_) => "stat",
        Answer::Entries(_) => "entries",
        Answer::Path(_) => "path",
        Answer::Stored(_) => "stored",
        Answer::Content(_) => "content",
        Answer::User(_) => "user",
        Answer::Group(_) => "group",
        Answer::Environment(_) => "environment",
        Answer::Facts(_) => "facts",
        Answer::Position(_) => "position",
    }
}

fn facts_of<M: SerializeMap>(answer: &Answer, map: &mut M) -> Result<(), M::Error> {
    match answer {
        Answer::Done => Ok(()),
        Answer::Stat(stat) => {
            map.serialize_entry("exists", &stat.is_some())?;
            stat.as_deref().map_or(Ok(()), |stat| self::stat(stat, map))
        }
        Answer::Entries(entries) => {
            let entries: Vec<Listed<'_>> = entries.iter().map(Listed).collect();
            map.serialize_entry("entries", &entries)
        }
        Answer::Path(path) => optional(map, "path", path.as_ref().map(|path| path.as_slice())),
        Answer::Stored(stored) => {
            field(map, "path", &stored.path)?;
            map.serialize_entry("size", &stored.size)?;
            map.serialize_entry("replaced", &stored.replaced)
        }
        Answer::Content(content) => whole(map, content),
        Answer::User(user) => self::user(user, map),
        Answer::Group(group) => self::group(group, map),
        Answer::Environment(variables) => {
            let variables: Vec<Variable<'_>> = variables
                .iter()
                .map(|(name, value)| Variable { name, value })
                .collect();
            map.serialize_entry("variables", &variables)
        }
        Answer::Facts(raw) => map.serialize_entry("facts", &Facts::of(raw.iter().cloned())),
        Answer::Position(position) => map.serialize_entry("position", position),
    }
}

fn stat<M: SerializeMap>(stat: &Stat, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("kind", stat.kind.as_str())?;
    if !stat.is_known() {
        return Ok(());
    }
    map.serialize_entry("mode", &format!("{:04o}", stat.mode))?;
    field(map, "owner", &stat.owner)?;
    map.serialize_entry("uid", &stat.uid)?;
    field(map, "group", &stat.group)?;
    map.serialize_entry("gid", &stat.gid)?;
    map.serialize_entry("size", &stat.size)?;
    time(map, "modified", stat.modified)?;
    time(map, "changed", stat.changed)?;
    map.serialize_entry("inode", &stat.inode)?;
    map.serialize_entry("device", &stat.device)?;
    map.serialize_entry("links", &stat.links)?;
    optional(
        map,
        "target",
        stat.target.as_ref().map(|target| target.as_slice()),
    )?;
    for (digest, value) in &stat.digests {
        map.serialize_entry(digest.as_str(), &hex(value))?;
    }
    Ok(())
}

/// A time twice: for people, and for programs.
fn time<M: SerializeMap>(map: &mut M, name: &str, time: Time) -> Result<(), M::Error> {
    map.serialize_entry(name, &Utc::from(time).rfc3339())?;
    map.serialize_entry(&format!("{name}_seconds"), &time.seconds)
}

fn user<M: SerializeMap>(user: &User, map: &mut M) -> Result<(), M::Error> {
    field(map, "name", &user.name)?;
    map.serialize_entry("uid", &user.uid)?;
    field(map, "group", &user.group)?;
    map.serialize_entry("gid", &user.gid)?;
    let groups: Vec<Element<'_>> = user.groups.iter().map(|group| Element(group)).collect();
    map.serialize_entry("groups", &groups)?;
    field(map, "gecos", &user.gecos)?;
    field(map, "home", &user.home)?;
    field(map, "shell", &user.shell)?;
    match &user.password_hash {
        Some(hash) => field(map, "password_hash", hash),
        None => Ok(()),
    }
}

fn group<M: SerializeMap>(group: &Group, map: &mut M) -> Result<(), M::Error> {
    let members: Vec<Element<'_>> = group.members.iter().map(|member| Element(member)).collect();
    field(map, "name", &group.name)?;
    map.serialize_entry("gid", &group.gid)?;
    map.serialize_entry("members", &members)
}

/// An entry of a directory: its name beside what it is.
struct Listed<'a>(&'a Entry);

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        field(&mut map, "name", &self.0.name)?;
        stat(&self.0.stat, &mut map)?;
        map.end()
    }
}

/// A variable of an environment.
struct Variable<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl Serialize for Variable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        field(&mut map, "name", self.name)?;
        field(&mut map, "value", self.value)?;
        map.end()
    }
}

#[cfg(test)]
mod tests;
