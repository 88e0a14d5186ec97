//! The lines of `/etc/passwd` and `/etc/group`, and of what `getent` prints in their form.

use bstr::{BString, ByteSlice};

/// A line of the users' file: `name:password:uid:gid:comment:home:shell`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passwd {
    /// The login name.
    pub name: BString,
    /// The password's hash, or a word that stands for it elsewhere.
    pub password: BString,
    /// The user's number.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The comment.
    pub gecos: BString,
    /// The home directory; `/` when the line names none.
    pub home: BString,
    /// The login shell; `/bin/sh` when the line names none.
    pub shell: BString,
}

/// A line of the groups' file: `name:password:gid:member,member`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLine {
    /// The group's name.
    pub name: BString,
    /// Its number.
    pub gid: u32,
    /// The users that are named as its members.
    pub members: Vec<BString>,
}

impl Passwd {
    /// Reads a line; none when it has no name or no numbers.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(7, |byte| *byte == b':');
        let mut next = || fields.next().unwrap_or_default();
        let (name, password) = (name(next())?, next());
        let (uid, gid) = (number(next())?, number(next())?);
        let (gecos, home, shell) = (next(), next(), next());
        let or = |field: &[u8], default: &str| match field {
            b"" => default.into(),
            field => field.into(),
        };
        Some(Passwd {
            name: name.into(),
            password: password.into(),
            uid,
            gid,
            gecos: gecos.into(),
            home: or(home, "/"),
            shell: or(shell, "/bin/sh"),
        })
    }
}

impl GroupLine {
    /// Reads a line; none when it has no name or no number.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(4, |byte| *byte == b':');
        let mut next = || fields.next().unwrap_or_default();
        let name = name(next())?;
        let gid = number(fields.nth(1)?)?;
        let members = fields.next().unwrap_or_default();
        let members = members.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        Some(GroupLine {
            name: name.into(),
            gid,
            members: members
                .filter(|member| !member.is_empty())
                .map(Into::into)
                .collect(),
        })
    }
}

/// The number that `text` is, as the name of a user or group; the highest one stands for "none".
pub fn number(text: &[u8]) -> Option<u32> {
    let is_plain = text.iter().all(u8::is_ascii_digit);
    let number = text.to_str().ok().filter(|_| is_plain)?.parse().ok()?;
    (number != u32::MAX).then_some(number)
}

/// What a user or a group is looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// Its name, else its number as text.
    Text(&'a [u8]),
    /// Its number.
    Number(u32),
}

/// The first line for `key`. Works for users and groups alike, as both have the name first and the number
/// third.
pub fn line<'a>(lines: &'a [u8], key: Key<'_>) -> Option<&'a [u8]> {
    let field = |line: &'a [u8], at: usize| line.split(|byte| *byte == b':').nth(at);
    let named = |text: &[u8]| entries(lines).find(|line| field(line, 0) == Some(text));
    let numbered = |wanted: u32| {
        let has_it = |line: &&'a [u8]| field(line, 2).and_then(number) == Some(wanted);
        entries(lines).find(has_it)
    };
    match key {
        Key::Text(text) => named(text).or_else(|| numbered(number(text)?)),
        Key::Number(number) => numbered(number),
    }
}

/// The lines that may be entries: no comments, and none that only refers to another service.
pub fn entries(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_entry = |line: &&[u8]| name(line).is_some();
    lines.lines().filter(is_entry)
}

/// A name that an entry may have. Lines that begin with `+` or `-` are no entries.
fn name(field: &[u8]) -> Option<&[u8]> {
    let first = field.first()?;
    (!b"+-#:".contains(first)).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_before_a_number() {
        let lines = b"+nis\n#7:x:9:9:::\nseven:x:7:7:::\n8:x:70:7:::\neight:x:8:8:::\nno line\n";
        let find = |key: &str| {
            line(lines, Key::Text(key.as_bytes())).map(|line| line.as_bstr().to_owned())
        };
        for (key, expected) in [
            ("seven", Some("seven:x:7:7:::")),
            ("7", Some("seven:x:7:7:::")),
            ("07", Some("seven:x:7:7:::")),
            ("8", Some("8:x:70:7:::")),
            ("70", Some("8:x:70:7:::")),
            ("9", None),
            ("+nis", None),
            ("", None),
            ("4294967295", None),
            ("-7", None),
        ] {
            assert_eq!(find(key), expected.map(BString::from), "{key}");
        }
    }

    #[test]
    fn what_a_line_lacks_has_a_default() {
        let whole = Passwd::parse(b"a:x:7:8:A, B:/home/a:/bin/zsh").unwrap();
        assert_eq!((whole.uid, whole.gid), (7, 8));
        assert_eq!(
            (whole.home, whole.shell),
            ("/home/a".into(), "/bin/zsh".into())
        );
        let short = Passwd::parse(b"a:x:7:8").unwrap();
        assert_eq!((short.home, short.shell), ("/".into(), "/bin/sh".into()));
        for line in [
            "",
            "a",
            "a:x:7",
            "a:x::8",
            "a:x:-1:8",
            ":x:7:8",
            "a:x:4294967295:8",
        ] {
            assert_eq!(Passwd::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn members_of_a_group_are_counted_without_gaps() {
        let group = GroupLine::parse(b"g:x:5:a,,b ,\n").unwrap();
        assert_eq!(group.members, ["a", "b"].map(BString::from));
        assert_eq!(GroupLine::parse(b"g:x:5").unwrap().members.len(), 0);
        assert_eq!(GroupLine::parse(b"g:x"), None);
    }
}
