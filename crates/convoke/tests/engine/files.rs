//! Files to hosts and from them: what becomes of them, of the hosts, and of what stands in their place.

mod get;
mod small;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use convoke::action::Action;
use convoke::cancel::Cancel;
use convoke::content::{Content, LocalFile};
use convoke::event::{Kind, Moved, Stream};
use convoke::files::{Destination, Download, Tilde, Upload};
use convoke::host::Work;
use convoke::landing::Landing;
use convoke::outcome::{CancelCause, Done, Failed, FailureCause, Fate, Outcome};
use convoke::proto::file::{Durability, FileKind, NewFile, Ownership, Stat, Stored};
use convoke::proto::message::{Credit, Message, Stream as StreamNumber};
use convoke::proto::operation::{Answer, Failure, Field, Operation, Reason, Record};
use convoke_testkit::memory::{Gate, Memory, Script};
use tokio::io::{self, AsyncReadExt as _};
use tokio::time::Instant;

use super::{Ran, hosts, run, run_watched};

fn up() -> Script {
    Script::new().have().hello()
}

/// Waits for a request and lets the content come.
fn takes(script: Script) -> Script {
    script.takes_request().say(Message::Credit(Credit {
        stream: 0,
        bytes: 32 * 1024,
    }))
}

fn stores(script: Script, path: &str, size: u64) -> Script {
    takes(script)
        .until_stdin_ends()
        .say(Message::Stored(Stored {
            path: path.into(),
            size,
            replaced: true,
        }))
}

fn fails(script: Script, failure: Failure) -> Script {
    script.takes_request().say(Message::Failed(failure))
}

/// Waits for a request, and sends this.
fn sends(script: Script, size: u64, mode: u16, content: &[u8]) -> Script {
    let script = script.takes_request();
    script
        .say(Message::Opened(Box::new(stat(size, mode))))
        .stdout(content)
}

fn ends(script: Script) -> Script {
    script
        .say(Message::Eof(StreamNumber { stream: 1 }))
        .say(Message::Done)
}

fn stat(size: u64, mode: u16) -> Stat {
    Stat {
        mode,
        size,
        ..Stat::unknown(FileKind::File)
    }
}

fn no_space(path: &str) -> Failure {
    Failure {
        field: Field::Content,
        value: path.into(),
        reason: Reason::Errno(28),
        path: None,
    }
}

fn upload(path: &str, content: Content) -> Upload {
    Upload {
        file: NewFile {
            path: path.into(),
            inside: None,
            mode: None,
            ownership: Ownership::default(),
            durability: Durability::Synced,
        },
        tilde: Tilde::Home,
        content,
    }
}

/// What goes in pieces, however short it is.
fn stream(text: &'static str) -> Content {
    Content::reader(text.as_bytes())
}

fn put(uploads: Vec<Upload>) -> Action {
    Action::everywhere(hosts(1), Work::Put(uploads))
}

/// A directory with a file `old`.
struct Here(tempfile::TempDir);

