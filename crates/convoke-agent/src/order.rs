//! From a start request to a program: its words, its environment, its directory.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

use bstr::{BString, ByteSlice};
use convoke_proto::command::{Shell, Start};
use convoke_proto::exit::{NotStarted, Stage};
use convoke_proto::hello::LinkId;

use crate::account::Account;
use crate::account::service::NameService;
use crate::spawn::{Credentials, Directory, Program};

/// The variable that marks every process of a step: `<link id>.<channel>`.
pub const MARK: &str = "CONVOKE_STEP";

/// The variable that carries the words of a command past the login shell.
const LINE: &str = "CONVOKE_LINE";

/// The variables that name a working directory. Those of our own login name another than the program's.
const DIRECTORIES: [&str; 2] = ["PWD", "OLDPWD"];

/// The variables of our own login that somebody else gets too, beside those of the language.
const SHARED: [&str; 5] = ["PATH", "LANG", "LANGUAGE", "TERM", "TZ"];

/// What a login shell is told to do. No shell reads anything in it but the single quotes, and those
/// all shells read alike; the words of the command, in [`LINE`], are seen by `sh` alone.
const LOGIN_TEXT: &str = "exec /bin/sh -c 'eval \"$CONVOKE_LINE\"'";

/// What every program of this agent is given.
#[derive(Debug)]
pub struct Login {
    environment: Vec<(Vec<u8>, CString)>,
    account: OnceLock<Account>,
}

/// Somebody else, as whom a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The login name; none when only the group is another one, and the environment stays as it is.
    pub name: Option<BString>,
    /// Where that login starts.
    pub account: Account,
    /// What the kernel knows of it.
    pub credentials: Credentials,
}

impl Person {
    /// Whether it gets a variable of our login: one that belongs to us, it does not when it is somebody else.
    fn inherits(&self, name: &[u8]) -> bool {
        self.name.is_none()
            || name.starts_with(b"LC_")
            || SHARED.iter().any(|shared| name == shared.as_bytes())
    }

    /// The variables that name it.
    fn variables(&self) -> Vec<(&'static [u8], &[u8])> {
        let named = self.name.iter().flat_map(|name| {
            [
                (b"HOME".as_slice(), self.account.home.as_slice()),
                (b"LOGNAME", name),
                (b"SHELL", &self.account.shell),
                (b"USER", name),
            ]
        });
        named.collect()
    }
}

impl Login {
    /// The login of this process.
    pub fn of_this_process() -> Self {
        let variables = std::env::vars_os();
        Self::new(variables.map(|(name, value)| (name.into_vec(), value.into_vec())))
    }

    /// A login with these variables.
    pub fn new(variables: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let environment = variables
            .into_iter()
            .filter(|(name, _)| name != MARK.as_bytes())
            .filter(|(name, _)| DIRECTORIES.iter().all(|other| name != other.as_bytes()))
            .filter_map(|(name, value)| Some((name.clone(), pair(&name, &value)?)))
            .collect();
        Login {
            environment,
            account: OnceLock::new(),
        }
    }

    /// Where this login starts. Sleeps while the name service is asked, the first time and only when the
    /// environment does not tell.
    pub fn account(&self, service: &NameService) -> &Account {
        self.account.get_or_init(|| {
            let (home, shell) = (self.variable("HOME"), self.variable("SHELL"));
            Account::of_this_process(home, shell, service)
        })
    }

    /// Whether [`Login::account`] need not sleep.
    pub fn knows_account(&self) -> bool {
        let says = |name| self.variable(name).is_some_and(|text| !text.is_empty());
        self.account.get().is_some() || (says("HOME") && says("SHELL"))
    }

