//! What is mounted on a host; see proc_pid_mountinfo(5).

use bstr::{BString, ByteSlice as _};

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount {
    /// What is mounted: a device, a share, or just a word.
    pub source: BString,
    /// Where it is mounted.
    pub path: BString,
    /// The kind of file system, such as `ext4`.
    pub kind: BString,
    /// The options of the mount, then those of the file system.
    pub options: Vec<BString>,
}

impl Mount {
    /// Whether nothing can be written there.
    pub fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }
}

/// Understands every text; lines that are no mounts are passed over.
pub(super) fn parse(text: &[u8]) -> Option<Vec<Mount>> {
    Some(text.lines().filter_map(mount).collect())
}

/// A line: `36 35 98:0 /root /path rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue`.
fn mount(line: &[u8]) -> Option<Mount> {
    // A source may be empty, so that two blanks follow each other.
    let mut words = line.split_str(" ");
    let path = words.nth(4)?;
    let options = words.next()?;
    // Fields that need not be there end with a hyphen.
    words.find(|word| *word == b"-")?;
    let (kind, source) = (words.next()?, words.next()?);
    let of_system = words.next().unwrap_or_default();
    let mut all: Vec<BString> = Vec::new();
    for option in options.split_str(",").chain(of_system.split_str(",")) {
        // A file system that can be written does not make a mount writable.
        let is_known = option == b"rw" || all.iter().any(|known| known == option);
        if !option.is_empty() && (all.is_empty() || !is_known) {
            all.push(unescaped(option));
        }
    }
    Some(Mount {
        source: unescaped(source),
        path: unescaped(path),
        kind: unescaped(kind),
        options: all,
    })
}

/// A word whose blanks, line ends and backslashes are written as octal numbers: `a\040b`.
fn unescaped(word: &[u8]) -> BString {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, octal(after)) {
            (b'\\', Some(meant)) => {
                out.push(meant);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out.into()
}

/// The byte that the next three octal digits stand for.
fn octal(text: &[u8]) -> Option<u8> {
    text.get(..3)?
        .iter()
        .try_fold(0_u8, |sum, digit| match digit {
            b'0'..=b'7' => sum.checked_mul(8)?.checked_add(digit - b'0'),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_numbers_in_names_are_bytes() {
        for (written, meant) in [
            (r"/a\040b", &b"/a b"[..]),
            (r"\011\012\134\043", b"\t\n\\#"),
            (r"\377", b"\xff"),
            (r"\400\08a\1", br"\400\08a\1"),
            (r"\", br"\"),
            (r"\\040", b"\\ "),
        ] {
            assert_eq!(unescaped(written.as_bytes()), meant, "{written}");
        }
    }

    #[test]
    fn a_mount_has_the_options_of_both() {
        let text = r"36 35 98:0 / /mnt\0402 rw,noatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=continue
22 1 0:21 / /tmp rw,nosuid - tmpfs  ro,size=4k
23 1 0:22 / /odd ro - proc proc rw
too short
24 1 0:22 / /no hyphen in it at all
";
        let mounts = parse(text.as_bytes()).unwrap();
        assert_eq!(mounts.len(), 3, "{mounts:?}");
        assert_eq!(mounts[0].path, "/mnt 2");
        assert_eq!(mounts[0].options, ["rw", "noatime", "errors=continue"]);
        assert_eq!(
            (&mounts[1].source, &mounts[1].kind),
            (&"".into(), &"tmpfs".into())
        );
        assert!(mounts[1].is_read_only());
        assert_eq!(mounts[2].options, ["ro"]);
    }
}
