//! Open files.

use std::io::SeekFrom;

use convoke::verb::{Creation, Open, Verbs as _};

use super::{Ground, checks, fails};

checks! {
    Anybody an_open_file_is_read_and_written_anywhere
    Anybody what_is_appended_stands_at_the_end
    Anybody opening_makes_a_file_only_when_it_is_told_to
    Anybody what_may_not_be_done_with_an_open_file_fails
    Anybody much_goes_through_an_open_file
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
