//! Who users and groups are: what the host's files say, else what its name service says.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use bstr::{BString, ByteSlice};

use super::database::{self, GroupLine, Key, Passwd};
use super::getent::{Getent, NoAnswer};

/// The longest file of users or groups that is read, in bytes: some 100,000 accounts.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The longest name of a user or group that is told, in bytes; its number stands for a longer one.
pub const MAX_NAME: usize = 255;

/// Where the `systemd` service finds groups that are not in files. Without any of these it has none, and
/// need not be asked, although most hosts name it.
const USER_RECORDS: [&str; 4] = [
    "/etc/userdb",
    "/run/userdb",
    "/usr/lib/userdb",
    "/run/systemd/userdb/io.systemd.Home",
];

/// The host's users and groups.
#[derive(Debug)]
pub struct NameService {
    /// The directory of the files, `/etc`.
    files: PathBuf,
    getent: Getent,
}

/// One version of a file: another one differs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    file: (u64, u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why a password's hash is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoHash {
    /// The kernel refused to open the file.
    Refused {
        /// Which.
        file: BString,
        /// The kernel's number.
        errno: i32,
    },
    /// The name service did not answer.
    NoAnswer,
}

impl NameService {
    /// The users and groups of the files in `files`, and of those whom `getent` knows besides.
    pub fn new(files: PathBuf, getent: Getent) -> Self {
        NameService { files, getent }
    }

    /// The user of a name, else of a number.
    ///
    /// # Errors
    /// [`NoAnswer`] when the files do not know it and the name service does not answer.
    pub fn user(&self, key: Key<'_>) -> Result<Option<Passwd>, NoAnswer> {
        self.find("passwd", key, Passwd::parse)
    }

