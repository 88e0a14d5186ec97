//! Results as files: for each host a directory with `stdout`, `stderr` and `outcome.json`.
//!
//! Directories are ours alone, and no link is followed below the one that the operator names: files of an earlier run are
//! removed and made anew. However many hosts write at once, few files are open. What cannot be written is
//! told and counted; the run goes on, because its commands have effects and what is shown is whole.

mod name;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use convoke::event::{Event, Kind, RunId, SCHEMA, Stream};
use convoke::outcome::Outcome;
use convoke::report::{HostResult, Report};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use serde::Serialize;

use super::words;
use crate::error::in_words;

pub(crate) use name::directory_of;

/// The file that says what became of a host, and its name while it is written.
const OUTCOME: &str = "outcome.json";
const UNFINISHED: &str = "outcome.json.new";

/// How many files are open at once at most: enough for hosts that take turns, few beside any limit.
const OPEN: usize = 8;

/// How many descriptors all this takes at most: the open files, our directory, one of a host, one more file.
pub(crate) const DESCRIPTORS: usize = OPEN + 3;

/// How many files are told of one by one before the rest is only counted.
const TOLD: usize = 5;

/// The results of a run as files.
pub(crate) struct Outdir {
    run: RunId,
    path: PathBuf,
    directory: OwnedFd,
    hosts: HashMap<Arc<str>, Host>,
    /// The files that are open, those first that were written longest ago.
    open: VecDeque<Open>,
    /// How many files are not whole.
    broken: usize,
}

/// What `outcome.json` says: which run it was, when it ended, and how.
#[derive(Serialize)]
struct Told {
    schema: u32,
    run: String,
    at: String,
    #[serde(flatten)]
    result: HostResult,
}

/// What is known of the directory of one host.
struct Host {
    name: String,
    stdout: Output,
    stderr: Output,
    has_outcome: bool,
}

/// What is known of a file with output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// It is not there yet.
    None,
    /// It is there, and whole so far.
    Begun,
    /// It could not be written, and is written no more.
    Broken,
}

struct Open {
    host: Arc<str>,
    stream: Stream,
    file: File,
}

