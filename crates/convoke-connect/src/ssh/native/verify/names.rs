//! Under which names the keys of a host are known (`get_hostfile_hostname_ipaddr` of OpenSSH).

use std::net::IpAddr;

use crate::ssh::rules::Rules;

/// The port whose hosts are known by their name alone.
const PORT: u16 = 22;

/// A name with any of these is not written into known hosts.
const NEVER_WRITTEN: &str = "@?*#[]|'\"\\";

/// Who is judged: the host as it was asked for, and where it answers.
#[derive(Debug, Clone)]
pub(in crate::ssh) struct Host {
    /// In lower case.
    pub(super) name: String,
    pub(super) port: u16,
    /// None when something else carries the connection.
    pub(super) address: Option<IpAddr>,
}

/// How much of the names counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Whole,
    /// Only to recognise a host at another port by its name alone.
    WithoutPort,
}

impl Host {
    pub(in crate::ssh) fn new(name: &str, port: u16, address: Option<IpAddr>) -> Self {
        Host {
            name: name.to_ascii_lowercase(),
            port,
            address,
        }
    }

    /// The name that lines are looked for under.
    pub(super) fn known_as(&self, rules: &Rules, scope: Scope) -> String {
        match &rules.alias {
            Some(alias) => alias.clone(),
            None => self.with_port(&self.name, scope),
        }
    }

    /// The address that lines are looked for under, if that is to be done (`CheckHostIP`): not for
    /// this machine, not where the address is the name, not where something else connects.
    pub(super) fn address_known_as(&self, rules: &Rules, scope: Scope) -> Option<String> {
        let address = self.address.filter(|address| !address.is_loopback())?;
        let address = address.to_string();
        let known_as = self.with_port(&address, scope);
        let is_name = match rules.alias {
            // ssh compares with the port then.
            Some(_) => known_as == self.name,
            None => address == self.name,
        };
        (rules.checks_address && !is_name).then_some(known_as)
    }

    fn with_port(&self, name: &str, scope: Scope) -> String {
        match (scope, self.port) {
            (Scope::WithoutPort, _) | (Scope::Whole, PORT) => name.to_owned(),
            (Scope::Whole, port) => format!("[{name}]:{port}"),
        }
    }

    /// Whether the name without its port may be looked for, too.
    pub(super) fn has_port(&self, rules: &Rules) -> bool {
        rules.alias.is_none() && self.port != PORT
    }

    /// Whether it may be written into known hosts.
    pub(super) fn is_writable(&self) -> bool {
        !self.name.contains(|letter| NEVER_WRITTEN.contains(letter))
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.address.is_some_and(|address| address.is_loopback())
    }
}