    /// The group of a name, else of a number.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn group(&self, key: Key<'_>) -> Result<Option<GroupLine>, NoAnswer> {
        self.find("group", key, GroupLine::parse)
    }

    /// The numbers of a user's groups, the primary one first, each once.
    ///
    /// The name service is asked only when the files do not know the user, or the host says that groups
    /// come from elsewhere, too.
    ///
    /// # Errors
    /// As [`user`](Self::user).
    pub fn groups_of(&self, user: &Passwd) -> Result<Vec<u32>, NoAnswer> {
        let lines = self.read("group").unwrap_or_default();
        let named = database::entries(&lines).filter_map(GroupLine::parse);
        let named = named.filter(|group| group.members.contains(&user.name));
        let mut groups = vec![user.gid];
        groups.extend(named.map(|group| group.gid));
        if self.groups_come_from_elsewhere(&lines) || !self.is_local(user) {
            let told = self.getent.ask("initgroups", &user.name)?;
            groups.extend(numbers_behind(&user.name, &told)?);
        }
        let mut seen = BTreeSet::new();
        groups.retain(|gid| seen.insert(*gid));
        Ok(groups)
    }

    /// The hash of a user's password; none when there is no password at all.
    ///
    /// # Errors
    /// [`NoHash`]; usually only the superuser may read it.
    pub fn password_hash(&self, user: &Passwd) -> Result<Option<BString>, NoHash> {
        if user.password != "x" {
            return Ok(Some(user.password.clone()));
        }
        let hash = |lines: &[u8]| {
            let line = database::entries(lines).find(|line| first_field(line) == user.name);
            line.and_then(|line| line.split(|byte| *byte == b':').nth(1).map(BString::from))
        };
        let lines = match self.read("shadow") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let file = self.files.join("shadow");
                return Err(NoHash::Refused {
                    file: file.into_os_string().into_vec().into(),
                    errno: error.raw_os_error().unwrap_or(libc::EIO),
                });
            }
            lines => lines.unwrap_or_default(),
        };
        if let Some(hash) = hash(&lines) {
            return Ok(Some(hash));
        }
        let told = self.getent.ask("shadow", &user.name);
        told.map(|lines| hash(&lines)).map_err(|_| NoHash::NoAnswer)
    }

    /// Which version of a file of users or groups there is now; none when there is no such file.
    pub fn version(&self, file: &str) -> Option<Version> {
        let file = std::fs::metadata(self.files.join(file)).ok()?;
        Some(Version {
            file: (file.dev(), file.ino(), file.len()),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }

    /// The names by number in a file of users or groups; the first line with a number counts. Names that
    /// are too long to be told are left out.
    pub fn names(&self, file: &str) -> HashMap<u32, BString> {
        let lines = self.read(file).unwrap_or_default();
        let mut names = HashMap::new();
        for line in database::entries(&lines) {
            let mut fields = line.split(|byte| *byte == b':');
            let (name, number) = (fields.next(), fields.nth(1).and_then(database::number));
            if let (Some(name), Some(number)) = (name.filter(|name| name.len() <= MAX_NAME), number)
            {
                names.entry(number).or_insert_with(|| name.into());
            }
        }
        names
    }

    fn find<T>(
        &self,
        file: &str,
        key: Key<'_>,
        parse: fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, NoAnswer> {
        let number;
        let text = match key {
            // No line holds these in its first field.
            Key::Text(text) if text.iter().any(|byte| b":\n\0".contains(byte)) => return Ok(None),
            Key::Text(text) => text,
            Key::Number(wanted) => {
                number = wanted.to_string();
                number.as_bytes()
            }
        };
        let lines = self.read(file).unwrap_or_default();
        if let Some(line) = database::line(&lines, key) {
            return Ok(parse(line));
        }
        let told = self.getent.ask(file, text)?;
        Ok(match database::line(&told, key) {
            Some(line) => parse(line),
            // It was asked by one name and answers with the proper one, as for `Alice` with `alice`.
            None if !is_numeric(text) => database::entries(&told).find_map(parse),
            None => None,
        })
    }

    fn is_local(&self, user: &Passwd) -> bool {
        let lines = self.read("passwd").unwrap_or_default();
        let found = database::line(&lines, Key::Text(&user.name)).and_then(Passwd::parse);
        found.is_some_and(|found| found.name == user.name)
    }

    /// Whether `nsswitch.conf`, or the file of groups itself, names another source of groups.
    fn groups_come_from_elsewhere(&self, lines: &[u8]) -> bool {
        let refers = |line: &[u8]| line.starts_with(b"+");
        if lines.lines().any(refers) {
            return true;
        }
        let switch = self.read("nsswitch.conf").unwrap_or_default();
        let is_elsewhere = |source: &[u8]| match source {
            b"files" | b"compat" => false,
            b"systemd" => USER_RECORDS
                .iter()
                .any(|path| rustix::fs::stat(*path).is_ok()),
            source => !source.starts_with(b"[") && !source.ends_with(b"]"),
        };
        let sources = sources(&switch, b"initgroups").or_else(|| sources(&switch, b"group"));
        sources.is_some_and(|sources| words(sources).any(is_elsewhere))
    }

    fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.files.join(file))?;
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == MAX_FILE {
            // The last line may be cut, and then says something else.
            bytes.truncate(bytes.rfind_byte(b'\n').map_or(0, |end| end + 1));
        }
        Ok(bytes)
    }
}

/// The numbers in an answer about the groups of `name`, which begins with just that name: it may hold blanks
/// and numbers itself.
fn numbers_behind(name: &[u8], told: &[u8]) -> Result<Vec<u32>, NoAnswer> {
    let Some(line) = told.lines().next() else {
        return Ok(Vec::new());
    };
    let rest = line.strip_prefix(name).ok_or(NoAnswer)?;
    match rest.first().is_none_or(u8::is_ascii_whitespace) {
        true => Ok(words(rest).filter_map(database::number).collect()),
        false => Err(NoAnswer),
    }
}

/// Whether `getent` takes `text` as a number; it also skips blanks and a sign, and lets it overflow.
fn is_numeric(text: &[u8]) -> bool {
    let is_part =
        |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_whitespace() || b"+-\x0b".contains(byte);
    text.iter().all(is_part)
}

/// What `nsswitch.conf` says about a database.
fn sources<'a>(lines: &'a [u8], database: &[u8]) -> Option<&'a [u8]> {
    let mut found = lines.lines().filter_map(|line| {
        let line = line.split(|byte| *byte == b'#').next()?;
        let (name, sources) = line.split_once_str(":")?;
        (name.trim_ascii() == database).then_some(sources)
    });
    found.next()
}

fn first_field(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b':').next().unwrap_or_default()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = line.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty())
}
