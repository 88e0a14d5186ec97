//! What is true of a host, from what its kernel and its files say.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod interface;
mod json;
mod machine;
mod mount;
mod os_release;

use std::collections::BTreeMap;
use std::time::Duration;

use bstr::{BString, ByteSlice as _};
use convoke_proto::file::Time;

pub use interface::{Address, Interface};
pub use machine::{Cpus, Kernel, Login, Memory};
pub use mount::Mount;
pub use os_release::OsRelease;

/// The longest text that is taken apart, in bytes: tens of thousands of mounts. Longer ones are kept as
/// they are.
const MAX_TEXT: usize = 8 * 1024 * 1024;

/// What is true of a host.
///
/// Every part is absent (`None`, or an empty list) where the host does not say it, or says it in a way that
/// cannot be understood; in the latter case its text is among [`Facts::more`], under the name that the host
/// gave it. Texts that are UTF-8 by their definition are strings, with U+FFFD for what is not; names and
/// paths are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Facts {
    /// Which operating system it runs, as its `os-release` file says.
    pub os: Option<OsRelease>,
    /// Which kernel it runs.
    pub kernel: Kernel,
    /// For which architecture its kernel is, such as `x86_64`.
    pub architecture: Option<String>,
    /// What it calls itself.
    pub hostname: Option<String>,
    /// Its processors.
    pub cpus: Cpus,
    /// Its memory.
    pub memory: Option<Memory>,
    /// What is mounted, in the order of mounting.
    pub mounts: Vec<Mount>,
    /// Its network interfaces, in the order of the host.
    pub interfaces: Vec<Interface>,
    /// How long ago its kernel began.
    pub uptime: Option<Duration>,
    /// The random name of this run of its kernel.
    pub boot_id: Option<String>,
    /// The program with the process number 1, such as `systemd`.
    pub init: Option<BString>,
    /// Whom we are logged in as.
    pub user: Login,
    /// What its clock said when it was asked.
    pub clock: Option<Time>,
    /// What else it said, by the names that the host gave it.
    pub more: BTreeMap<String, BString>,
}

impl Facts {
    /// The facts in what a host answered: pairs of a name and the text as it stands there. Of a name that
    /// comes twice the first counts.
    ///
    /// ```
    /// use convoke::facts::Facts;
    ///
    /// let raw = [
    ///     ("os-release".to_owned(), "ID=debian\nVERSION_ID=\"12\"\n".into()),
    ///     ("cpus.online".to_owned(), "0-3,6".into()),
    ///     ("weather".to_owned(), "fine".into()),
    /// ];
    /// let facts = Facts::of(raw);
    /// assert_eq!(facts.os.unwrap().version_id.as_deref(), Some("12"));
    /// assert_eq!(facts.cpus.online, Some(5));
    /// assert_eq!(facts.more["weather"], "fine");
    /// ```
    pub fn of(raw: impl IntoIterator<Item = (String, BString)>) -> Self {
        let mut said = Said::default();
        for (name, text) in raw {
            said.0.entry(name).or_insert(text);
        }
        Facts {
            os: said.take("os-release", OsRelease::parse),
            kernel: Kernel {
                name: said.take("kernel.name", line),
                release: said.take("kernel.release", line),
                version: said.take("kernel.version", line),
            },
            architecture: said.take("machine", line),
            hostname: said.take("hostname", line),
            cpus: Cpus {
                online: said.take("cpus.online", machine::online),
                model: said.take("cpu.model", line),
            },
            memory: said.take("meminfo", Memory::parse),
            mounts: said.take("mountinfo", mount::parse).unwrap_or_default(),
            interfaces: said
                .take("interfaces", interface::parse)
                .unwrap_or_default(),
            uptime: said.take("uptime", machine::uptime),
            boot_id: said.take("boot-id", line),
            init: said.take("init", |text| {
                Some(text.trim_end_with(|c| c == '\n').into())
            }),
            user: Login {
                name: said.take("user", bytes),
                uid: said.take("uid", number),
                gid: said.take("gid", number),
                home: said.take("home", bytes),
                shell: said.take("shell", bytes),
            },
            clock: said.take("time", machine::clock),
            more: said.0,
        }
    }

    /// The network interface of this name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        let mut all = self.interfaces.iter();
        all.find(|interface| interface.name == name)
    }
}

/// What a host said and is not understood yet.
#[derive(Default)]
struct Said(BTreeMap<String, BString>);

impl Said {
    /// Takes a text that is understood, and leaves any other.
    fn take<T>(&mut self, name: &str, understand: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let text = self.0.get(name).filter(|text| text.len() <= MAX_TEXT)?;
        let understood = understand(text)?;
        self.0.remove(name);
        Some(understood)
    }
}

/// A text of one line, which may have its end.
fn line(text: &[u8]) -> Option<String> {
    Some(
        text.trim_end_with(|c| c == '\n')
            .to_str_lossy()
            .into_owned(),
    )
}

/// Bytes as they are.
fn bytes(text: &[u8]) -> Option<BString> {
    Some(text.into())
}

/// What stands between blanks.
fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = text.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty())
}

/// A number in decimal digits.
fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    text.trim_ascii().to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
