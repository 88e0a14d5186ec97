//! What `convoke put` and `convoke get` mean.

mod order;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice as _};
use convoke::files::Tilde;
use convoke::proto::file::{Durability, NewFile, Ownership};

use super::place::Place;
use super::{Environment, Output, OutputForm, Pace, Reaching, Rehearsal, Selection, Stdin, bytes};
use crate::args::{self, ExitRule, Talk};
use crate::error::{Usage, in_words};

/// What stands for stdin or stdout in the place of a file.
const STREAM: &str = "-";

/// What `convoke put` is asked to do.
#[derive(Debug)]
pub(crate) struct Put {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// The files, each with what it shall hold.
    pub(crate) files: Vec<(Source, NewFile)>,
    /// Whether our stdin is one of them.
    pub(crate) stdin: Stdin,
    /// How.
    pub(crate) moving: Moving,
}

/// What `convoke get` is asked to do.
#[derive(Debug)]
pub(crate) struct Get {
    /// Which files of which hosts.
    pub(crate) wanted: Vec<Wanted>,
    /// Where they go.
    pub(crate) to: Target,
    /// Whether each host has a directory of its own, also when there is only one.
    pub(crate) is_per_host: bool,
    /// Permission bits that no new file gets.
    pub(crate) mask: u16,
    /// Whether files are on the disk before they take their places.
    pub(crate) durability: Durability,
    /// How.
    pub(crate) moving: Moving,
}

/// What holds for all files that move.
#[derive(Debug)]
pub(crate) struct Moving {
    /// How the hosts are gone through.
    pub(crate) pace: Pace,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// What is shown, and how.
    pub(crate) output: Output,
    /// What the exit code says.
    pub(crate) exit_rule: ExitRule,
    /// Whether anything happens at all.
    pub(crate) rehearsal: Rehearsal,
}

/// Where the content of a file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Our stdin.
    Stdin,
    /// A regular file.
    File(PathBuf),
    /// A pipe or a device: it can be read once.
    Stream(PathBuf),
}

/// A file of some hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// The file there.
    pub(crate) path: BString,
    /// Its name without what leads to it.
    pub(crate) name: OsString,
}

/// Where files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// To our stdout.
    Stdout,
    /// Into a directory, or into one that is made: its path ends like that of one.
    Directory(PathBuf),
    /// What is there, if anything, is no directory. One may still be meant.
    Path(PathBuf),
}

impl Put {
    /// What the arguments mean. Sees what the files are.
    ///
    /// # Errors
    /// Whatever is missing, contradictory or malformed.
    pub(crate) fn new(put: args::Put, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let (place, sources) = match put.words.split_last() {
            Some((place, sources)) if !sources.is_empty() => (place, sources),
            _ => {
                return Err(Usage::new("where the files go is not given")
                    .hint("write `convoke put LOCAL... HOSTS:PATH`"));
            }
        };
        let Place { hosts, path } =
            Place::parse(place).map_err(|error| order::of_put(error, sources, place))?;
        let ownership = Ownership {
            owner: put.owner.map(bytes),
            group: put.group.map(bytes),
        };
        check_ownership(&ownership)?;
        let form = NewFile {
            path,
            inside: None,
            mode: put.mode,
            ownership,
            durability: durability(put.no_sync),
        };
        let selection = Selection::new(hosts, &put.moving.pace);
        let files = files(sources, &form)?;
        Ok(Put {
            selection,
            stdin: stdin(&files, here)?,
            files,
            moving: Moving::new(put.moving, OutputForm::Files, talk, here)?,
        })
    }
}

/// Whether our stdin is one of the files.
///
/// # Errors
/// It was closed when we were started: what is missing would replace a file by an empty one.
fn stdin(files: &[(Source, NewFile)], here: &Environment) -> Result<Stdin, Usage> {
    let is_sent = files.iter().any(|(source, _)| source.is_stdin());
    match (is_sent, here.is_stdin_closed) {
        (true, true) => Err(Usage::new("stdin is closed, and was to be sent")
            .hint("`</dev/null` sends something empty")),
        (true, false) => Ok(Stdin::Sent),
        (false, _) => Ok(Stdin::Unread),
    }
}

