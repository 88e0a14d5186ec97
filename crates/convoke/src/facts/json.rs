//! The facts as JSON: objects with a field for every part, `null` where nothing is known.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Facts, Interface, Login, Mount};
use crate::lossless::{Element, field, optional};
use crate::utc::Utc;

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("os", &self.os)?;
        map.serialize_entry("kernel", &self.kernel)?;
        map.serialize_entry("architecture", &self.architecture)?;
        map.serialize_entry("hostname", &self.hostname)?;
        map.serialize_entry("cpus", &self.cpus)?;
        map.serialize_entry("memory", &self.memory)?;
        map.serialize_entry("mounts", &self.mounts)?;
        map.serialize_entry("interfaces", &self.interfaces)?;
        let uptime = self.uptime.map(|uptime| uptime.as_secs_f64());
        map.serialize_entry("uptime_seconds", &uptime)?;
        map.serialize_entry("boot_id", &self.boot_id)?;
        optional(
            &mut map,
            "init",
            self.init.as_ref().map(|init| init.as_slice()),
        )?;
        map.serialize_entry("user", &self.user)?;
        let clock = self.clock.and_then(|time| Utc::from(time).rfc3339());
        map.serialize_entry("clock", &clock)?;
        map.serialize_entry("clock_seconds", &self.clock.map(|time| time.seconds))?;
        map.serialize_entry("more", &More(self))?;
        map.end()
    }
}

/// What else the host said.
struct More<'a>(&'a Facts);

impl Serialize for More<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let more = self.0.more.iter();
        serializer.collect_map(more.map(|(name, text)| (name, Element(text))))
    }
}

impl Serialize for Mount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options: Vec<Element<'_>> = self.options.iter().map(|one| Element(one)).collect();
        let mut map = serializer.serialize_map(Some(4))?;
        field(&mut map, "source", &self.source)?;
        field(&mut map, "path", &self.path)?;
        field(&mut map, "kind", &self.kind)?;
        map.serialize_entry("options", &options)?;
        map.end()
    }
}

impl Serialize for Interface {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(8))?;
        field(&mut map, "name", &self.name)?;
        map.serialize_entry("index", &self.index)?;
        map.serialize_entry("up", &self.is_up())?;
        map.serialize_entry("flags", &self.flags)?;
        map.serialize_entry("mtu", &self.mtu)?;
        map.serialize_entry("mac", &self.mac)?;
        map.serialize_entry("ip", &self.ip())?;
        map.serialize_entry("addresses", &self.addresses)?;
        map.end()
    }
}

impl Serialize for Login {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        optional(
            &mut map,
            "name",
            self.name.as_ref().map(|name| name.as_slice()),
        )?;
        map.serialize_entry("uid", &self.uid)?;
        map.serialize_entry("gid", &self.gid)?;
        optional(
            &mut map,
            "home",
            self.home.as_ref().map(|home| home.as_slice()),
        )?;
        optional(
            &mut map,
            "shell",
            self.shell.as_ref().map(|shell| shell.as_slice()),
        )?;
        map.end()
    }
}
