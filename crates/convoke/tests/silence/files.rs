//! A way that carries nothing any more while files move, and does not say so.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use convoke::content::LocalFile;
use convoke::files::{Destination, Download, Tilde, Upload};
use convoke::landing::Landing;
use convoke::proto::file::{Durability, NewFile, Ownership};
use convoke::report::Report;
use convoke_testkit::fleet::Proxy;

use super::*;

/// More than can come to an end.
const ENDLESS: u64 = 1 << 40;

/// A host at the end of a way, and a directory on each side with a file that says `old`.
struct Ends {
    fleet: Fleet,
    way: Proxy,
    here: tempfile::TempDir,
}

impl Ends {
    fn start() -> Self {
        let fleet = Fleet::builder().hosts(1).separate_homes().start();
        let way = fleet.proxy(1).start();
        fleet.alias("far", way.address());
        let ends = Ends {
            fleet,
            way,
            here: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(ends.there()).unwrap();
        for directory in [ends.there().as_path(), ends.here()] {
            fs::write(directory.join("file"), "old").unwrap();
        }
        ends
    }

    fn here(&self) -> &Path {
        self.here.path()
    }

    fn there(&self) -> PathBuf {
        self.fleet.home(1).join("place")
    }

    fn upload(&self, name: &str, content: impl Into<convoke::content::Content>) -> Upload {
        Upload {
            file: NewFile {
                path: format!("place/{name}").into(),
                inside: None,
                mode: None,
                ownership: Ownership::default(),
                durability: Durability::Synced,
            },
            tilde: Tilde::Verbatim,
            content: content.into(),
        }
    }

    fn download(&self) -> Work {
        let landing = Landing {
            directory: self.here().to_owned(),
            beneath: None,
            name: "file".into(),
            mask: 0o022,
            durability: Durability::Synced,
        };
        Work::Get(vec![Download {
            path: "place/big".into(),
            tilde: Tilde::Verbatim,
            to: Destination::File(landing),
        }])
    }

    /// Does the work over the way, which goes silent at the first event of this kind.
    async fn silenced(&self, work: Work, at: impl Fn(&Kind) -> bool) {
        let (report, since) = self
            .run(work, |kind| {
                let is_begun = at(kind);
                if is_begun {
                    self.way.stall();
                }
                is_begun
            })
            .await;
        let took = since.expect("it never began").elapsed();
        assert!(
            took >= Duration::from_secs(1) && took < PATIENCE,
            "{took:?}"
        );
        let Outcome::Lost(lost) = &report.results[0].outcome else {
            panic!("{:?}", report.results[0]);
        };
        assert_eq!(lost.text, "no sign of life for 2 s");
    }

    async fn run(&self, work: Work, marks: impl Fn(&Kind) -> bool) -> (Report, Option<Instant>) {
        let reach = reach(&self.fleet);
        let (sender, mut events) = mpsc::channel::<Event>(QUEUE);
        let watched = async {
            let mut since = None;
            while let Some(event) = events.recv().await {
                if since.is_none() && marks(&event.kind) {
                    since = Some(Instant::now());
                }
            }
            since
        };
        let action = Action::everywhere([Host::new("far").unwrap()], work);
        let cancel = Cancel::new();
        tokio::join!(action.run(&reach, sender, &cancel), watched)
    }

    /// The host hears of the end, and nothing of ours is left there; then the way is as it was.
    async fn heal(&self) {
        self.way.cut();
        let begun = Instant::now();
        while self.fleet.processes().len() > 1 {
            assert!(begun.elapsed() < PATIENCE, "something still runs there");
            // A pause between two looks at the processes of the host.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.way.resume();
    }

    /// Does work that comes to its end.
    async fn ok(&self, work: Work) {
        let (report, _) = self.run(work, |_| false).await;
        assert!(report.is_ok(), "{report:?}");
    }
}

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A file of so many bytes that take no room.
fn sparse(path: &Path, size: u64) {
    File::create(path).unwrap().set_len(size).unwrap();
}

fn read(directory: &Path) -> Vec<u8> {
    fs::read(directory.join("file")).unwrap()
}

#[tokio::test]
async fn a_file_that_goes_is_lost_with_its_link_and_the_old_one_stands() {
    let (leaks, ends) = (Leaks::begin(), Ends::start());
    sparse(&ends.here().join("big"), ENDLESS);
    let big = File::open(ends.here().join("big")).unwrap();
    let big = LocalFile::new(big, "big").unwrap();
    let work = Work::Put(vec![ends.upload("file", big)]);
    ends.silenced(work, |kind| matches!(kind, Kind::Progress(_)))
        .await;
    assert_eq!(read(&ends.there()), b"old");
    ends.heal().await;
    assert_eq!(
        (read(&ends.there()), names(&ends.there())),
        (b"old".to_vec(), vec!["file".to_owned()])
    );
    ends.ok(Work::Put(vec![ends.upload("file", "new")])).await;
    assert_eq!(
        (read(&ends.there()), names(&ends.there())),
        (b"new".to_vec(), vec!["file".to_owned()])
    );
    drop(ends);
    leaks.end().await;
}

#[tokio::test]
async fn small_files_that_go_are_whole_or_not_there() {
    let (leaks, ends) = (Leaks::begin(), Ends::start());
    let uploads = (0..200).map(|number| ends.upload(&format!("{number}"), vec![7; 10_000]));
    let uploads: Vec<_> = uploads.collect();
    let work = Work::Put(uploads.clone());
    ends.silenced(work, |kind| matches!(kind, Kind::Moved(_)))
        .await;
    ends.heal().await;
    let stored = names(&ends.there());
    assert!((2..200).contains(&stored.len()), "{}", stored.len());
    for name in stored.iter().filter(|name| *name != "file") {
        assert!(
            fs::read(ends.there().join(name)).unwrap() == [7; 10_000],
            "{name}"
        );
    }
    ends.ok(Work::Put(uploads)).await;
    assert_eq!(names(&ends.there()).len(), 201);
    drop(ends);
    leaks.end().await;
}

#[tokio::test]
async fn a_file_that_comes_is_lost_with_its_link_and_the_old_one_stands() {
    let (leaks, ends) = (Leaks::begin(), Ends::start());
    let big = ends.there().join("big");
    sparse(&big, ENDLESS);
    ends.silenced(ends.download(), |kind| matches!(kind, Kind::Progress(_)))
        .await;
    assert_eq!(
        (read(ends.here()), names(ends.here())),
        (b"old".to_vec(), vec!["file".to_owned()])
    );
    ends.heal().await;
    fs::write(&big, "new").unwrap();
    ends.ok(ends.download()).await;
    assert_eq!(
        (read(ends.here()), names(ends.here())),
        (b"new".to_vec(), vec!["file".to_owned()])
    );
    drop(ends);
    leaks.end().await;
}