    /// A variable of this login.
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        let is_it = |(own, _): &&(Vec<u8>, CString)| own == name.as_bytes();
        let (_, pair) = self.environment.iter().find(is_it)?;
        pair.as_bytes().get(name.len() + 1..)
    }

    /// Where a command runs that asks for `cwd`: a relative one begins at this login's home, whoever the
    /// command runs as; none is the home of `person`.
    pub fn directory(
        &self,
        cwd: Option<&BString>,
        service: &NameService,
        person: Option<&Person>,
    ) -> Vec<u8> {
        let own = || &self.account(service).home;
        match cwd {
            None => person
                .map_or_else(own, |person| &person.account.home)
                .to_vec(),
            Some(path) if path.starts_with(b"/") || path.is_empty() => path.to_vec(),
            Some(path) => {
                let home = own().as_slice();
                [home.strip_suffix(b"/").unwrap_or(home), b"/", path].concat()
            }
        }
    }

    /// What a command in `directory` gets besides its mark; as `person` when it is not ourselves.
    pub fn variables(&self, directory: &[u8], person: Option<&Person>) -> Vec<(BString, BString)> {
        let mut set = person.map(Person::variables).unwrap_or_default();
        set.push((b"PWD", directory));
        let is_set = |name: &[u8]| set.iter().any(|(other, _)| *other == name);
        let inherited = self.inherited(person, is_set).map(|(name, pair)| {
            let value = pair.as_bytes().get(name.len() + 1..).unwrap_or_default();
            (name.as_slice(), value)
        });
        let all: Vec<_> = inherited.chain(set.iter().copied()).collect();
        all.into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    /// The variables of this login that a command gets, but for those that are set otherwise.
    fn inherited<'a>(
        &'a self,
        person: Option<&'a Person>,
        is_set: impl Fn(&[u8]) -> bool + 'a,
    ) -> impl Iterator<Item = &'a (Vec<u8>, CString)> {
        self.environment
            .iter()
            .filter(move |(name, _)| person.is_none_or(|person| person.inherits(name)))
            .filter(move |(name, _)| !is_set(name))
    }

    /// The program that a valid request asks for, without its descriptors; as `person` when it is not
    /// ourselves.
    ///
    /// # Errors
    /// A text with a NUL byte, which no valid request has.
    pub fn program(
        &self,
        request: &Start,
        mark: &Mark,
        service: &NameService,
        person: Option<&Person>,
    ) -> Result<Program, NotStarted> {
        let account = match person {
            Some(person) => &person.account,
            None => self.account(service),
        };
        let named = person.map(Person::variables).unwrap_or_default();
        let added = request.env.iter();
        let added = added.map(|(name, value)| (name.as_slice(), value.as_slice()));
        let variables: Vec<_> = named.into_iter().chain(added).collect();
        let words = match request.shell {
            Shell::None => Words::plain(&request.argv),
            Shell::Login => Words::through(&account.shell, &request.argv),
        };
        let path = self.directory(request.cwd.as_ref(), service, person);
        let directory = match &request.cwd {
            None => Directory::Home(text(&path)?),
            Some(_) => Directory::Given(text(&path)?),
        };
        Ok(Program {
            name: text(&words.name)?,
            argv: words
                .argv
                .iter()
                .map(|word| text(word))
                .collect::<Result<_, _>>()?,
            env: self.environment(&path, &variables, words.line, mark, person)?,
            credentials: person.map(|person| person.credentials.clone()),
            directory,
            umask: request.umask.map(Into::into),
            files: Vec::new(),
            dies_with_us: false,
        })
    }

    /// The mark comes first: a search for it then reads little of every environment.
    fn environment(
        &self,
        directory: &[u8],
        added: &[(&[u8], &[u8])],
        line: Option<Vec<u8>>,
        mark: &Mark,
        person: Option<&Person>,
    ) -> Result<Vec<CString>, NotStarted> {
        let mut set: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        set.insert(b"PWD", directory);
        set.extend(added.iter().copied());
        set.remove(MARK.as_bytes());
        if let Some(line) = &line {
            set.insert(LINE.as_bytes(), line);
        }
        let inherited = self.inherited(person, |name| set.contains_key(name));
        let mut all = vec![text(mark.to_string().as_bytes())?];
        all.extend(inherited.map(|(_, pair)| pair.clone()));
        for (name, value) in &set {
            all.push(pair(name, value).ok_or_else(unwritable)?);
        }
        Ok(all)
    }
}

/// The mark of one step, as it stands in the environment of its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The link.
    pub link: LinkId,
    /// The step's channel.
    pub channel: u32,
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{MARK}={}.{}", self.link, self.channel)
    }
}

struct Words {
    name: Vec<u8>,
    argv: Vec<Vec<u8>>,
    line: Option<Vec<u8>>,
}

impl Words {
    fn plain(argv: &[BString]) -> Self {
        Words {
            name: argv.first().map(|name| name.to_vec()).unwrap_or_default(),
            argv: argv.iter().map(|word| word.to_vec()).collect(),
            line: None,
        }
    }

    fn through(shell: &BString, argv: &[BString]) -> Self {
        let base = shell
            .rsplit(|byte| *byte == b'/')
            .next()
            .unwrap_or_default();
        // These take `-l` only when it stands alone; a dash before their name says the same.
        let words = match base {
            b"csh" | b"tcsh" | b"bsd-csh" => vec![[b"-", base].concat(), b"-c".to_vec()],
            _ => vec![shell.to_vec(), b"-lc".to_vec()],
        };
        Words {
            name: shell.to_vec(),
            argv: words.into_iter().chain([LOGIN_TEXT.into()]).collect(),
            line: Some(line(argv)),
        }
    }
}

/// The line by which `sh` becomes the program.
fn line(argv: &[BString]) -> Vec<u8> {
    let mut line = format!("unset {LINE}; exec").into_bytes();
    for word in argv {
        line.extend_from_slice(b" '");
        line.extend_from_slice(&word.replace("'", r"'\''"));
        line.push(b'\'');
    }
    line
}

fn pair(name: &[u8], value: &[u8]) -> Option<CString> {
    CString::new([name, b"=", value].concat()).ok()
}

fn text(bytes: &[u8]) -> Result<CString, NotStarted> {
    CString::new(bytes).map_err(|_| unwritable())
}

fn unwritable() -> NotStarted {
    NotStarted {
        stage: Stage::Exec,
        errno: libc::EINVAL,
        tried: Vec::new(),
    }
}
