//! What is true of a host: a line for each fact, its name and its value.

use std::time::Duration;

use bstr::BString;
use convoke::facts::{Facts, Interface, Mount};
use convoke::utc::Utc;

use super::Lines;
use super::table::{self, Cell, Row};
use crate::render::escape::one_line;
use crate::render::quote::{quote, quoted};
use crate::render::screen::Broken;

/// The groups of facts that are not shown unless they are named: they have many lines.
const LONG: [&str; 1] = ["mounts"];

/// The groups of facts whose members have names of the host.
const OPEN: [&str; 3] = ["mounts", "interfaces", "more"];

/// Which texts of a host a group of facts is made from. What is not here belongs to `more`.
const SOURCES: [(&str, &str); 20] = [
    ("os", "os-release"),
    ("kernel", "kernel.name"),
    ("kernel", "kernel.release"),
    ("kernel", "kernel.version"),
    ("architecture", "machine"),
    ("hostname", "hostname"),
    ("cpus", "cpus.online"),
    ("cpus", "cpu.model"),
    ("memory", "meminfo"),
    ("mounts", "mountinfo"),
    ("interfaces", "interfaces"),
    ("uptime", "uptime"),
    ("boot_id", "boot-id"),
    ("init", "init"),
    ("user", "user"),
    ("user", "uid"),
    ("user", "gid"),
    ("user", "home"),
    ("user", "shell"),
    ("clock", "time"),
];

/// A fact as it is shown.
struct Line {
    name: String,
    value: String,
}

/// Writes a line for each fact that is wanted.
pub(super) fn write(
    raw: Vec<(String, BString)>,
    names: &[String],
    out: &mut Lines<'_>,
) -> Result<(), Broken> {
    let mut lines = lines(&Facts::of(raw));
    lines.retain(|line| is_wanted(&line.name, names));
    let row = |line: &Line| {
        Row::Cells(vec![
            Cell::Text(line.name.clone()),
            Cell::Text(line.value.clone()),
        ])
    };
    table::write(&lines, row, out)
}

/// The names of which the host has nothing, among those that only a host can know to be none: `interfaces.eth9`.
pub(super) fn missing(raw: &[(String, BString)], names: &[String]) -> Vec<BString> {
    let members = names.iter().filter(|name| {
        let group = group_of(name);
        name.contains('.') && OPEN.contains(&group)
    });
    let mut members = members.peekable();
    if members.peek().is_none() {
        return Vec::new();
    }
    let lines = lines(&Facts::of(raw.iter().cloned()));
    let is_there = |name: &&String| {
        lines
            .iter()
            .any(|line| is_wanted(&line.name, std::slice::from_ref(*name)))
    };
    let missing = members.filter(|name| !is_there(name));
    missing.map(|name| name.as_str().into()).collect()
}

/// Leaves the texts that the wanted groups are made from; all when nothing is named.
pub(super) fn select(raw: &mut Vec<(String, BString)>, names: &[String]) {
    if names.is_empty() {
        return;
    }
    raw.retain(|(name, _)| {
        let source = SOURCES.iter().find(|(_, source)| source == name);
        let group = source.map_or("more", |(group, _)| group);
        names.iter().any(|wanted| group_of(wanted) == group)
    });
}

fn group_of(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// Whether a fact is named, or belongs to what is.
fn is_wanted(name: &str, names: &[String]) -> bool {
    if names.is_empty() {
        return !LONG.contains(&group_of(name));
    }
    names.iter().any(|wanted| {
        let rest = name.strip_prefix(wanted.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Every fact, in the order in which they are shown.
fn lines(facts: &Facts) -> Vec<Line> {
    let mut lines = Shown(Vec::new());
    if let Some(os) = &facts.os {
        lines.add("os.pretty_name", Some(&os.pretty_name));
        lines.add("os.id", Some(&os.id));
        lines.add("os.version_id", os.version_id.as_ref());
    }
    lines.add("kernel.name", facts.kernel.name.as_ref());
    lines.add("kernel.release", facts.kernel.release.as_ref());
    lines.add("kernel.version", facts.kernel.version.as_ref());
    lines.add("architecture", facts.architecture.as_ref());
    lines.add("hostname", facts.hostname.as_ref());
    lines.number("cpus.online", facts.cpus.online);
    lines.add("cpus.model", facts.cpus.model.as_ref());
    let memory = facts.memory.clone().unwrap_or_default();
    lines.number("memory.total", memory.total);
    lines.number("memory.available", memory.available);
    lines.number("memory.free", memory.free);
    lines.number("memory.swap_total", memory.swap_total);
    lines.number("memory.swap_free", memory.swap_free);
    for mount in &facts.mounts {
        lines.add(
            &format!("mounts.{}", quote(&mount.path)),
            Some(mounted(mount)),
        );
    }
    for interface in &facts.interfaces {
        let name = format!("interfaces.{}", quote(&interface.name));
        lines.add(&name, Some(addresses(interface)));
    }
    let uptime = facts.uptime.map(|time| Duration::from_secs(time.as_secs()));
    lines.number("uptime", uptime.map(humantime::format_duration));
    lines.add("boot_id", facts.boot_id.as_ref());
    lines.add("init", facts.init.as_ref());
    lines.add("user.name", facts.user.name.as_ref());
    lines.number("user.uid", facts.user.uid);
    lines.number("user.gid", facts.user.gid);
    lines.add("user.home", facts.user.home.as_ref());
    lines.add("user.shell", facts.user.shell.as_ref());
    let clock = facts.clock.and_then(|time| Utc::from(time).rfc3339());
    lines.add("clock", clock);
    for (name, text) in &facts.more {
        lines.add(&format!("more.{}", quote(name.as_bytes())), Some(text));
    }
    lines.0
}

/// The kind of a mount, what is mounted, and its options.
fn mounted(mount: &Mount) -> String {
    let options: Vec<String> = mount.options.iter().map(|option| quote(option)).collect();
    let words = quoted([&mount.kind, &mount.source]);
    format!("{words} {}", options.join(","))
}

/// The addresses of an interface, and what it is.
fn addresses(interface: &Interface) -> String {
    let state = match interface.is_up() {
        true => "up",
        false => "down",
    };
    let addresses = interface.addresses.iter().map(ToString::to_string);
    let mtu = format!("mtu {}", interface.mtu);
    let mac = interface.mac.iter().map(|mac| format!("mac {mac}"));
    let words = std::iter::once(state.to_owned());
    let words = words.chain(addresses).chain([mtu]).chain(mac);
    words.collect::<Vec<_>>().join(" ")
}

struct Shown(Vec<Line>);

impl Shown {
    /// Adds a fact that a host has said.
    fn add(&mut self, name: &str, value: Option<impl AsRef<[u8]>>) {
        if let Some(value) = value {
            self.0.push(Line {
                name: name.to_owned(),
                value: one_line(value.as_ref()),
            });
        }
    }

    /// Adds a fact that we have understood.
    fn number(&mut self, name: &str, value: Option<impl ToString>) {
        self.add(name, value.map(|value| value.to_string()));
    }
}
