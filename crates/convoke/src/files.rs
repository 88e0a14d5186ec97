//! Files to one host and from it, over one link: in order, the small ones several at once.

mod ahead;
mod flight;
mod tally;
mod tilde;
mod turns;

use std::io;
use std::mem;
use std::path::PathBuf;

use bstr::BString;
use convoke_proto::file::{NewFile, Stat, Stored};
use tokio::task::spawn_blocking;

use crate::content::Content;
use crate::event::{Emitter, Kind, Moved, Stream};
use crate::failure::in_words;
use crate::landing::Landing;
use crate::link::Link;
use crate::outcome::{FailureCause, Outcome};
use crate::printable::{escaped, printable};
use crate::process::Broken;
use crate::transfer::{self, Arriving, Left, Undone};

use ahead::{Ahead, Next};
use flight::{Flight, Load};
use tally::Tally;

pub use tilde::Tilde;
pub(crate) use tilde::expanded;
pub use turns::Turns;
pub(crate) use turns::{Pulse, Turn};

/// What all links of a run that moves files had best buffer together, in bytes: a quarter of the
/// [usual](convoke_proto::credit::CONTROLLER_BUDGET), and enough to fetch 2.5 Gbit/s over a way of 26 ms.
pub const BUDGET: usize = 8 * 1024 * 1024;

/// A file that shall stand on a host.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The file there.
    pub file: NewFile,
    /// What a `~` at the begin of its path means.
    pub tilde: Tilde,
    /// What it shall hold.
    pub content: Content,
}

/// A file that shall come from a host.
#[derive(Debug, Clone)]
pub struct Download {
    /// The file there. A symbolic link is followed. Of a regular file comes what it had when it was opened.
    pub path: BString,
    /// What a `~` at the begin of its path means.
    pub tilde: Tilde,
    /// Where it goes.
    pub to: Destination,
}

/// Where a file from a host goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// It becomes a file of this machine.
    File(Landing),
    /// Its content comes as events of output, [`Stream::Stdout`].
    Output,
}

/// Sends files when it is the host's turn; all of them, whatever fails.
pub(crate) async fn put(
    link: &Link,
    uploads: &[Upload],
    events: &mut Emitter,
    (turns, turn): (&Turns, &mut Turn),
) -> Result<Outcome, Broken> {
    let pulse = Pulse::default();
    let work = put_all(link, uploads, events, &pulse);
    turns.take(turn, &pulse, work).await
}

async fn put_all(
    link: &Link,
    uploads: &[Upload],
    events: &mut Emitter,
    pulse: &Pulse,
) -> Result<Outcome, Broken> {
    let paths = uploads.iter();
    let paths = paths.map(|upload| (&upload.file.path, upload.tilde));
    let paths = expanded(link, paths.collect()).await?;
    let sizes = uploads.iter().map(|upload| upload.content.size());
    let mut moving = Moving::new(link, events, Tally::of(sizes.sum(), pulse.clone()));
    let mut flight = Flight::default();
    for (upload, path) in uploads.iter().zip(paths) {
        match Load::of(upload, path).await {
            Load::Small(operation) => {
                if !flight.has_room(&operation) {
                    moving.fly(mem::take(&mut flight)).await?;
                }
                flight.add(upload, operation);
            }
            Load::Large(file) => {
                moving.fly(mem::take(&mut flight)).await?;
                moving.put(upload, file).await?;
            }
            Load::Never(why) => flight.add_undone(upload, why),
        }
    }
    moving.fly(flight).await?;
    Ok(moving.tally.outcome())
}

/// Fetches files when it is the host's turn; all of them, whatever fails.
pub(crate) async fn get(
    link: &Link,
    downloads: &[Download],
    events: &mut Emitter,
    (turns, turn): (&Turns, &mut Turn),
) -> Result<Outcome, Broken> {
    let pulse = Pulse::default();
    let work = get_all(link, downloads, events, &pulse);
    turns.take(turn, &pulse, work).await
}

async fn get_all(
    link: &Link,
    downloads: &[Download],
    events: &mut Emitter,
    pulse: &Pulse,
) -> Result<Outcome, Broken> {
    let paths = downloads.iter();
    let paths = paths.map(|download| (&download.path, download.tilde));
    let paths = expanded(link, paths.collect()).await?;
    let mut moving = Moving::new(link, events, Tally::of(None, pulse.clone()));
    let mut ahead = Ahead::new(link, downloads.iter().zip(paths).collect());
    while let Some(next) = ahead.next().await {
        let here = next.download.to.path();
        let moved = moving.get(next, &mut ahead).await;
        moving.note(moved, here)?;
    }
    Ok(moving.tally.outcome())
}

/// Files on their way over one link.
struct Moving<'a> {
    link: &'a Link,
    events: &'a mut Emitter,
    tally: Tally,
}

impl<'a> Moving<'a> {
    fn new(link: &'a Link, events: &'a mut Emitter, tally: Tally) -> Self {
        Moving {
            link,
            events,
            tally,
        }
    }

    /// Sends small files in one request.
    async fn fly(&mut self, flight: Flight<'_>) -> Result<(), Broken> {
        let mut landed = flight.leave(self.link).await?;
        while let Some((upload, stored)) = landed.next().await? {
            self.stored(upload, stored).await?;
            self.tally.at(0, self.events);
        }
        Ok(())
    }