impl Outdir {
    /// Makes the directory and one for each host, and removes what an earlier run has left in those.
    ///
    /// # Errors
    /// Which path cannot be used, and why.
    pub(crate) fn new(
        path: &Path,
        hosts: &[Arc<str>],
        run: RunId,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let told = |error: io::Error| (path.to_owned(), error);
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(told)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|error| told(error.into()))?;
        let mut outdir = Outdir {
            run,
            path: path.to_owned(),
            directory,
            hosts: HashMap::with_capacity(hosts.len()),
            open: VecDeque::with_capacity(OPEN),
            broken: 0,
        };
        for host in hosts {
            let name = name::directory_of(host);
            outdir
                .prepare(&name)
                .map_err(|error| (path.join(&name), error))?;
            let state = Host {
                name,
                stdout: Output::None,
                stderr: Output::None,
                has_outcome: false,
            };
            outdir.hosts.insert(Arc::clone(host), state);
        }
        Ok(outdir)
    }

    fn prepare(&self, name: &str) -> io::Result<()> {
        match rustix::fs::mkdirat(&self.directory, name, Mode::RWXU) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let directory = self.enter(name)?;
        for file in [
            OUTCOME,
            UNFINISHED,
            word(Stream::Stdout),
            word(Stream::Stderr),
        ] {
            match rustix::fs::unlinkat(&directory, file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Opens the directory of a host, which has to be one and ours.
    fn enter(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(io::Error::other("it is a link, or no directory"));
            }
            directory => directory?,
        };
        let owner = rustix::fs::fstat(&directory)?.st_uid;
        match owner == rustix::process::geteuid().as_raw() {
            true => Ok(directory),
            false => Err(io::Error::other("it belongs to somebody else")),
        }
    }

    /// Keeps what there is to keep of an event; what failed is told in the lines that come back.
    pub(crate) fn event(&mut self, event: &Event) -> String {
        match &event.kind {
            Kind::Output { stream, data } => self.write(&event.host, *stream, data),
            Kind::Ended(outcome) => self.end(&event.host, outcome, event.at),
            _ => String::new(),
        }
    }

    /// Writes what no event has told, and returns the last lines about what failed.
    pub(crate) fn finish(&mut self, report: &Report) -> String {
        let mut lines = String::new();
        for result in &report.results {
            lines += &self.end(&result.host, &result.outcome, SystemTime::now());
        }
        if self.broken > 0 {
            let files = words::count(self.broken, "file is", "files are");
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "error: {files} not whole in {:?}", self.path);
        }
        lines
    }

    /// Whether every file is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.broken == 0
    }

    fn write(&mut self, host: &Arc<str>, stream: Stream, data: &[u8]) -> String {
        match self.hosts.get_mut(host).map(|state| *state.output(stream)) {
            None | Some(Output::Broken) => return String::new(),
            Some(Output::None | Output::Begun) => {}
        }
        let written = self
            .file(host, stream)
            .and_then(|file| file.write_all(data));
        match written {
            Ok(()) => String::new(),
            Err(error) => self.give_up(host, stream, &error),
        }
    }

    /// The open file of a stream, opened if it is not.
    fn file(&mut self, host: &Arc<str>, stream: Stream) -> io::Result<&mut File> {
        let is_it = |open: &Open| open.stream == stream && open.host == *host;
        let open = match self.open.iter().position(is_it) {
            // A host that writes much writes many times in a row.
            Some(place) => self.open.remove(place),
            None => None,
        };
        let open = match open {
            Some(open) => open,
            None => {
                if self.open.len() == OPEN {
                    self.open.pop_front();
                }
                Open {
                    host: Arc::clone(host),
                    stream,
                    file: self.open_file(host, stream)?,
                }
            }
        };
        self.open.push_back(open);
        self.open
            .back_mut()
            .map(|open| &mut open.file)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn open_file(&mut self, host: &Arc<str>, stream: Stream) -> io::Result<File> {
        let Some(state) = self.hosts.get(host) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let directory = self.enter(&state.name)?;
        let is_begun = self.hosts.get_mut(host).is_some_and(|state| {
            std::mem::replace(state.output(stream), Output::Begun) == Output::Begun
        });
        let how = match is_begun {
            true => OFlags::APPEND,
            false => OFlags::CREATE | OFlags::EXCL,
        };
        create(&directory, word(stream), how)
    }

    /// Makes the files that are missing, and says what became of a host, once.
    fn end(&mut self, host: &Arc<str>, outcome: &Outcome, at: SystemTime) -> String {
        match self.hosts.get_mut(host) {
            Some(state) if !state.has_outcome => state.has_outcome = true,
            _ => return String::new(),
        }
        // A host without output has files without any.
        let mut lines = self.write(host, Stream::Stdout, b"");
        lines += &self.write(host, Stream::Stderr, b"");
        self.open.retain(|open| open.host != *host);
        if let Err(error) = self.tell(host, outcome, at) {
            lines += &self.told(host, OUTCOME, &error);
        }
        lines
    }

    fn tell(&self, host: &Arc<str>, outcome: &Outcome, at: SystemTime) -> io::Result<()> {
        let Some(state) = self.hosts.get(host) else {
            return Ok(());
        };
        let mut text = serde_json::to_vec(&Told {
            schema: SCHEMA,
            run: self.run.to_string(),
            at: humantime::format_rfc3339_micros(at).to_string(),
            result: HostResult {
                host: Arc::clone(host),
                outcome: outcome.clone(),
            },
        })?;
        text.push(b'\n');
        let directory = self.enter(&state.name)?;
        let written = create(&directory, UNFINISHED, OFlags::CREATE | OFlags::EXCL)
            .and_then(|mut file| file.write_all(&text));
        // Who reads it meanwhile finds all of it or nothing.
        let named = written.and_then(|()| {
            let named = rustix::fs::renameat(&directory, UNFINISHED, &directory, OUTCOME);
            Ok(named?)
        });
        if named.is_err() {
            // What is told is the first error; this may fail for the same reason.
            let _ = rustix::fs::unlinkat(&directory, UNFINISHED, AtFlags::empty());
        }
        named
    }

    fn give_up(&mut self, host: &Arc<str>, stream: Stream, error: &io::Error) -> String {
        if let Some(state) = self.hosts.get_mut(host) {
            *state.output(stream) = Output::Broken;
        }
        self.open
            .retain(|open| open.stream != stream || open.host != *host);
        self.told(host, word(stream), error)
    }

    fn told(&mut self, host: &Arc<str>, file: &str, error: &io::Error) -> String {
        self.broken += 1;
        if self.broken > TOLD {
            return String::new();
        }
        let name = self.hosts.get(host).map_or("", |state| &state.name);
        let path = self.path.join(name).join(file);
        let error = in_words(error);
        format!("error: failed to write {path:?}: {error}\n")
    }
}

impl Host {
    fn output(&mut self, stream: Stream) -> &mut Output {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

fn create(directory: &OwnedFd, file: &str, how: OFlags) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | how;
    let file = rustix::fs::openat(directory, file, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests;