impl Here {
    fn new() -> Self {
        let here = Here(tempfile::tempdir().unwrap());
        fs::write(here.path("old"), "old content").unwrap();
        here
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn download(&self, path: &str, name: &str) -> Download {
        Download {
            path: path.into(),
            tilde: Tilde::Home,
            to: Destination::File(Landing {
                directory: self.0.path().to_owned(),
                beneath: None,
                name: name.into(),
                mask: 0o022,
                durability: Durability::Synced,
            }),
        }
    }

    fn get(&self, name: &str) -> Action {
        let download = self.download("/x", name);
        Action::everywhere(hosts(1), Work::Get(vec![download]))
    }

    /// That there is the old file and nothing else.
    fn is_untouched(&self) {
        assert_eq!(self.read("old"), b"old content");
        let entries = fs::read_dir(self.0.path()).unwrap();
        assert_eq!(entries.count(), 1);
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A file of `size` bytes as content.
    fn content(&self, size: usize) -> (LocalFile, Vec<u8>) {
        let bytes: Vec<u8> = (0..size).map(|at| (at ^ (at >> 8)) as u8).collect();
        fs::write(self.path("source"), &bytes).unwrap();
        let file = fs::File::open(self.path("source")).unwrap();
        (LocalFile::new(file, "source").unwrap(), bytes)
    }
}

fn only(ran: &Ran) -> &Outcome {
    match ran.outcomes()[..] {
        [outcome] => outcome,
        _ => panic!("{:?}", ran.report),
    }
}

/// Why the only host failed.
fn failed(ran: &Ran) -> String {
    match only(ran) {
        Outcome::Failed(failed) => failed.cause.to_string(),
        other => panic!("{other:?}"),
    }
}

fn moved(ran: &Ran) -> Vec<&Moved> {
    let events = ran.events.iter();
    let moved = events.filter_map(|event| match &event.kind {
        Kind::Moved(moved) => Some(moved),
        _ => None,
    });
    moved.collect()
}

/// How far it was said to be.
fn progress(ran: &Ran) -> Vec<(u64, Option<u64>)> {
    let events = ran.events.iter();
    let told = events.filter_map(|event| match &event.kind {
        Kind::Progress(progress) => Some((progress.bytes, progress.total)),
        _ => None,
    });
    told.collect()
}

async fn on(script: Script, action: Action) -> Ran {
    run(&Memory::new(script), action, &Cancel::new()).await
}

#[tokio::test]
async fn files_go_over_one_connection_one_after_the_other() {
    let script = stores(stores(up(), "/x", 3), "/d/y", 5);
    let memory = Memory::new(script);
    let uploads = vec![upload("/x", stream("one")), upload("/d", stream("three"))];
    let ran = run(&memory, put(uploads), &Cancel::new()).await;
    assert_eq!(only(&ran), &Outcome::Done(Done { bytes: 8 }));
    let record = memory.record("h1");
    assert_eq!(
        (record.stdin.as_slice(), record.connections),
        (&b"onethree"[..], 1)
    );
    let paths = moved(&ran).into_iter();
    let paths: Vec<_> = paths
        .map(|one| (one.path.to_string(), one.bytes, one.replaced))
        .collect();
    assert_eq!(
        paths,
        [
            ("/x".to_owned(), 3, Some(true)),
            ("/d/y".to_owned(), 5, Some(true))
        ]
    );
}

#[tokio::test]
async fn a_file_that_fails_keeps_no_other_from_its_place() {
    let script = fails(fails(up(), no_space("/a")), no_space("/b"));
    let script = stores(script, "/c", 1);
    let uploads = ["/a", "/b", "/c"].map(|path| upload(path, stream("x")));
    let ran = on(script, put(uploads.to_vec())).await;
    let failed = Failed {
        cause: FailureCause::Host(no_space("/a")),
        also: vec![FailureCause::Host(no_space("/b"))],
        more: 0,
    };
    assert_eq!(only(&ran), &Outcome::Failed(failed));
    assert_eq!(moved(&ran).len(), 1);
}

#[tokio::test]
async fn sixteen_hosts_read_a_source_once_and_get_all_of_it() {
    let here = Here::new();
    // Several times what is kept in memory.
    let (file, content) = here.content(10_000_001);
    let memory = Memory::new(stores(up(), "/x", content.len() as u64));
    let uploads = vec![upload("/x", Content::File(file.clone()))];
    let action = Action::everywhere(hosts(16), Work::Put(uploads));
    let ran = run(&memory, action, &Cancel::new()).await;
    assert!(ran.report.is_ok(), "{:?}", ran.report);
    let bound = content.len() as u64 * 3 / 2;
    assert!(file.bytes_read() <= bound, "{}", file.bytes_read());
    for host in 1..=16 {
        assert!(memory.record(&format!("h{host}")).stdin == content);
    }
}

#[tokio::test]
async fn a_slow_host_holds_no_other() {
    let here = Here::new();
    let (file, content) = here.content(20_000_000);
    let size = content.len() as u64;
    let gate = Gate::closed();
    let slow = up().takes_request().pass(&gate);
    let slow = slow.say(Message::Credit(Credit {
        stream: 0,
        bytes: 32 * 1024,
    }));
    let slow = slow.until_stdin_ends().say(Message::Stored(Stored {
        path: "/x".into(),
        size,
        replaced: false,
    }));
    let memory = Memory::new(stores(up(), "/x", size)).host("h1", slow);
    let uploads = vec![upload("/x", Content::File(file.clone()))];
    let action = Action::everywhere(hosts(4), Work::Put(uploads));
    let mut ended = 0;
    let ran = run_watched(&memory, action, &Cancel::new(), |event| {
        if let Kind::Ended(_) = event.kind {
            ended += 1;
            if ended == 3 {
                gate.let_pass(1);
            }
        }
    })
    .await;
    assert!(ran.report.is_ok(), "{:?}", ran.report);
    assert!(memory.record("h1").stdin == content);
    assert!(file.bytes_read() <= 2 * size, "{}", file.bytes_read());
}

#[tokio::test]
async fn a_source_that_changes_is_thrown_away_on_the_host() {
    let here = Here::new();
    let (file, _) = here.content(1_000_000);
    fs::write(here.path("source"), "short").unwrap();
    let memory = Memory::new(takes(up()).until_killed());
    let uploads = vec![upload("/x", Content::File(file))];
    let ran = run(&memory, put(uploads), &Cancel::new()).await;
    let words = "\"source\" here: it changed while it was sent";
    assert_eq!(failed(&ran), words);
    // It hears of it while the link is closed.
    let heard = async {
        while memory.record("h1").kills == 0 {
            tokio::task::yield_now().await;
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(10), heard).await;
    assert!(heard.is_ok(), "the host was not told");
}

#[tokio::test]
async fn a_cancelled_file_is_thrown_away_on_the_host() {
    let here = Here::new();
    let (file, _) = here.content(10_000_000);
    let memory = Memory::new(takes(up()).until_killed());
    let cancel = Cancel::new();
    let uploads = vec![upload("/x", Content::File(file))];
    let ran = run_watched(&memory, put(uploads), &cancel, |event| {
        if let Kind::Progress(_) = event.kind {
            cancel.fire(CancelCause::Operator);
        }
    })
    .await;
    let Outcome::Cancelled(cancelled) = only(&ran) else {
        panic!("{:?}", ran.report);
    };
    assert!(cancelled.was_running);
    assert_eq!(memory.record("h1").kills, 1);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_ends_in_the_middle_is_lost() {
    let fate = |ran: &Ran| match only(ran) {
        Outcome::Lost(lost) => lost.fate,
        other => panic!("{other:?}"),
    };
    for (script, expected) in [
        // The agent lets none of it come, and so has not all of it.
        (up().takes_request().close(), Fate::NotPlaced),
        (up().takes_request().silence(), Fate::NotPlaced),
        (takes(up()).until_stdin_ends().close(), Fate::MaybePlaced),
        (takes(up()).silence(), Fate::MaybePlaced),
    ] {
        let ran = on(script, put(vec![upload("/x", stream("x"))])).await;
        assert_eq!(fate(&ran), expected);
    }
    // A small one goes with its request.
    let ran = on(
        up().takes_request().close(),
        put(vec![upload("/x", b"x".to_vec().into())]),
    )
    .await;
    assert_eq!(fate(&ran), Fate::MaybePlaced);
    let here = Here::new();
    let ran = on(sends(up(), 8, 0o600, b"x").close(), here.get("old")).await;
    assert_eq!(fate(&ran), Fate::NotPlaced);
    here.is_untouched();
}

#[tokio::test(start_paused = true)]
async fn how_far_a_slow_file_is_is_told_now_and_then() {
    let script = (0..4).fold(up().takes_request(), |script, _| {
        let script = script.delay(Duration::from_millis(300));
        script.say(Message::Credit(Credit {
            stream: 0,
            bytes: 20_000,
        }))
    });
    let script = script.until_stdin_ends().say(Message::Stored(Stored {
        path: "/x".into(),
        size: 80_000,
        replaced: false,
    }));
    let content = vec![0; 80_000];
    let ran = on(script, put(vec![upload("/x", content.into())])).await;
    assert!(ran.report.is_ok(), "{:?}", ran.report);
    assert_eq!(
        progress(&ran),
        [(40_000, Some(80_000)), (80_000, Some(80_000))]
    );
}

/// Takes all of a file at once, and stores it ten seconds later.
fn stores_late(script: Script, size: u64) -> Script {
    let script = script.takes_request().say(Message::Credit(Credit {
        stream: 0,
        bytes: size as u32,
    }));
    let script = script.until_stdin_ends().delay(Duration::from_secs(10));
    script.say(Message::Stored(Stored {
        path: "/x".into(),
        size,
        replaced: false,
    }))
}

#[tokio::test(start_paused = true)]
async fn all_that_has_left_is_told_before_it_is_stored() {
    const MB: u64 = 1_000_000;
    let all = Some(2 * MB);
    let both = vec![(MB, all), (2 * MB, all)];
    let bytes = |size: u64| Content::from(vec![0; size as usize]);
    let source = |size: u64| Content::reader(io::repeat(0).take(size));
    for (contents, told) in [
        (vec![bytes(MB), bytes(MB)], both),
        (vec![source(MB)], vec![(MB, None)]),
        // Too little for a word on the way.
        (vec![bytes(100_000)], vec![(100_000, Some(100_000))]),
    ] {
        let sizes = contents.iter().map(|content| content.size().unwrap_or(MB));
        let script = sizes.fold(up(), stores_late);
        let uploads = contents.into_iter().map(|content| upload("/x", content));
        let (memory, action) = (Memory::new(script), put(uploads.collect()));
        let mut early = Vec::new();
        let mut began = Instant::now();
        run_watched(&memory, action, &Cancel::new(), |event| match event.kind {
            Kind::Progress(progress) if began.elapsed() < Duration::from_secs(1) => {
                early.push((progress.bytes, progress.total));
            }
            Kind::Moved(_) => began = Instant::now(),
            _ => {}
        })
        .await;
        let missed = told.iter().filter(|told| !early.contains(told));
        assert_eq!(missed.count(), 0, "{early:?}");
    }
}

#[tokio::test]
async fn a_host_that_has_stored_something_else_is_not_believed() {
    let ran = on(stores(up(), "/x", 2), put(vec![upload("/x", stream("x"))])).await;
    assert!(matches!(only(&ran), Outcome::Lost(_)), "{:?}", ran.report);
}

#[tokio::test]
async fn a_home_is_asked_for_before_the_files() {
    let missing = Failure {
        field: Field::User,
        value: "none".into(),
        reason: Reason::Unknown,
        path: None,
    };
    let script = up().answers(&[
        Record::Last(Answer::Path(Some("/root/a".into()))),
        Record::Failed(missing.clone()),
    ]);
    let script = stores(script.done(), "/root/a", 1);
    let script = stores(script, "/z", 1);
    let uploads = ["~/a", "~none/b", "/z"].map(|path| upload(path, stream("x")));
    let ran = on(script, put(uploads.to_vec())).await;
    let cause = FailureCause::Host(missing);
    assert_eq!(
        only(&ran),
        &Outcome::Failed(Failed {
            cause,
            more: 0,
            also: Vec::new()
        })
    );
    assert_eq!(moved(&ran).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_says_hello_is_unreachable() {
    let mut ran = on(
        Script::new().have().silence(),
        put(vec![upload("/x", stream("x"))]),
    )
    .await;
    assert!(
        matches!(only(&ran), Outcome::Unreachable(_)),
        "{:?}",
        ran.report
    );
    ran.events
        .retain(|event| matches!(event.kind, Kind::Progress(_) | Kind::Moved(_)));
    assert!(ran.events.is_empty());
}