    /// Sends a file in pieces.
    async fn put(&mut self, upload: &Upload, file: NewFile) -> Result<(), Broken> {
        let Moving { tally, events, .. } = self;
        let progress = |left| match left {
            Left::SoFar(bytes) => tally.at(bytes, events),
            Left::All(bytes) => tally.end(bytes, events),
        };
        let stored = match upload.content.open() {
            Ok(content) => transfer::put(self.link, file, content, progress).await,
            Err(error) => Err(Undone::Here(error)),
        };
        self.stored(upload, stored).await
    }

    /// Tells what became of a file that went.
    async fn stored(
        &mut self,
        upload: &Upload,
        stored: Result<Stored, Undone>,
    ) -> Result<(), Broken> {
        let here: Option<PathBuf> = upload.content.path().map(Into::into);
        match stored {
            Ok(stored) => {
                self.done(Moved {
                    path: stored.path,
                    here,
                    bytes: stored.size,
                    replaced: Some(stored.replaced),
                })
                .await;
                Ok(())
            }
            Err(undone) => self.note(Err(undone), here),
        }
    }

    async fn get(&mut self, next: Next<'_>, ahead: &mut Ahead<'_>) -> Result<(), Undone> {
        let Next { download, asked } = next;
        let (path, asked) = asked?;
        let opened = asked.opened().await;
        ahead.note(&opened);
        let (stat, arriving) = opened?;
        if ahead.is_empty() {
            self.tally.ends_with(stat.size);
        }
        let arriving = arriving.ending_at(&stat);
        let bytes = match &download.to {
            Destination::File(landing) => self.land(landing, &path, &stat, arriving).await?,
            Destination::Output => self.show(&path, &stat, arriving).await?,
        };
        self.done(Moved {
            path,
            here: download.to.path(),
            bytes,
            replaced: None,
        })
        .await;
        Ok(())
    }

    /// Writes what comes to its place, once it is whole; how many bytes there were.
    async fn land(
        &mut self,
        landing: &Landing,
        path: &BString,
        stat: &Stat,
        mut arriving: Arriving,
    ) -> Result<u64, Undone> {
        let place = landing.clone();
        let mut approach = on_a_thread(move || place.approach()).await?;
        let mut bytes = 0;
        // A piece is written before the next is asked for: the host sends no faster than the disk writes.
        while let Some(piece) = arriving.next().await? {
            bytes += piece.len() as u64;
            approach = on_a_thread(move || approach.write(&piece).map(|()| approach)).await?;
            self.tally.at(bytes, self.events);
        }
        self.tally.end(bytes, self.events);
        if !self.is_whole(path, stat, &arriving).await? {
            let changed = changed(path);
            return Err(here(format!("it would not be whole: {changed}")));
        }
        let mode = stat.mode;
        on_a_thread(move || approach.land(mode)).await?;
        Ok(bytes)
    }

    /// Hands on what comes, whole or not; how many bytes there were.
    async fn show(
        &mut self,
        path: &BString,
        stat: &Stat,
        mut arriving: Arriving,
    ) -> Result<u64, Undone> {
        let mut bytes = 0;
        while let Some(data) = arriving.next().await? {
            bytes += data.len() as u64;
            let stream = Stream::Stdout;
            self.events.send(Kind::Output { stream, data }).await;
        }
        if !self.is_whole(path, stat, &arriving).await? {
            let changed = changed(path);
            return Err(here(format!("it is not whole: {changed}")));
        }
        Ok(bytes)
    }

    /// Whether all of a file has come.
    async fn is_whole(
        &self,
        path: &BString,
        stat: &Stat,
        arrived: &Arriving,
    ) -> Result<bool, Undone> {
        if !arrived.is_short() {
            return Ok(true);
        }
        let unchanged = transfer::is_unchanged(self.link, path, stat).await;
        unchanged.map_err(Undone::Broken)
    }

    async fn done(&mut self, moved: Moved) {
        self.tally.add(moved.bytes);
        self.events.send(Kind::Moved(moved)).await;
    }

    /// Takes note of why a file did not arrive, unless no further one can.
    fn note(&mut self, moved: Result<(), Undone>, here: Option<PathBuf>) -> Result<(), Broken> {
        let cause = match moved {
            Ok(()) => return Ok(()),
            Err(Undone::Host(failure)) => FailureCause::Host(failure),
            Err(Undone::Here(error)) => FailureCause::Here {
                text: words(&error, here),
            },
            Err(Undone::Broken(broken)) => return Err(broken),
        };
        self.tally.fail(cause);
        Ok(())
    }
}

impl Download {
    /// Whether it becomes a file of this machine.
    pub(crate) fn is_placed(&self) -> bool {
        self.to.path().is_some()
    }
}

impl Destination {
    /// The file of this machine.
    fn path(&self) -> Option<PathBuf> {
        match self {
            Destination::File(landing) => Some(landing.path()),
            Destination::Output => None,
        }
    }
}

/// What is said of a file that is not whole.
fn changed(path: &BString) -> String {
    format!("\"{}\" changed while it was fetched", printable(path))
}

/// A failure that this machine has seen.
fn here(words: String) -> Undone {
    Undone::Here(io::Error::other(words))
}

/// An error of this machine in words, safe to print.
fn words(error: &io::Error, path: Option<PathBuf>) -> String {
    match path {
        Some(path) => {
            let path = escaped(path.as_os_str().as_encoded_bytes());
            format!("\"{path}\" here: {}", in_words(error))
        }
        None => in_words(error),
    }
}

/// Does what may wait for a disk.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Undone> {
    let worked = spawn_blocking(work).await;
    let worked = worked.unwrap_or_else(|error| Err(io::Error::other(error)));
    worked.map_err(Undone::Here)
}
