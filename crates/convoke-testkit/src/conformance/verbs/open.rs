//! Open files.

use std::io::SeekFrom;

use convoke::remote::VerbError;
use convoke::verb::{Creation, Open, RemoteFile, Verbs as _};
use tokio::io::{self, AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::{Ground, checks, fails};

checks! {
    Anybody an_open_file_is_read_and_written_anywhere
    Anybody what_is_appended_stands_at_the_end
    Anybody opening_makes_a_file_only_when_it_is_told_to
    Anybody what_may_not_be_done_with_an_open_file_fails
    Anybody much_goes_through_an_open_file
    Anybody tokio_reads_and_writes_an_open_file_anywhere
    Anybody tokio_hears_what_became_of_a_write
    Anybody a_read_that_is_given_up_loses_nothing
    Anybody an_open_file_lives_as_long_as_its_handle
}

const EBADF: i32 = 9;
const EEXIST: i32 = 17;
const EISDIR: i32 = 21;

async fn an_open_file_is_read_and_written_anywhere(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "0123456789").await.unwrap();
    let mut file = remote.open(Open::editing("file")).await.unwrap();
    assert_eq!(file.read(4).await.unwrap(), "0123");
    assert_eq!(file.read_to_end().await.unwrap(), "456789");
    assert_eq!(file.read(4).await.unwrap(), "");
    assert_eq!(file.seek(SeekFrom::Start(2)).await.unwrap(), 2);
    file.write_all("ab").await.unwrap();
    assert_eq!(file.seek(SeekFrom::Current(1)).await.unwrap(), 5);
    assert_eq!(file.read(2).await.unwrap(), "56");
    assert_eq!(file.seek(SeekFrom::End(-1)).await.unwrap(), 9);
    fails!(
        file.seek(SeekFrom::Current(-10)).await,
        Usage {
            field: "offset",
            ..
        }
    );
    file.write_all("xyz").await.unwrap();
    file.write_at(0, "A").await.unwrap();
    file.append("!").await.unwrap();
    assert_eq!(file.read_at(1, 100).await.unwrap(), "1ab45678xyz!");
    assert_eq!(file.stat().await.unwrap().size, 13);
    file.set_len(3).await.unwrap();
    file.sync().await.unwrap();
    assert_eq!(remote.read("file").await.unwrap(), "A1a");
    file.set_len(5).await.unwrap();
    assert_eq!(remote.read("file").await.unwrap(), "A1a\0\0");
}

async fn what_is_appended_stands_at_the_end(ground: &Ground) {
    let remote = &ground.remote;
    let mut one = remote.open(Open::appending("log")).await.unwrap();
    let mut other = remote.open(Open::appending("log")).await.unwrap();
    one.write_all("1").await.unwrap();
    other.write_all("2").await.unwrap();
    one.write_all("3").await.unwrap();
    assert_eq!(remote.read("log").await.unwrap(), "123");
}

async fn opening_makes_a_file_only_when_it_is_told_to(ground: &Ground) {
    let remote = &ground.remote;
    fails!(remote.open(Open::reading("x")).await, NotFound { path } if path == ground.at("x"));
    fails!(remote.open(Open::editing("x")).await, NotFound { .. });
    let new = || Open::editing("x").creation(Creation::New).mode(0o640);
    remote.open(new()).await.unwrap();
    assert_eq!(remote.stat("x").await.unwrap().unwrap().mode, 0o640);
    fails!(remote.open(new()).await, Errno { errno: EEXIST, .. });
    remote.upload("x", "content").await.unwrap();
    remote.open(Open::appending("x")).await.unwrap();
    assert_eq!(remote.read("x").await.unwrap(), "content");
    remote.open(Open::writing("x")).await.unwrap();
    assert_eq!(remote.read("x").await.unwrap(), "");
    remote.open(Open::writing("y")).await.unwrap();
    assert_eq!(remote.stat("y").await.unwrap().unwrap().mode, 0o600);
    fails!(
        remote.open(Open::writing(".")).await,
        Errno { errno: EISDIR, .. }
    );
    fails!(
        remote.open(new().mode(0o10000)).await,
        Usage { field: "mode", .. }
    );
}

async fn what_may_not_be_done_with_an_open_file_fails(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "content").await.unwrap();
    let mut reading = remote.open(Open::reading("file")).await.unwrap();
    fails!(reading.write_all("x").await, Errno { errno: EBADF, .. });
    assert_eq!(reading.read(100).await.unwrap(), "content");
    let writing = remote.open(Open::appending("file")).await.unwrap();
    fails!(writing.read_at(0, 1).await, Errno { errno: EBADF, .. });
}

async fn much_goes_through_an_open_file(ground: &Ground) {
    let remote = &ground.remote;
    let content: Vec<u8> = (0..5_000_000).map(|n| (n % 251) as u8).collect();
    let mut file = remote.open(Open::writing("file")).await.unwrap();
    file.write_all(&content).await.unwrap();
    assert!(remote.download("file").await.unwrap() == content);
    let mut file = remote.open(Open::reading("file")).await.unwrap();
    assert!(file.read_to_end().await.unwrap() == content);
    assert!(file.read_at(1_000_000, 300_000).await.unwrap() == content[1_000_000..1_300_000]);
}

