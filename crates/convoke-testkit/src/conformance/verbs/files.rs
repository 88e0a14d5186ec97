//! What files hold, to the host and from it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use convoke::AsyncRead;
use convoke::BString;
use convoke::verb::{
    Content, Digest, Download, Open, Read, Stat, Stream, Upload, Verb as _, Verbs as _,
};
use tokio::io::{AsyncReadExt as _, ReadBuf};

use super::{Ground, checks, fails};

checks! {
    Anybody files_of_all_sizes_go_and_come_unchanged
    Anybody a_reader_is_streamed
    Anybody an_upload_keeps_what_was_there_but_its_content
    Anybody a_field_that_cannot_be_leaves_the_file_alone
    Anybody what_is_no_regular_file_is_not_replaced
    Anybody how_far_an_upload_is_ends_with_the_size
    Anybody an_upload_that_is_interrupted_leaves_the_old_file_and_nothing_else
    Anybody a_reader_that_fails_leaves_the_old_file_and_nothing_else
    Anybody whoever_reads_meanwhile_sees_the_old_file_or_the_new_one
    Anybody what_is_missing_is_told_from_what_cannot_be_read
    Anybody a_file_comes_from_where_it_is_asked_for
    Anybody a_download_keeps_no_more_than_it_is_told_to
    Anybody a_short_read_refuses_what_is_long
    Root an_upload_gives_the_file_to_whom_it_shall_belong
}

const ELOOP: i32 = 40;
const EISDIR: i32 = 21;

/// Longer than all windows and pipes on the way together.
const LONG: usize = 64 * 1024 * 1024;

/// Bytes that repeat nowhere within a frame.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251 + n / 65_536) as u8).collect()
}

/// A reader that gives so many bytes, and then what it ends with.
struct Gives {
    left: usize,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Error,
    Never,
}

impl AsyncRead for Gives {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match (self.left, self.end) {
            (0, End::Error) => Poll::Ready(Err(io::Error::other("the disk is broken"))),
            // Whoever waits for this is dropped.
            (0, End::Never) => Poll::Pending,
            (left, _) => {
                let piece = left.min(buffer.remaining());
                buffer.put_slice(&vec![b'x'; piece]);
                self.left -= piece;
                Poll::Ready(Ok(()))
            }
        }
    }
}

async fn files_of_all_sizes_go_and_come_unchanged(ground: &Ground) {
    let remote = &ground.remote;
    for size in [0, 1, 32 * 1024, 64 * 1024, 64 * 1024 + 1, LONG] {
        let content = bytes(size);
        let upload = Upload::new("file", content.clone()).unsynced();
        let stored = remote.ask(upload).await.unwrap();
        assert_eq!((stored.size, stored.path), (size as u64, ground.at("file")));
        let stat = Stat::of("file").digests([Digest::Sha256]);
        let stat = remote.ask(stat).await.unwrap().unwrap();
        assert_eq!((stat.size, stat.mode), (size as u64, 0o600));
        let digest = stat.hex_digest(Digest::Sha256);
        let said = ground.said("sha256sum < file").await;
        assert_eq!(said.split(' ').next(), digest.as_deref(), "{size}");
        let came = remote.download("file").await.unwrap();
        assert!(came == content, "{size}: {} bytes came", came.len());
    }
}

async fn a_reader_is_streamed(ground: &Ground) {
    let remote = &ground.remote;
    let reader = tokio::io::repeat(7).take(LONG as u64);
    let upload = Upload::new("file", Content::reader(reader)).unsynced();
    let again = upload.clone();
    assert_eq!(remote.ask(upload).await.unwrap().size, LONG as u64);
    fails!(remote.ask(again).await, Content(_));
    let mut incoming = remote.ask(Stream::of("file")).await.unwrap();
    assert_eq!(incoming.stat().size, LONG as u64);
    let mut came = 0;
    while let Some(piece) = incoming.next().await.unwrap() {
        assert!(piece.iter().all(|byte| *byte == 7));
        came += piece.len();
    }
    assert_eq!(came, LONG);
    let incoming = remote.ask(Stream::of("file").limit(100_000)).await.unwrap();
    let mut all = Vec::new();
    incoming.into_reader().read_to_end(&mut all).await.unwrap();
    assert!(all == [7; 100_000]);
}

async fn an_upload_keeps_what_was_there_but_its_content(ground: &Ground) {
    let remote = &ground.remote;
    assert!(!remote.upload("file", "one").await.unwrap().replaced);
    remote.chmod("file", 0o4751).await.unwrap();
    assert!(remote.upload("file", "two").await.unwrap().replaced);
    let mode = async || remote.stat("file").await.unwrap().unwrap().mode;
    assert_eq!(mode().await, 0o4751);
    remote
        .ask(Upload::new("file", "three").mode(0o644))
        .await
        .unwrap();
    assert_eq!(mode().await, 0o644);
    assert_eq!(remote.read("file").await.unwrap(), "three");
}

