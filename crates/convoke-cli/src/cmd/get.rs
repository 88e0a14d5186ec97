//! `convoke get`: files from hosts.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use convoke::action::Action;
use convoke::files::{Destination, Download};
use convoke::host::Work;
use convoke::inventory::HostList;
use convoke::landing::Landing;
use convoke::proto::file::Durability;
use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::files::{self, Means};
use crate::config::{Environment, Get, Rehearsal, Stdin, Target, Wanted};
use crate::descriptors;
use crate::error::Usage;
use crate::plan::{FileForm, Files, Move, Moves};
use crate::render::floor::Floor;
use crate::render::outdir::directory_of;
use crate::selection;

/// The descriptors of a file that lands: itself, its directory and the one above.
const LANDING: usize = 3;

/// Plans, carries out, and returns the exit code.
///
/// # Errors
/// What the operator has to mend; nothing has been started then.
pub(crate) fn run(config: Get, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    let wanted = wanted(config.wanted)?;
    let hosts: HostList = wanted.iter().flat_map(|(hosts, _)| hosts).collect();
    let terminal = (hosts.len() == 1).then(|| here.terminal()).flatten();
    let reach = config.moving.reaching.reach(terminal);
    let layout = match config.is_per_host || hosts.len() > 1 {
        true => Layout::PerHost,
        false => Layout::Flat,
    };
    let goal = Goal::new(config.to, layout, hosts.len(), wanted.len())?;
    let moves = wanted.iter().map(|(hosts, wanted)| Move {
        hosts: hosts.fold(),
        here: goal.shown(&wanted.name),
        there: wanted.path.clone(),
    });
    let moves = Moves {
        verb: "get",
        list: moves.collect(),
        form: FileForm {
            durability: config.durability,
            ..FileForm::default()
        },
        each: None,
    };
    // A host takes at least one descriptor.
    let room = (descriptors::hosts_that_fit(&hosts, 0)? / (1 + LANDING)).max(1);
    let plan = Files::new(moves, &hosts, config.moving, room, &reach.registry)?;
    let made = match plan.moving.rehearsal == Rehearsal::Wet && !plan.hosts.is_empty() {
        true => goal.prepare()?,
        false => Made::default(),
    };
    let mut downloads: HashMap<String, Vec<Download>> = HashMap::new();
    for (hosts, wanted) in &wanted {
        for host in hosts {
            let to = goal.of(
                host.as_str(),
                &wanted.name,
                (config.mask, config.durability),
            );
            let download = Download {
                path: wanted.path.clone(),
                tilde: Wanted::TILDE,
                to,
            };
            let host = downloads.entry(host.as_str().to_owned()).or_default();
            host.push(download);
        }
    }
    let means = Means {
        here,
        floor,
        reach,
        stdin: Stdin::Unread,
        each: None,
    };
    let code = files::carry_out(plan, means, |hosts| {
        Action::new(hosts.into_iter().map(|host| {
            let downloads = downloads.remove(&**host.name());
            (host, Work::Get(downloads.unwrap_or_default()))
        }))
    });
    drop(made);
    code
}

/// Directories that we have made, the deepest first. Dropping it removes those in which nothing landed.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        // One that holds something is not removed, nor what is above it.
        let _ = self.0.iter().try_for_each(std::fs::remove_dir);
    }
}

/// The hosts of each file.
///
/// # Errors
/// A selection is wrong, or two files of one host have the same name.
fn wanted(wanted: Vec<Wanted>) -> Result<Vec<(HostList, Wanted)>, Usage> {
    let mut known = HashSet::new();
    let mut all = Vec::new();
    for wanted in wanted {
        let hosts = selection::hosts(&wanted.selection, Stdin::Unread)?;
        for host in &hosts {
            if !known.insert((host.as_str().to_owned(), wanted.name.clone())) {
                let (host, name) = (host.as_str(), &wanted.name);
                return Err(
                    Usage::new(format!("two files of {host:?} are called {name:?}"))
                        .hint("they would take each other's place; fetch them one by one"),
                );
            }
        }
        all.push((hosts, wanted));
    }
    Ok(all)
}

/// Where files land.
enum Goal {
    Stdout,
    /// Exactly there.
    File {
        directory: PathBuf,
        name: OsString,
    },
    /// In this directory, each host in one of its own or not.
    Directory {
        path: PathBuf,
        layout: Layout,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Flat,
    PerHost,
}

impl Goal {
    fn new(to: Target, layout: Layout, hosts: usize, files: usize) -> Result<Self, Usage> {
        let is_single = layout == Layout::Flat && files == 1;
        match to {
            Target::Stdout if hosts > 1 || files > 1 => {
                Err(Usage::new("stdout takes one file of one host")
                    .hint("a directory takes them all"))
            }
            Target::Stdout => Ok(Goal::Stdout),
            Target::Directory(path) => Ok(Goal::Directory { path, layout }),
            Target::Path(path) if is_single => Self::file(&path),
            Target::Path(path) if path.exists() => Err(Usage::new(format!(
                "{path:?} is no directory, and the files need one"
            ))),
            Target::Path(path) => Ok(Goal::Directory { path, layout }),
        }
    }

    fn file(path: &Path) -> Result<Self, Usage> {
        let Some(name) = path.file_name() else {
            return Err(Usage::new(format!("{path:?} names no file")));
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        Ok(Goal::File {
            directory: directory.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Makes the directory when it is missing, and sees whether it can be written to. Returns what was made.
    fn prepare(&self) -> Result<Made, Usage> {
        let mut missing = Made::default();
        let directory = match self {
            Goal::Stdout => return Ok(missing),
            Goal::File { directory, .. } => directory,
            Goal::Directory { path, .. } => {
                let above = path.ancestors().take_while(|path| !path.exists());
                missing.0 = above.map(Path::to_owned).collect();
                missing.0.retain(|path| !path.as_os_str().is_empty());
                let mut builder = DirBuilder::new();
                builder.recursive(true).mode(0o700);
                let made = builder.create(path);
                made.map_err(|error| files::unusable(path, &error))?;
                path
            }
        };
        let access = Access::WRITE_OK | Access::EXEC_OK;
        accessat(CWD, directory, access, AtFlags::EACCESS)
            .map_err(|error| files::unusable(directory, &error.into()))?;
        Ok(missing)
    }

    /// Where a file of a host lands.
    fn of(&self, host: &str, name: &OsString, how: (u16, Durability)) -> Destination {
        let (directory, beneath, name) = match self {
            Goal::Stdout => return Destination::Output,
            Goal::File { directory, name } => (directory, None, name),
            Goal::Directory { path, layout } => match layout {
                Layout::Flat => (path, None, name),
                Layout::PerHost => (path, Some(directory_of(host).into()), name),
            },
        };
        Destination::File(Landing {
            directory: directory.clone(),
            beneath,
            name: name.clone(),
            mask: how.0,
            durability: how.1,
        })
    }

    /// The same for any host, in a plan.
    fn shown(&self, name: &OsString) -> Option<PathBuf> {
        match self {
            Goal::Stdout => None,
            Goal::File { directory, name } if directory == Path::new(".") => Some(name.into()),
            Goal::File { directory, name } => Some(directory.join(name)),
            Goal::Directory { path, layout } => Some(match layout {
                Layout::Flat => path.join(name),
                Layout::PerHost => path.join("HOST").join(name),
            }),
        }
    }
}