async fn tokio_reads_and_writes_an_open_file_anywhere(ground: &Ground) {
    let remote = &ground.remote;
    let content: Vec<u8> = (0..3_000_000).map(|n| (n % 251) as u8).collect();
    let mut file = remote.open(Open::writing("file")).await.unwrap();
    let copied = io::copy(&mut content.as_slice(), &mut file).await.unwrap();
    AsyncWriteExt::flush(&mut file).await.unwrap();
    assert_eq!(copied, 3_000_000);
    assert!(remote.download("file").await.unwrap() == content);

    let mut file = remote.open(Open::editing("file")).await.unwrap();
    let mut all = Vec::new();
    AsyncReadExt::read_to_end(&mut file, &mut all)
        .await
        .unwrap();
    assert!(all == content);
    let at = AsyncSeekExt::seek(&mut file, SeekFrom::End(-2)).await;
    assert_eq!(at.unwrap(), 2_999_998);
    AsyncWriteExt::write_all(&mut file, b"abcd").await.unwrap();
    // It waits for the write, as everything does that moves the position.
    assert_eq!(file.stream_position().await.unwrap(), 3_000_002);
    AsyncWriteExt::write_all(&mut file, b"ef").await.unwrap();
    assert_eq!(file.seek(SeekFrom::Current(-4)).await.unwrap(), 3_000_000);
    let mut four = [0; 4];
    file.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"cdef");
    let before = AsyncSeekExt::seek(&mut file, SeekFrom::Current(-4_000_000)).await;
    let error = before.unwrap_err().downcast::<VerbError>().unwrap();
    fails!(
        Err::<(), _>(error),
        Usage {
            field: "offset",
            ..
        }
    );
    assert_eq!(file.read(4).await.unwrap(), "");

    let mut one = remote.open(Open::appending("log")).await.unwrap();
    let mut other = remote.open(Open::appending("log")).await.unwrap();
    for text in ["1", "2"] {
        AsyncWriteExt::write_all(&mut one, text.as_bytes())
            .await
            .unwrap();
        AsyncWriteExt::flush(&mut one).await.unwrap();
        AsyncWriteExt::write_all(&mut other, b"-").await.unwrap();
        other.shutdown().await.unwrap();
    }
    assert_eq!(remote.read("log").await.unwrap(), "1-2-");
}

async fn tokio_hears_what_became_of_a_write(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "content").await.unwrap();
    let reading = || async { remote.open(Open::reading("file")).await.unwrap() };
    let refused = |told: io::Result<()>| {
        let error = told.unwrap_err().downcast::<VerbError>().unwrap();
        fails!(Err::<(), _>(error), Errno { errno: EBADF, path, .. } if path == ground.at("file"));
    };
    let mut file: RemoteFile = reading().await;
    let written = AsyncWriteExt::write_all(&mut file, b"x").await;
    refused(written.and(AsyncWriteExt::flush(&mut file).await));
    // What failed is over.
    AsyncWriteExt::flush(&mut file).await.unwrap();
    assert_eq!(file.read(100).await.unwrap(), "content");
    let mut file = reading().await;
    let written = AsyncWriteExt::write_all(&mut file, b"x").await;
    refused(written.and(file.stream_position().await.map(drop)));
    let mut file = reading().await;
    if AsyncWriteExt::write_all(&mut file, b"x").await.is_ok() {
        fails!(file.read(1).await, Errno { errno: EBADF, .. });
    }
}

async fn a_read_that_is_given_up_loses_nothing(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "0123456789").await.unwrap();
    let mut file = remote.open(Open::editing("file")).await.unwrap();
    let mut much = [0; 8];
    tokio::select! {
        biased;
        // It leaves, and no answer can have come.
        _ = AsyncReadExt::read(&mut file, &mut much) => panic!("nobody waited for the host"),
        () = std::future::ready(()) => {}
    }
    let mut little = [0; 2];
    file.read_exact(&mut little).await.unwrap();
    assert_eq!(&little, b"01");
    assert_eq!(file.stream_position().await.unwrap(), 2);
    assert_eq!(file.read_to_end().await.unwrap(), "23456789");
}

async fn an_open_file_lives_as_long_as_its_handle(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "content").await.unwrap();
    let mut files = Vec::new();
    for _ in 0..20 {
        files.push(remote.open(Open::reading("file")).await.unwrap());
    }
    remote.remove("file").await.unwrap();
    for file in &mut files {
        assert_eq!(file.read_to_end().await.unwrap(), "content");
    }
    // The parent of a command is the agent.
    let open = "ls -l /proc/$PPID/fd 2>/dev/null | grep -c 'file (deleted)'";
    assert_eq!(ground.said(&format!("{open}; true")).await, "20");
    drop(files);
    while ground.said(&format!("{open}; true")).await != "0" {
        tokio::task::yield_now().await;
    }
}