fn durability(no_sync: bool) -> Durability {
    match no_sync {
        true => Durability::Unsynced,
        false => Durability::Synced,
    }
}

/// The new files that some sources become.
fn files(sources: &[OsString], form: &NewFile) -> Result<Vec<(Source, NewFile)>, Usage> {
    let is_single = sources.len() == 1;
    let is_directory = form.path.ends_with(b"/") || !is_single;
    let mut names = HashSet::new();
    let mut files = Vec::new();
    for word in sources {
        let source = Source::new(word)?;
        let name = source.name();
        if !names.insert(name.clone()) {
            let name = name.unwrap_or_else(|| STREAM.into());
            return Err(Usage::new(format!("two of the files are called {name:?}"))
                .hint("they would take each other's place; send them one by one"));
        }
        let mut file = form.clone();
        match (name, is_directory) {
            (Some(name), true) => file.path = inside(&form.path, &name),
            (Some(name), false) => file.inside = Some(name),
            (None, false) => {}
            (None, true) => {
                return Err(Usage::new("stdin has no name for a file in a directory")
                    .hint("write the name of the file behind the hosts, as in `put - web1:/PATH/NAME`"));
            }
        }
        files.push((source, file));
    }
    Ok(files)
}

fn inside(directory: &BString, name: &BString) -> BString {
    let slash: &[u8] = if directory.ends_with(b"/") { b"" } else { b"/" };
    [directory.as_slice(), slash, name].concat().into()
}

fn check_ownership(ownership: &Ownership) -> Result<(), Usage> {
    let names = [("--owner", &ownership.owner), ("--group", &ownership.group)];
    match names
        .iter()
        .find(|(_, name)| name.as_ref().is_some_and(|name| name.is_empty()))
    {
        Some((option, _)) => Err(Usage::new(format!("{option} names nobody"))
            .hint("without it a file keeps whom it belongs to; is a shell variable empty?")),
        None => Ok(()),
    }
}

impl Source {
    /// How many bytes it has, when that is known without reading it.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Source::File(path) => Some(fs::metadata(path).ok()?.len()),
            Source::Stdin | Source::Stream(_) => None,
        }
    }

    fn new(word: &OsStr) -> Result<Self, Usage> {
        if word == STREAM {
            return Ok(Source::Stdin);
        }
        if word.is_empty() {
            return Err(Usage::new("one of the files has no name")
                .hint("`-` is stdin; is a shell variable empty?"));
        }
        let path = PathBuf::from(word);
        let kind = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
        let kind = kind.file_type();
        match () {
            () if kind.is_file() => Ok(Source::File(path)),
            () if kind.is_dir() => Err(Usage::new(format!(
                "{path:?} is a directory, and only files can be sent"
            ))
            .hint("`tar -c DIR | convoke run --stdin HOSTS -- tar -x -C PATH` sends a directory")),
            () if kind.is_socket() => Err(Usage::new(format!(
                "{path:?} is a socket, and only files can be sent"
            ))),
            () => Ok(Source::Stream(path)),
        }
    }

    /// Whether it is our stdin, by whichever name.
    fn is_stdin(&self) -> bool {
        let names = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
        match self {
            Source::Stdin => true,
            Source::File(path) | Source::Stream(path) => {
                names.iter().any(|name| path == Path::new(name))
            }
        }
    }

    /// The file; none is stdin.
    pub(crate) fn path(&self) -> Option<&PathBuf> {
        match self {
            Source::Stdin => None,
            Source::File(path) | Source::Stream(path) => Some(path),
        }
    }

    /// What it is called without what leads to it.
    fn name(&self) -> Option<BString> {
        match self {
            Source::Stdin => None,
            Source::File(path) | Source::Stream(path) => {
                path.file_name().map(|name| name.as_bytes().into())
            }
        }
    }
}

