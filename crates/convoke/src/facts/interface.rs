//! The network interfaces of a host and their addresses.

use std::fmt;
use std::net::IpAddr;

use bstr::{BString, ByteSlice as _};
use serde::Serialize;

use super::{number, words};

/// The flag of an interface that is switched on: `IFF_UP` of Linux.
const UP: u32 = 1;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: BString,
    /// Its number.
    pub index: u32,
    /// What the kernel says of it, as in netdevice(7).
    pub flags: u32,
    /// How long a packet may be, in bytes.
    pub mtu: u32,
    /// Its hardware address, such as `52:54:00:12:34:56`, when it has one.
    pub mac: Option<String>,
    /// Its addresses, in the order of the host.
    pub addresses: Vec<Address>,
}

/// An address and how many of its bits name the network; shown as `192.0.2.7/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The number of bits, at most 32 or 128.
    pub prefix: u8,
}

impl Interface {
    /// Whether it is switched on.
    pub fn is_up(&self) -> bool {
        self.flags & UP != 0
    }

    /// The address by which others would reach it: the first of IPv4, else the first of IPv6 that is valid
    /// beyond the link, else the first.
    pub fn ip(&self) -> Option<IpAddr> {
        let rank = |ip: &IpAddr| match ip {
            IpAddr::V4(_) => 0,
            IpAddr::V6(ip) if !ip.is_unicast_link_local() => 1,
            IpAddr::V6(_) => 2,
        };
        let all = self.addresses.iter().map(|address| address.ip);
        all.min_by_key(rank)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// Understands every text; lines that are neither an interface nor an address of one are passed over.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Interface>> {
    let mut all: Vec<Interface> = Vec::new();
    for line in text.lines() {
        let mut words = words(line);
        let (kind, name) = (words.next(), words.next());
        let rest = words;
        match (kind, name) {
            (Some(b"link"), Some(name)) => all.extend(link(name, rest)),
            (Some(b"addr"), Some(name)) => {
                // An address stands behind its interface, the last one in most texts.
                let mut owners = all.iter_mut().rev();
                let owner = owners.find(|interface| interface.name == name);
                if let (Some(owner), Some(address)) = (owner, address(rest)) {
                    owner.addresses.push(address);
                }
            }
            _ => {}
        }
    }
    Some(all)
}

/// The rest of `link NAME INDEX FLAGS MTU MAC`; the flags are hexadecimal.
fn link<'a>(name: &[u8], mut rest: impl Iterator<Item = &'a [u8]>) -> Option<Interface> {
    let (index, flags, mtu) = (rest.next()?, rest.next()?.to_str().ok()?, rest.next()?);
    let flags = flags.strip_prefix("0x").unwrap_or(flags);
    let mac = rest.next().filter(|mac| *mac != b"-");
    Some(Interface {
        name: name.into(),
        index: number(index)?,
        flags: u32::from_str_radix(flags, 16).ok()?,
        mtu: number(mtu)?,
        mac: mac.map(|mac| mac.to_str_lossy().into_owned()),
        addresses: Vec::new(),
    })
}

/// The rest of `addr NAME ADDRESS/PREFIX`.
fn address<'a>(mut rest: impl Iterator<Item = &'a [u8]>) -> Option<Address> {
    let (ip, prefix) = rest.next()?.to_str().ok()?.split_once('/')?;
    let ip: IpAddr = ip.parse().ok()?;
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = number(prefix.as_bytes()).filter(|prefix| *prefix <= longest)?;
    Some(Address { ip, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "link lo 1 10049 65536 -\naddr lo 127.0.0.1/8\nlink eth0 2 0x11043 1500 52:54:00:12:34:56\n\
        addr eth0 fe80::1/64\naddr eth0 2001:db8::7/64\naddr eth0 192.0.2.7/24\nlink sit0 3 80 1480 -\n\
        addr sit0 fe80::2/64\naddr gone 192.0.2.8/24\naddr lo 1.2.3.4/33\nlink odd x 1 1 -\nwhat\n\nlink short\n";

    #[test]
    fn an_address_belongs_to_its_interface() {
        let all = parse(TEXT.as_bytes()).unwrap();
        let names: Vec<&[u8]> = all.iter().map(|one| one.name.as_slice()).collect();
        assert_eq!(names, [&b"lo"[..], b"eth0", b"sit0"]);
        let [lo, eth0, sit0] = &all[..] else {
            panic!("{all:?}")
        };
        assert_eq!(lo.addresses[0].to_string(), "127.0.0.1/8");
        assert_eq!((lo.addresses.len(), &lo.mac), (1, &None));
        assert_eq!(eth0.ip(), Some([192, 0, 2, 7].into()));
        assert_eq!(eth0.mac.as_deref(), Some("52:54:00:12:34:56"));
        assert!(eth0.is_up() && !sit0.is_up());
        assert_eq!(sit0.ip(), Some("fe80::2".parse().unwrap()));
    }
}