async fn a_field_that_cannot_be_leaves_the_file_alone(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "old").await.unwrap();
    let upload = || Upload::new("file", "new");
    fails!(
        remote.ask(upload().mode(0o10000)).await,
        Usage { field: "mode", .. }
    );
    fails!(
        remote.ask(upload().owner("")).await,
        Usage { field: "owner", .. }
    );
    fails!(
        remote.ask(upload().owner("no-such-user")).await,
        UnknownUser { .. }
    );
    fails!(
        remote.ask(upload().group("no-such-group")).await,
        UnknownGroup { .. }
    );
    // The same when it is streamed.
    let long = || Upload::new("file", bytes(1024 * 1024));
    fails!(
        remote.ask(long().owner("no-such-user")).await,
        UnknownUser { .. }
    );
    assert_eq!(remote.read("file").await.unwrap(), "old");
    assert_eq!(remote.list(".").await.unwrap().len(), 1);
}

async fn what_is_no_regular_file_is_not_replaced(ground: &Ground) {
    let remote = &ground.remote;
    ground
        .said("mkdir directory; : > file; ln -s file link; ln -s x dangling; mkfifo fifo")
        .await;
    for content in [bytes(1), bytes(1024 * 1024)] {
        let to = async |path: &str| remote.upload(path, content.clone()).await;
        fails!(to("directory").await, Errno { errno: EISDIR, .. });
        fails!(to("link").await, Errno { errno: ELOOP, .. });
        fails!(to("dangling").await, Errno { errno: ELOOP, .. });
        fails!(to("fifo").await, Kind { path, kind: convoke::verb::FileKind::Fifo } if path == ground.at("fifo"));
        fails!(to("missing/x").await, NotFound { .. });
        fails!(to("file/x").await, Errno { errno: 20, .. });
    }
    assert_eq!(remote.list(".").await.unwrap().len(), 5);
    assert_eq!(remote.read("file").await.unwrap(), "");
}

async fn how_far_an_upload_is_ends_with_the_size(ground: &Ground) {
    let remote = &ground.remote;
    for size in [0, 1, 64 * 1024, 1024 * 1024] {
        let reader = tokio::io::repeat(7).take(size as u64);
        for content in [Content::from(bytes(size)), Content::reader(reader)] {
            let (told, mut hears) = convoke::mpsc::channel(1024);
            let upload = Upload::new("file", content).unsynced().progress(told);
            remote.ask(upload).await.unwrap();
            let mut heard = Vec::new();
            while let Some(progress) = hears.recv().await {
                assert_eq!(&progress.host, remote.name());
                heard.push(progress.sent);
            }
            assert!(heard.is_sorted(), "{heard:?}");
            assert_eq!(heard.last(), Some(&(size as u64)));
        }
    }
    // Nobody listens, and there is room for one word only.
    let (told, mut hears) = convoke::mpsc::channel(1);
    let upload = Upload::new("file", bytes(1024 * 1024)).unsynced();
    remote.ask(upload.progress(told)).await.unwrap();
    assert_eq!(hears.recv().await.unwrap().sent, 1024 * 1024);
    assert!(hears.recv().await.is_none());
    let (told, hears) = convoke::mpsc::channel(1);
    drop(hears);
    let upload = Upload::new("file", "nobody ever listens").progress(told);
    remote.ask(upload).await.unwrap();
}

async fn an_upload_that_is_interrupted_leaves_the_old_file_and_nothing_else(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "old").await.unwrap();
    let (told, mut hears) = convoke::mpsc::channel(1024);
    let reader = Gives {
        left: 1024 * 1024,
        end: End::Never,
    };
    let upload = Upload::new("file", Content::reader(reader));
    let upload = upload.progress(told);
    tokio::select! {
        done = upload.on(remote) => panic!("{done:?}"),
        () = async { while hears.recv().await.unwrap().sent != 1024 * 1024 {} } => {}
    }
    nothing_but_the_old_file(ground).await;
}

async fn a_reader_that_fails_leaves_the_old_file_and_nothing_else(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "old").await.unwrap();
    for left in [0, 1, 1024 * 1024] {
        let end = End::Error;
        let content = Content::reader(Gives { left, end });
        let answer = remote.upload("file", content).await;
        fails!(answer, Content(error) if error.to_string().contains("broken"));
    }
    nothing_but_the_old_file(ground).await;
}