/// The error of a file that cannot be read; it may be one of a host.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Usage {
    let usage = Usage::new(format!("failed to read {path:?}: {}", in_words(error)));
    match Place::parse(path.as_os_str()) {
        Ok(_) if error.kind() == std::io::ErrorKind::NotFound => {
            usage.hint("files come from hosts by `convoke get HOSTS:PATH LOCAL`")
        }
        _ => usage,
    }
}

impl Get {
    /// How to fetch what is no file.
    pub(crate) const OF_A_DIRECTORY: &str =
        "`convoke run HOST -- tar -c -C PATH . > FILE.tar` fetches a directory";

    /// What the arguments mean. Sees what the target is.
    ///
    /// # Errors
    /// Whatever is missing, contradictory or malformed.
    pub(crate) fn new(get: args::Get, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let (last, wanted) = match get.words.split_last() {
            Some((last, wanted)) if !wanted.is_empty() => (last, wanted),
            _ => {
                return Err(Usage::new("where the files go is not given").hint(
                    "write `convoke get HOSTS:PATH... LOCAL`; `.` is the current directory",
                ));
            }
        };
        let to = Target::new(last)?;
        if to == Target::Stdout && get.per_host {
            return Err(Usage::new("stdout has no directories for --per-host"));
        }
        let each = wanted
            .iter()
            .map(|word| Wanted::new(word, &get.moving.pace));
        let each: Result<Vec<Wanted>, Usage> = each.collect();
        let wanted = each.map_err(|error| order::of_get(error, wanted, last))?;
        let form = match to {
            Target::Stdout => OutputForm::Plain,
            _ => OutputForm::Files,
        };
        Ok(Get {
            wanted,
            to,
            is_per_host: get.per_host,
            mask: here.mask,
            durability: durability(get.no_sync),
            moving: Moving::new(get.moving, form, talk, here)?,
        })
    }
}

impl Wanted {
    fn new(word: &OsStr, pace: &args::Pace) -> Result<Self, Usage> {
        let Place { hosts, path } = Place::parse(word)?;
        let name = path.rsplit_str("/").next().unwrap_or_default();
        let is_home = path.starts_with(b"~") && !path.contains(&b'/');
        if matches!(name, b"" | b"." | b"..") || is_home {
            return Err(Usage::new(format!(
                "{path:?} on {hosts:?} names a directory, and only files can be fetched"
            ))
            .hint(Get::OF_A_DIRECTORY));
        }
        Ok(Wanted {
            selection: Selection::new(hosts, pace),
            name: OsStr::from_bytes(name).to_owned(),
            path,
        })
    }

    /// What a `~` at the begin of a path means on our command line.
    pub(crate) const TILDE: Tilde = Tilde::Home;
}

impl Target {
    fn new(word: &OsStr) -> Result<Self, Usage> {
        if word == STREAM {
            return Ok(Target::Stdout);
        }
        let path = PathBuf::from(word);
        match fs::metadata(&path) {
            Ok(there) if there.is_dir() => return Ok(Target::Directory(path)),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let error = in_words(&error);
                return Err(Usage::new(format!("failed to use {path:?}: {error}")));
            }
        }
        if word.is_empty() {
            return Err(Usage::new("the last argument names no file here")
                .hint("`.` is the current directory; is a shell variable empty?"));
        }
        Ok(match word.as_bytes().ends_with(b"/") {
            true => Target::Directory(path),
            false => Target::Path(path),
        })
    }
}

impl Moving {
    fn new(
        moving: args::Moving,
        form: OutputForm,
        talk: &Talk,
        here: &Environment,
    ) -> Result<Self, Usage> {
        Ok(Moving {
            pace: Pace::new(&moving.pace),
            reaching: Reaching::new(moving.reaching)?,
            output: Output::new(form.or_json(moving.json), talk, here),
            exit_rule: moving.exit_code,
            rehearsal: Rehearsal::of(moving.dry_run),
        })
    }
}

#[cfg(test)]
mod tests;
