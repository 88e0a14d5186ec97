//! Kernel, processors, memory, time and login of a host.

use std::time::Duration;

use bstr::{BString, ByteSlice as _};
use convoke_proto::file::Time;
use serde::Serialize;

use super::{number, words};

/// A kernel's names, as `uname` gives them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Kernel {
    /// Which one it is: `Linux`.
    pub name: Option<String>,
    /// Its release, such as `6.1.0-18-amd64`.
    pub release: Option<String>,
    /// When and how it was built.
    pub version: Option<String>,
}

/// The processors of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Cpus {
    /// How many work.
    pub online: Option<u32>,
    /// What the first of them is called.
    pub model: Option<String>,
}

/// The memory of a host, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Memory {
    /// All that there is.
    pub total: Option<u64>,
    /// What a new program could have without anything being swapped out; older kernels do not say.
    pub available: Option<u64>,
    /// What is not used at all.
    pub free: Option<u64>,
    /// What holds blocks of disks.
    pub buffers: Option<u64>,
    /// What holds content of files.
    pub cached: Option<u64>,
    /// All the room to swap to.
    pub swap_total: Option<u64>,
    /// How much of it is free.
    pub swap_free: Option<u64>,
}

/// Whom we are logged in as.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Login {
    /// The user's name.
    pub name: Option<BString>,
    /// The user's number.
    pub uid: Option<u32>,
    /// The number of the primary group.
    pub gid: Option<u32>,
    /// The home directory.
    pub home: Option<BString>,
    /// The login shell.
    pub shell: Option<BString>,
}

impl Memory {
    /// Understands the text of `/proc/meminfo` when anything in it is known.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut memory = Memory::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once_str(":") else {
                continue;
            };
            let place = match name {
                b"MemTotal" => &mut memory.total,
                b"MemAvailable" => &mut memory.available,
                b"MemFree" => &mut memory.free,
                b"Buffers" => &mut memory.buffers,
                b"Cached" => &mut memory.cached,
                b"SwapTotal" => &mut memory.swap_total,
                b"SwapFree" => &mut memory.swap_free,
                _ => continue,
            };
            *place = kibibytes(value);
        }
        (memory != Memory::default()).then_some(memory)
    }
}

/// A number of bytes that is written in units of 1024: `16303428 kB`.
fn kibibytes(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii().strip_suffix(b"kB")?;
    number::<u64>(digits)?.checked_mul(1024)
}

/// How many processors a list such as `0-3,8` names.
pub(super) fn online(text: &[u8]) -> Option<u32> {
    text.trim_ascii()
        .split_str(",")
        .try_fold(0_u32, |sum, range| {
            let (first, last) = range.split_once_str("-").unwrap_or((range, range));
            let (first, last): (u32, u32) = (number(first)?, number(last)?);
            let many = last.checked_sub(first)?.checked_add(1)?;
            sum.checked_add(many)
        })
}

/// The first number of `/proc/uptime`, in seconds with a fraction.
pub(super) fn uptime(text: &[u8]) -> Option<Duration> {
    let seconds: f64 = number(words(text).next()?)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Seconds since 1970 with a fraction: `1795289400.000000001`.
pub(super) fn clock(text: &[u8]) -> Option<Time> {
    let text = text.trim_ascii();
    let (seconds, fraction) = text.split_once_str(".").unwrap_or((text, b"0"));
    let is_fraction = (1..=9).contains(&fraction.len()) && fraction.iter().all(u8::is_ascii_digit);
    let nanoseconds = fraction.iter().chain(b"000000000").take(9);
    Some(Time {
        seconds: number(seconds)?,
        nanoseconds: is_fraction.then(|| {
            nanoseconds.fold(0, |sum, digit| {
                sum * 10 + u32::from(digit.wrapping_sub(b'0'))
            })
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_however_many_a_host_claims() {
        for (text, count) in [
            ("0", Some(1)),
            ("0-3\n", Some(4)),
            ("0-3,8,10-11", Some(7)),
            ("", None),
            ("3-0", None),
            ("0-4294967295", None),
            ("0-4294967294,7", None),
            ("a-b", None),
            ("1,,2", None),
        ] {
            assert_eq!(online(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn times_are_numbers_with_a_fraction() {
        let time = |text: &str| clock(text.as_bytes()).map(|time| (time.seconds, time.nanoseconds));
        assert_eq!(time("1795289400.000000001\n"), Some((1_795_289_400, 1)));
        assert_eq!(time("12.5"), Some((12, 500_000_000)));
        assert_eq!(time("-3"), Some((-3, 0)));
        for text in [
            "",
            ".",
            "1.",
            "1.x",
            "1.0000000001",
            "99999999999999999999.0",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        let up = |text: &str| uptime(text.as_bytes());
        assert_eq!(
            up("350735.47 234388.90\n"),
            Some(Duration::from_millis(350_735_470))
        );
        for text in ["", "-1 2", "nan", "inf", "1e300"] {
            assert_eq!(up(text), None, "{text}");
        }
    }

    #[test]
    fn memory_is_in_bytes() {
        let text = "MemTotal:       16303428 kB\nMemFree: 1 kB\nHugePages_Total:   4\nSwapFree: 1\n\
                    Cached: 99999999999999999999 kB\n";
        let memory = Memory::parse(text.as_bytes()).unwrap();
        assert_eq!(memory.total, Some(16_303_428 * 1024));
        assert_eq!(memory.free, Some(1024));
        assert_eq!((memory.swap_free, memory.cached), (None, None));
        assert_eq!(Memory::parse(b"nothing: 1 kB\n"), None);
    }
}
