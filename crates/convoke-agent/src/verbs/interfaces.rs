//! The host's network interfaces with their addresses.
//!
//! `unsafe` because the kernel tells addresses by netlink only, and the C library's `getifaddrs`, which
//! speaks it, answers with a list of pointers. Every pointer is checked before it is read, and the list
//! outlives all reads.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ptr::null_mut;

use std::os::unix::ffi::OsStringExt;

use bstr::{BString, ByteVec};

/// Lines `link NAME INDEX FLAGS-HEX MTU MAC-or-dash` and `addr NAME ADDRESS/PREFIX`.
pub(super) fn interfaces() -> Option<BString> {
    let mut list = null_mut();
    // SAFETY: writes one local.
    if unsafe { libc::getifaddrs(&mut list) } != 0 {
        return None;
    }
    let mut lines = BString::default();
    let mut next = list;
    // SAFETY: the list and all that it points to is valid until it is freed, below.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: as above; a name is a string with its end.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_bytes();
        // SAFETY: as above.
        if let Some(line) = unsafe { line(entry, name) } {
            lines.push_str(line.0);
            lines.push_str(name);
            lines.push_str(line.1);
        }
        next = entry.ifa_next;
    }
    // SAFETY: the list came from `getifaddrs` and is not used any more.
    unsafe { libc::freeifaddrs(list) };
    Some(lines)
}

/// What comes before and behind the name in an entry's line.
///
/// # Safety
/// The entry is one of a list that is not freed yet.
unsafe fn line(entry: &libc::ifaddrs, name: &[u8]) -> Option<(&'static str, String)> {
    // SAFETY: an address is none or valid, and as long as its family says.
    unsafe {
        let family = i32::from(entry.ifa_addr.as_ref()?.sa_family);
        let address = match family {
            libc::AF_PACKET => return Some(("link ", link(entry, name))),
            libc::AF_INET => {
                let address = &*entry.ifa_addr.cast::<libc::sockaddr_in>();
                Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)).to_string()
            }
            libc::AF_INET6 => {
                let address = &*entry.ifa_addr.cast::<libc::sockaddr_in6>();
                Ipv6Addr::from(address.sin6_addr.s6_addr).to_string()
            }
            _ => return None,
        };
        let prefix = prefix(entry.ifa_netmask, family)?;
        Some(("addr ", format!(" {address}/{prefix}\n")))
    }
}

/// # Safety
/// The entry's address is of the family for links.
unsafe fn link(entry: &libc::ifaddrs, name: &[u8]) -> String {
    // SAFETY: by the contract.
    let address = unsafe { &*entry.ifa_addr.cast::<libc::sockaddr_ll>() };
    let mut text = format!(
        " {} {:x} {} ",
        address.sll_ifindex,
        entry.ifa_flags,
        mtu(name)
    );
    let bytes = address.sll_addr.get(..usize::from(address.sll_halen));
    let bytes = bytes.filter(|bytes| bytes.iter().any(|byte| *byte != 0));
    let mut separator = "";
    for byte in bytes.unwrap_or_default() {
        // A string takes everything.
        let _ = write!(text, "{separator}{byte:02x}");
        separator = ":";
    }
    if separator.is_empty() {
        text.push('-');
    }
    text.push('\n');
    text
}

/// How many bits of a mask are set.
///
/// # Safety
/// The mask is none or valid, and as long as `family` says.
unsafe fn prefix(mask: *const libc::sockaddr, family: i32) -> Option<u32> {
    if mask.is_null() {
        return None;
    }
    // SAFETY: by the contract.
    unsafe {
        Some(match family {
            libc::AF_INET => (*mask.cast::<libc::sockaddr_in>())
                .sin_addr
                .s_addr
                .count_ones(),
            _ => {
                let bytes = (*mask.cast::<libc::sockaddr_in6>()).sin6_addr.s6_addr;
                bytes.iter().map(|byte| byte.count_ones()).sum()
            }
        })
    }
}

/// The longest packet, in bytes; 0 when the kernel does not tell.
fn mtu(name: &[u8]) -> u32 {
    let path = [b"/sys/class/net/", name, b"/mtu"].concat();
    let path = std::path::PathBuf::from(std::ffi::OsString::from_vec(path));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}
