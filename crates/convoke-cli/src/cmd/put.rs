//! `convoke put`: files to hosts.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use convoke::action::Action;
use convoke::content::{Content, LocalFile};
use convoke::files::{Tilde, Upload};
use convoke::host::Work;
use convoke::proto::file::NewFile;

use super::conduct;
use super::files::{self, Means};
use crate::config::{Environment, Put, Rehearsal, Source, unreadable};
use crate::descriptors;
use crate::error::{Usage, in_words};
use crate::plan::{FileForm, Files, Move, Moves};
use crate::render::floor::Floor;
use crate::selection;
use crate::stdin::{Errors, Spool, Straight};

/// Plans, carries out, and returns the exit code.
///
/// # Errors
/// What the operator has to mend; nothing has been started then.
pub(crate) fn run(config: Put, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    let stdin = config.stdin;
    let hosts = selection::hosts(&config.selection, stdin)?;
    let may_ask = hosts.len() == 1 && stdin == crate::config::Stdin::Unread;
    let terminal = may_ask.then(|| here.terminal()).flatten();
    let reach = config.moving.reaching.reach(terminal);
    let folded = hosts.fold();
    let moves = config.files.iter().map(|(source, file)| Move {
        hosts: folded.clone(),
        here: source.path().cloned(),
        there: file.path.clone(),
    });
    let moves = Moves {
        verb: "put",
        list: moves.collect(),
        form: form(&config.files),
        each: config.files.iter().map(|(source, _)| source.size()).sum(),
    };
    let room = descriptors::hosts_that_fit(&hosts, config.files.len())?;
    let plan = Files::new(moves, &hosts, config.moving, room, &reach.registry)?;
    let mut uploads = Vec::new();
    if plan.moving.rehearsal == Rehearsal::Wet && !plan.hosts.is_empty() {
        let open = Opener {
            hosts: plan.hosts.len(),
            temporary: &plan.moving.output.temporary,
        };
        for (source, file) in config.files {
            uploads.push(Upload {
                file,
                tilde: Tilde::Home,
                content: open.content(source)?,
            });
        }
    }
    let means = Means {
        here,
        floor,
        reach,
        stdin,
        each: uploads.iter().map(|upload| upload.content.size()).sum(),
    };
    files::carry_out(plan, means, |hosts| {
        Action::everywhere(hosts, Work::Put(uploads))
    })
}

/// What all files are given: every one the same.
fn form(files: &[(Source, NewFile)]) -> FileForm {
    let first = files.first().map(|(_, file)| FileForm {
        mode: file.mode,
        ownership: file.ownership.clone(),
        durability: file.durability,
    });
    first.unwrap_or_default()
}

/// Opens what is sent.
struct Opener<'a> {
    hosts: usize,
    temporary: &'a PathBuf,
}

impl Opener<'_> {
    fn content(&self, source: Source) -> Result<Content, Usage> {
        let path = match source {
            Source::File(path) => {
                let file = File::open(&path).and_then(|file| LocalFile::new(file, &path));
                let file = file.map_err(|error| unreadable(&path, &error))?;
                return Ok(Content::File(file));
            }
            Source::Stdin if self.hosts == 1 => {
                let errors = Errors::Given("stdin".to_owned());
                return Ok(Content::Source(Arc::new(Straight { errors })));
            }
            Source::Stdin => return self.spool("stdin".to_owned(), || Ok(io::stdin().lock())),
            Source::Stream(path) => path,
        };
        self.spool(format!("{path:?}"), move || File::open(path))
    }

    /// What can be read once, for all hosts; it is being read from now on.
    fn spool<R: io::Read>(
        &self,
        what: String,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> Result<Content, Usage> {
        let spool = Spool::new(self.temporary, Errors::Given(what.clone())).map_err(|error| {
            let (directory, error) = (self.temporary, in_words(&error));
            let made = format!("failed to make a spool for {what} in {directory:?}: {error}");
            Usage::new(made).hint("TMPDIR names another directory")
        })?;
        let filled = spool.clone();
        // A pipe is opened by the thread: that waits for who writes.
        conduct::spawn("spool", move || filled.fill_from(open))?;
        Ok(Content::Source(Arc::new(spool)))
    }
}
