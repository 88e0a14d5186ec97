//! Files to hosts and from them: what becomes of them, of the hosts, and of what stands in their place.

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
    let Outcome::Failed(failed) = only(&ran) else {
        panic!("{:?}", ran.report);
    };
    let words = "\"source\" here: it changed while it was sent";
    assert_eq!(failed.cause.to_string(), words);
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
async fn behind_a_file_that_is_missing_several_are_asked_for_at_once() {
    let here = Here::new();
    let downloads = ["a", "b", "c"].map(|name| here.download(name, name));
    let action = Action::everywhere(hosts(1), Work::Get(downloads.to_vec()));
    // The second is not answered before the third is asked for.
    let script = fails(up(), no_space("a")).takes_request().takes_request();
    let ran = on(script.close(), action);
    let ran = tokio::time::timeout(Duration::from_secs(10), ran).await;
    let ran = ran.expect("the third is not asked for");
    assert!(matches!(only(&ran), Outcome::Lost(_)), "{:?}", ran.report);
}

#[tokio::test]
async fn a_file_that_comes_takes_its_place_when_it_is_whole() {
    let here = Here::new();
    let script = ends(sends(up(), 3, 0o6755, b"new"));
    let ran = on(script, here.get("old")).await;
    assert_eq!(only(&ran), &Outcome::Done(Done { bytes: 3 }));
    assert_eq!(here.read("old"), b"new");
    assert_eq!(moved(&ran)[0].here, Some(here.path("old")));
    on(ends(sends(up(), 3, 0o6755, b"new")), here.get("new")).await;
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(here.path("new")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[tokio::test]
async fn a_file_that_grows_is_fetched_as_it_was() {
    let here = Here::new();
    for (size, content, expected) in [
        (2, &b"more"[..], &b"mo"[..]),
        // As those that the kernel makes up.
        (0, b"more", b"more"),
        (4, b"more", b"more"),
    ] {
        let ran = on(ends(sends(up(), size, 0o600, content)), here.get("f")).await;
        assert!(ran.report.is_ok(), "{:?}", ran.report);
        assert_eq!(here.read("f"), expected);
    }
}

#[tokio::test]
async fn what_is_shorter_than_announced_is_whole_only_when_it_did_not_change() {
    let now = |stat: Option<Stat>| Record::Last(Answer::Stat(stat.map(Box::new)));
    let other = Stat {
        inode: 7,
        ..stat(4096, 0o600)
    };
    for (name, now, is_whole) in [
        // As of what the kernel makes up in `/sys`.
        ("as before", now(Some(stat(4096, 0o600))), true),
        ("shorter", now(Some(stat(4, 0o600))), false),
        ("another", now(Some(other)), false),
        ("gone", now(None), false),
        ("unknown", Record::Failed(no_space("/x")), false),
    ] {
        let here = Here::new();
        let script = ends(sends(up(), 4096, 0o600, b"less"));
        let ran = on(script.answers(&[now]).done(), here.get("old")).await;
        assert_eq!(ran.report.is_ok(), is_whole, "{name}: {:?}", ran.report);
        match is_whole {
            true => assert_eq!(here.read("old"), b"less"),
            false => here.is_untouched(),
        }
    }
}

#[tokio::test]
async fn a_host_that_sends_without_end_is_stopped_where_the_file_ends() {
    let here = Here::new();
    let script = sends(up(), 3, 0o600, b"one").flood(1 << 40);
    let ran = on(script, here.get("f")).await;
    assert_eq!(only(&ran), &Outcome::Done(Done { bytes: 3 }));
    assert_eq!(here.read("f"), b"one");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_whole_leaves_nothing_behind() {
    let half = || sends(up(), 10, 0o644, b"half");
    let scripts = [
        ("closed", half().close()),
        ("silent", half().silence()),
        ("failed", half().say(Message::Failed(no_space("/x")))),
        ("no end", half().say(Message::Done)),
        ("twice", half().say(Message::Opened(Box::new(stat(1, 0))))),
        (
            "stored",
            half().say(Message::Stored(Stored {
                path: "/x".into(),
                size: 4,
                replaced: true,
            })),
        ),
        ("never opened", up().takes_request().stdout("half")),
        ("refused", fails(up(), no_space("/x"))),
        ("overrun", half().overrun(vec![0; 9 << 20])),
    ];
    for (name, script) in scripts {
        for target in ["old", "new"] {
            let here = Here::new();
            let ran = on(script.clone(), here.get(target)).await;
            assert!(!ran.report.is_ok(), "{name}: {:?}", ran.report);
            assert!(moved(&ran).is_empty());
            here.is_untouched();
        }
    }
}

#[tokio::test]
async fn a_cancelled_file_leaves_the_old_one() {
    let here = Here::new();
    let script = up().takes_request();
    let script = script.say(Message::Opened(Box::new(stat(1 << 30, 0o600))));
    let memory = Memory::new(script.flood(1 << 30));
    let cancel = Cancel::new();
    let ran = run_watched(&memory, here.get("old"), &cancel, |event| {
        if let Kind::Progress(_) = event.kind {
            cancel.fire(CancelCause::Operator);
        }
    })
    .await;
    assert!(
        matches!(only(&ran), Outcome::Cancelled(_)),
        "{:?}",
        ran.report
    );
    here.is_untouched();
}

#[tokio::test]
async fn what_cannot_be_written_here_stops_the_host() {
    let here = Here::new();
    std::os::unix::fs::symlink("old", here.path("link")).unwrap();
    let memory = Memory::new(sends(up(), 1 << 40, 0o600, b"x").flood(1 << 30));
    let ran = run(&memory, here.get("link"), &Cancel::new()).await;
    let Outcome::Failed(failed) = only(&ran) else {
        panic!("{:?}", ran.report);
    };
    let path = here.path("link");
    let words = format!("\"{}\" here: it is a symbolic link", path.display());
    assert_eq!(failed.cause.to_string(), words);
    assert_eq!(here.read("old"), b"old content");
}

#[tokio::test]
async fn files_of_many_hosts_land_in_a_directory_each() {
    let here = Here::new();
    let memory = Memory::new(ends(sends(up(), 1, 0o600, b"1")));
    let memory = memory.host("h2", fails(up(), no_space("/x")));
    let list = hosts(3).into_iter().enumerate().map(|(index, host)| {
        let mut download = here.download("/x", "f");
        if let Destination::File(landing) = &mut download.to {
            landing.beneath = Some(format!("dir{index}").into());
        }
        (host, Work::Get(vec![download]))
    });
    let action = Action::new(list.collect::<Vec<_>>());
    let ran = run(&memory, action, &Cancel::new()).await;
    assert_eq!(ran.words(), ["done", "failed", "done"]);
    assert_eq!(here.read("dir0/f"), b"1");
    assert!(!here.path("dir1").exists());
    assert_eq!(here.read("dir2/f"), b"1");
}

#[tokio::test]
async fn content_may_come_as_events() {
    let download = Download {
        path: "/x".into(),
        tilde: Tilde::Verbatim,
        to: Destination::Output,
    };
    let action = Action::everywhere(hosts(1), Work::Get(vec![download]));
    let ran = on(ends(sends(up(), 5, 0o600, b"bytes")), action).await;
    assert_eq!(only(&ran), &Outcome::Done(Done { bytes: 5 }));
    assert_eq!(ran.output("memory:h1", Stream::Stdout), b"bytes");
    assert_eq!(moved(&ran)[0].here, None::<&Path>.map(Into::into));
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