/// Waits until the host has noticed.
async fn nothing_but_the_old_file(ground: &Ground) {
    let remote = &ground.remote;
    while remote.list(".").await.unwrap().len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(remote.read("file").await.unwrap(), "old");
}

async fn whoever_reads_meanwhile_sees_the_old_file_or_the_new_one(ground: &Ground) {
    let remote = &ground.remote;
    let of = |byte: u8| vec![byte; 300_000];
    remote.upload("file", of(0)).await.unwrap();
    let writing = async {
        for byte in 1..=20 {
            let upload = Upload::new("file", of(byte)).unsynced();
            remote.ask(upload).await.unwrap();
        }
    };
    let reading = async {
        loop {
            let seen = remote.download("file").await.unwrap();
            assert_eq!(seen.len(), 300_000);
            assert!(seen.iter().all(|byte| *byte == seen[0]), "two files in one");
            if seen[0] == 20 {
                return;
            }
        }
    };
    tokio::join!(writing, reading);
}

async fn what_is_missing_is_told_from_what_cannot_be_read(ground: &Ground) {
    let remote = &ground.remote;
    let missing = ground.at("missing");
    fails!(remote.download("missing").await, NotFound { path } if path == missing);
    fails!(remote.read("missing").await, NotFound { path } if path == missing);
    assert_eq!(remote.download_or("missing", "else").await.unwrap(), "else");
    remote.upload("file", "").await.unwrap();
    assert_eq!(remote.download_or("file", "else").await.unwrap(), "");
    for path in [".", "/"] {
        fails!(remote.download(path).await, Errno { errno: EISDIR, .. });
        fails!(
            remote.download_or(path, "").await,
            Errno { errno: EISDIR, .. }
        );
        fails!(remote.read(path).await, Errno { errno: EISDIR, .. });
    }
    fails!(
        remote.download_or("file/x", "").await,
        Errno { errno: 20, .. }
    );
}

async fn a_file_comes_from_where_it_is_asked_for(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "0123456789").await.unwrap();
    for (offset, limit, expected) in [
        (0, 3, "012"),
        (7, 100, "789"),
        (10, 1, ""),
        (100, 1, ""),
        (4, 0, ""),
    ] {
        let part = Download::of("file").offset(offset).limit(limit);
        assert_eq!(
            remote.ask(part).await.unwrap(),
            expected,
            "{offset} {limit}"
        );
    }
}

async fn a_download_keeps_no_more_than_it_is_told_to(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "0123456789").await.unwrap();
    let all = Download::of("file").at_most(10);
    assert_eq!(remote.ask(all).await.unwrap(), "0123456789");
    let more = Download::of("file").at_most(9).or("");
    fails!(remote.ask(more).await, TooLong { what } if what == ground.at("file"));
    let part = Download::of("file").limit(9).at_most(9);
    assert_eq!(remote.ask(part).await.unwrap(), "012345678");
    for (most, expected) in [(10, true), (9, false)] {
        let open = Open::reading("file").at_most(most);
        let mut file = remote.open(open).await.unwrap();
        let read = file.read_to_end().await;
        assert_eq!(read.is_ok(), expected, "{read:?}");
    }
}

async fn a_short_read_refuses_what_is_long(ground: &Ground) {
    let remote = &ground.remote;
    let most: BString = bytes(128 * 1024).into();
    remote.upload("most", most.clone()).await.unwrap();
    assert!(remote.read("most").await.unwrap() == most);
    remote.upload("more", bytes(128 * 1024 + 1)).await.unwrap();
    fails!(remote.read("more").await, TooLong { what } if what == ground.at("more"));
    let little = Read::of("most").at_most(10);
    fails!(remote.ask(little).await, TooLong { .. });
}

async fn an_upload_gives_the_file_to_whom_it_shall_belong(ground: &Ground) {
    let remote = &ground.remote;
    let nobody = remote.query_user("nobody").await.unwrap();
    for content in [bytes(1), bytes(1024 * 1024)] {
        let upload = || Upload::new("file", content.clone());
        remote.ask(upload().owner("nobody")).await.unwrap();
        let ids = async || {
            let stat = remote.stat("file").await.unwrap().unwrap();
            (stat.uid, stat.gid)
        };
        assert_eq!(ids().await, (nobody.uid, nobody.gid));
        remote.ask(upload().group("0")).await.unwrap();
        assert_eq!(ids().await, (nobody.uid, 0));
        remote.ask(upload()).await.unwrap();
        assert_eq!(ids().await, (nobody.uid, 0), "it is kept");
        remote.remove("file").await.unwrap();
    }
}
