//! What others do to a path while a file is on its way there.

use convoke::verb::{Content, Upload, Verbs as _};
use tokio::io::AsyncWriteExt as _;

use super::{Ground, checks, fails};

checks! {
    Anybody a_link_that_is_planted_meanwhile_is_not_followed
    Anybody what_is_no_file_and_appears_meanwhile_stays
    Anybody a_file_that_appears_meanwhile_is_replaced
}

const ELOOP: i32 = 40;
const EISDIR: i32 = 21;

/// Longer than what travels in the request.
const PIECE: usize = 1024 * 1024;

/// Uploads to `file`; once all of it but its end has left, a line of shell is done on the host.
async fn meanwhile(
    ground: &Ground,
    line: &str,
) -> Result<convoke::verb::Stored, convoke::remote::VerbError> {
    let (mut source, reader) = tokio::io::duplex(PIECE);
    let (told, mut hears) = convoke::mpsc::channel(1024);
    let upload = Upload::new("file", Content::reader(reader)).progress(told);
    let upload = ground.remote.ask(upload);
    let others = async {
        source.write_all(&vec![b'n'; PIECE]).await.unwrap();
        while hears.recv().await.unwrap().sent != PIECE as u64 {}
        ground.said(line).await;
        drop(source);
    };
    let (stored, ()) = tokio::join!(upload, others);
    stored
}

/// What is in the directory.
async fn names(ground: &Ground) -> Vec<String> {
    let entries = ground.remote.list(".").await.unwrap();
    entries.iter().map(|entry| entry.name.to_string()).collect()
}

async fn a_link_that_is_planted_meanwhile_is_not_followed(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("victim", "victim").await.unwrap();
    let target = ground.at("file");
    for line in [
        "ln -s victim file",
        "ln -sf victim file",
        "ln -sf missing file",
    ] {
        let stored = meanwhile(ground, line).await;
        fails!(stored, Errno { path, errno: ELOOP, .. } if path == target);
        assert_eq!(names(ground).await, ["file", "victim"], "{line}");
        assert_eq!(remote.read("victim").await.unwrap(), "victim");
        // The next is planted in the place of a file.
        remote.remove("file").await.unwrap();
        remote.upload("file", "old").await.unwrap();
    }
}

async fn what_is_no_file_and_appears_meanwhile_stays(ground: &Ground) {
    let stored = meanwhile(ground, "mkdir file").await;
    fails!(stored, Errno { path, errno: EISDIR, .. } if path == ground.at("file"));
    assert_eq!(names(ground).await, ["file"]);
    ground.remote.remove("file").await.unwrap();
    let stored = meanwhile(ground, "mkfifo file").await;
    fails!(stored, Kind { path, .. } if path == ground.at("file"));
    assert_eq!(names(ground).await, ["file"]);
}

async fn a_file_that_appears_meanwhile_is_replaced(ground: &Ground) {
    let stored = meanwhile(ground, "echo other > file").await.unwrap();
    assert!(stored.replaced);
    assert_eq!(stored.size, PIECE as u64);
    let came = ground.remote.download("file").await.unwrap();
    assert!(came == vec![b'n'; PIECE]);
    assert_eq!(names(ground).await, ["file"]);
}
