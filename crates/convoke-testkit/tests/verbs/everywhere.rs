//! Every verb on several hosts over ssh, and one file for all of them.

use std::fmt::Debug;
use std::fs::File;
use std::sync::Arc;

use convoke::BString;
use convoke::remote::VerbError;
use convoke::session::Session;
use convoke::verb::{Chown, Content, LocalFile, Open, Stream, Upload, Verbs as _, Who};

use super::*;

/// A session with all hosts of a fleet, each with a home of its own.
async fn session(fleet: &Fleet, hosts: usize) -> Session {
    let names = (1..=hosts).map(|n| format!("ssh+native://h{n}"));
    let hosts = names.map(|name| Host::new(&name).unwrap());
    Session::open(hosts, &fleet_reach(fleet)).await
}

/// What every host answered, in host order.
fn all<T: Debug>(answers: Vec<(Arc<str>, Result<T, VerbError>)>) -> Vec<T> {
    let hosts: Vec<_> = answers.iter().map(|(host, _)| host.to_string()).collect();
    let expected: Vec<_> = (1..=hosts.len())
        .map(|n| format!("ssh+native://h{n}"))
        .collect();
    assert_eq!(hosts, expected);
    let answers = answers.into_iter();
    answers.map(|(_, answer)| answer.unwrap()).collect()
}

/// What every host answered, which is the same.
fn same<T: Debug + PartialEq>(answers: Vec<(Arc<str>, Result<T, VerbError>)>) -> T {
    let mut answers = all(answers);
    let one = answers.pop().unwrap();
    assert!(
        answers.iter().all(|other| *other == one),
        "{answers:?} and {one:?}"
    );
    one
}

#[tokio::test]
async fn every_verb_is_done_on_every_host() {
    let fleet = Fleet::builder().hosts(2).separate_homes().start();
    let session = session(&fleet, 2).await;
    let homes = all(session.home(Who::Login).await);
    assert_ne!(homes[0], homes[1]);

    // Change.
    same(session.mkdir("d").await);
    let stored = all(session.upload("d/file", "content").await);
    for (home, stored) in homes.iter().zip(&stored) {
        assert_eq!(
            (&stored.path, stored.size),
            (&BString::from(format!("{home}/d/file")), 7)
        );
    }
    same(session.touch("d/touched").await);
    same(session.symlink("file", "d/link").await);
    same(session.rename("d/touched", "d/renamed").await);
    same(session.chmod("d/file", 0o640).await);
    let me = same(session.resolve_user(Who::Login).await);
    same(session.chown("d/file", me.clone()).await);
    let group = same(session.resolve_group(Who::Login).await);
    same(session.ask(Chown::of("d/file").group(group.clone())).await);
    let directories = all(session.tempdir().await);
    assert_ne!(directories[0], directories[1]);
    for directory in directories {
        // All hosts of a fleet have their temporary files in one directory.
        fs::remove_dir(directory.to_string()).unwrap();
    }

    // Look.
    for (host, stat) in all(session.stat("d/file").await).into_iter().enumerate() {
        let stat = stat.unwrap();
        assert_eq!((stat.size, stat.mode), (7, 0o640), "{host}");
    }
    assert!(same(session.exists("d/renamed").await));
    assert!(!same(session.exists("d/touched").await));
    assert_eq!(same(session.readlink("d/link").await), "file");
    for entries in all(session.list("d").await) {
        let names: Vec<_> = entries.iter().map(|entry| entry.name.to_string()).collect();
        assert_eq!(names, ["file", "link", "renamed"]);
    }
    assert!(same(session.which("sh").await).is_some());
    assert_eq!(all(session.cwd().await), homes);
    assert_eq!(all(session.expand("~").await), homes);

    // Carry.
    assert_eq!(same(session.read("d/file").await), "content");
    assert_eq!(same(session.download("d/file").await), "content");
    assert_eq!(same(session.download_or("missing", "none").await), "none");
    for mut incoming in all(session.ask(Stream::of("d/file")).await) {
        assert_eq!(incoming.next().await.unwrap().unwrap(), "content");
    }
    for mut file in all(session.open(Open::appending("d/file")).await) {
        file.write_all(" and more").await.unwrap();
    }
    assert_eq!(same(session.read("d/file").await), "content and more");

    // Run and ask.
    assert_eq!(
        same(session.run(["cat", "d/file"]).await).stdout,
        "content and more"
    );
    let user = same(session.query_user(Who::Login).await);
    assert_eq!((user.name, user.group), (me, group.clone()));
    assert_eq!(same(session.query_group(Who::Login).await).name, group);
    let homes = homes.into_iter().map(Some).collect::<Vec<_>>();
    assert_eq!(all(session.getenv("HOME").await), homes);
    for variables in all(session.environment().await) {
        assert!(variables.iter().any(|(name, _)| name == "PATH"));
    }
    for facts in all(session.facts().await) {
        assert_eq!(facts.kernel.name.unwrap(), "Linux");
    }

    same(session.remove("d/renamed").await);
    same(session.remove_tree("d").await);
    assert!(!same(session.exists("d").await));
    session.close().await;
    listener_alone(&fleet).await;
}

#[tokio::test]
async fn a_file_of_this_machine_is_read_once_for_four_hosts() {
    const SIZE: usize = 16 * 1024 * 1024;
    let fleet = Fleet::builder().hosts(4).separate_homes().start();
    let session = session(&fleet, 4).await;
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("file");
    let bytes: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &bytes).unwrap();
    let file = LocalFile::new(File::open(&path).unwrap(), path).unwrap();
    let upload = Upload::new("file", Content::File(file.clone())).unsynced();
    for stored in all(session.ask(upload).await) {
        assert_eq!(stored.size, SIZE as u64);
    }
    for came in all(session.download("file").await) {
        assert!(came == bytes);
    }
    // A host that falls behind reads by itself, but four times would be no sharing at all.
    let read = file.bytes_read();
    assert!(
        read >= SIZE as u64 && read < 2 * SIZE as u64,
        "{read} bytes"
    );
    session.close().await;
    listener_alone(&fleet).await;
}
