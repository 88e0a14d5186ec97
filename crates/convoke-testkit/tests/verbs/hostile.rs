//! Hosts that answer what no honest host would.

use convoke::error::LinkError;
use convoke::remote::{Remote, VerbError};
use convoke::verb::{Download, FileKind, FileStat, Stream, Time, Verbs as _};
use convoke_proto::file::Entry;
use convoke_proto::message::Message;
use convoke_proto::operation::{Answer, Record};
use convoke_testkit::memory::{Memory, Script};
use tokio::io::AsyncReadExt as _;

use super::*;

/// Answers one operation with these records, and nothing more.
async fn answered(records: &[Record]) -> Remote {
    let mut bytes = Vec::new();
    for record in records {
        record.encode(&mut bytes);
    }
    let script = Script::new().have().hello().takes_request();
    let script = script.stdout(bytes).say(Message::Done);
    let host = Host::new("memory:h1").unwrap();
    Remote::open(&host, &Memory::new(script).reach())
        .await
        .unwrap()
}

fn unreadable<T: std::fmt::Debug>(answer: Result<T, VerbError>) {
    let is_refused = matches!(
        answer,
        Err(VerbError::Lost {
            error: LinkError::Unreadable,
            ..
        })
    );
    assert!(is_refused, "{answer:?}");
}

fn entry(name: &str) -> Entry {
    let time = Time {
        seconds: 0,
        nanoseconds: 0,
    };
    let stat = FileStat {
        kind: FileKind::File,
        mode: 0,
        uid: 0,
        gid: 0,
        owner: "0".into(),
        group: "0".into(),
        size: 0,
        modified: time,
        changed: time,
        inode: 0,
        device: 0,
        links: 1,
        target: None,
        digests: Vec::new(),
    };
    Entry {
        name: name.into(),
        stat,
    }
}

#[tokio::test]
async fn names_that_lead_out_of_their_directory_are_not_believed() {
    for name in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0"] {
        let entries = vec![entry("fine"), entry(name)];
        let remote = answered(&[Record::Last(Answer::Entries(entries))]).await;
        unreadable(remote.list("x").await);
    }
    let entries = vec![entry("..."), entry("a b")];
    let honest = answered(&[Record::Last(Answer::Entries(entries.clone()))]).await;
    assert_eq!(honest.list("x").await.unwrap(), entries);
}

#[tokio::test]
async fn more_of_a_file_than_was_asked_for_is_not_taken() {
    for (bytes, is_believed) in [(10, true), (11, false)] {
        let script = Script::new().have().hello().takes_request();
        let script = script.say(Message::Opened(Box::new(entry("x").stat)));
        let script = script.stdout(vec![0; bytes]).ends(1).say(Message::Done);
        let host = Host::new("memory:h1").unwrap();
        let reach = Memory::new(script).reach();
        let remote = Remote::open(&host, &reach).await.unwrap();
        let came = remote.ask(Download::of("x").limit(10)).await;
        match is_believed {
            true => assert_eq!(came.unwrap(), [0; 10]),
            false => unreadable(came),
        }
    }
}

#[tokio::test]
async fn a_file_that_was_cut_while_it_came_is_not_whole() {
    let stat = |size| FileStat {
        size,
        ..entry("x").stat
    };
    for (offset, limit, now, is_whole) in [
        (0, None, 10, false),
        // As of what the kernel makes up in `/sys`.
        (0, None, 4096, true),
        (4090, None, 10, false),
        (0, Some(10), 10, false),
        // Nobody asks what became of what is all there.
        (0, Some(4), 10, true),
        (4092, Some(10), 10, true),
    ] {
        let mut answer = Vec::new();
        Record::Last(Answer::Stat(Some(Box::new(stat(now))))).encode(&mut answer);
        let script = Script::new().have().hello().takes_request();
        let script = script.say(Message::Opened(Box::new(stat(4096))));
        let script = script.stdout(*b"less").ends(1).say(Message::Done);
        let script = script.takes_request().stdout(answer).say(Message::Done);
        let host = Host::new("memory:h1").unwrap();
        let reach = Memory::new(script).reach();
        let remote = Remote::open(&host, &reach).await.unwrap();
        let download = Download::of("x").offset(offset);
        let download = limit.into_iter().fold(download, Download::limit);
        match remote.ask(download).await {
            Ok(came) if is_whole => assert_eq!(came, "less"),
            Err(VerbError::Changed { path }) if !is_whole => assert_eq!(path, "x"),
            other => panic!("{offset} {limit:?} {now}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_reader_whose_link_breaks_says_so_after_what_came() {
    let file = || {
        let script = Script::new().have().hello().takes_request();
        script.say(Message::Opened(Box::new(entry("x").stat)))
    };
    let head = b"what came";
    let whole = file().stdout(*head).ends(1).say(Message::Done);
    for (script, is_whole) in [(whole, true), (file().stdout(*head).absurd_length(), false)] {
        let host = Host::new("memory:h1").unwrap();
        let reach = Memory::new(script).reach();
        let remote = Remote::open(&host, &reach).await.unwrap();
        let incoming = remote.ask(Stream::of("x")).await.unwrap();
        let mut reader = incoming.into_reader();
        let mut came = Vec::new();
        let ended = reader.read_to_end(&mut came).await;
        assert_eq!(came, head);
        let error = match ended {
            Ok(_) if is_whole => continue,
            Ok(_) => panic!("a file that was cut is not whole"),
            Err(error) => error,
        };
        let error = error.get_ref().unwrap().downcast_ref::<VerbError>();
        assert!(matches!(error, Some(VerbError::Lost { .. })), "{error:?}");
        assert_eq!(reader.read(&mut [0; 10]).await.unwrap(), 0, "nothing more");
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    unreadable(
        answered(&[Record::Last(Answer::Done)])
            .await
            .stat("x")
            .await,
    );
    unreadable(answered(&[]).await.stat("x").await);
    let none = || Record::Last(Answer::Path(None));
    unreadable(answered(&[none()]).await.readlink("x").await);
    unreadable(answered(&[none(), none()]).await.which("x").await);
    let parts = [Record::Part(Answer::Done), Record::Last(Answer::Done)];
    unreadable(answered(&parts).await.mkdir("x").await);
    let content = vec![0; 100].into();
    let long = answered(&[Record::Last(Answer::Content(content))]).await;
    unreadable(long.ask(convoke::verb::Read::of("x").at_most(99)).await);
}
