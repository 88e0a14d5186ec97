//! Batches.

use convoke::BString;
use convoke::batch::Batch;
use convoke::remote::VerbError;
use convoke::verb::{Content, Environment, Exists, Mkdir, Read, Remove, Stat, Upload, Verbs as _};

use super::{Ground, checks, fails};

checks! {
    Anybody a_thousand_small_files_go_in_one_flight
    Anybody failures_in_the_middle_do_not_matter_to_the_others
    Anybody uploads_that_fail_leave_the_others_and_what_was_there
    Anybody verbs_of_different_kinds_are_done_in_order
    Anybody more_than_a_request_holds_goes_in_several
    Anybody what_cannot_be_in_a_batch_is_told
    Anybody an_empty_batch_is_done
}

async fn a_thousand_small_files_go_in_one_flight(ground: &Ground) {
    let remote = &ground.remote;
    let names = || (0..1000).map(|number| format!("file {number}"));
    let uploads = names().map(|name| Upload::new(name.clone(), name).unsynced());
    for stored in remote.batch(uploads).await.unwrap() {
        stored.unwrap();
    }
    let stats = remote.batch(names().map(Stat::of)).await.unwrap();
    let reads = remote.batch(names().map(Read::of)).await.unwrap();
    for ((name, stat), read) in names().zip(stats).zip(reads) {
        assert_eq!(stat.unwrap().unwrap().size, name.len() as u64);
        assert_eq!(read.unwrap(), name);
    }
}

async fn failures_in_the_middle_do_not_matter_to_the_others(ground: &Ground) {
    let remote = &ground.remote;
    remote.touch("file").await.unwrap();
    let paths = ["file", "", "file/x", "missing", "a\0b", "file"];
    let answers = remote.batch(paths.map(Stat::of)).await.unwrap();
    let words: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(Some(_)) => "some",
            Ok(None) => "none",
            Err(VerbError::Usage { .. }) => "usage",
            Err(VerbError::Errno { errno: 20, .. }) => "ENOTDIR",
            Err(other) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(words, ["some", "usage", "ENOTDIR", "none", "usage", "some"]);
}

async fn uploads_that_fail_leave_the_others_and_what_was_there(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "old").await.unwrap();
    remote.mkdir("directory").await.unwrap();
    remote.symlink("file", "link").await.unwrap();
    let upload = |path: &str| Upload::new(path, "new");
    let uploads = [
        upload("first"),
        upload("file/x"),
        upload("directory"),
        upload("file").owner("no-such-user"),
        upload("file").group("no-such-group"),
        upload("file").mode(0o10000),
        upload("link"),
        upload("missing/x"),
        upload("last"),
    ];
    let answers = remote.batch(uploads).await.unwrap();
    let words: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(stored) => stored.path.to_string(),
            Err(VerbError::Errno { errno, path, .. }) => format!("{errno} {path}"),
            Err(VerbError::UnknownUser { name }) => format!("no user {name}"),
            Err(VerbError::UnknownGroup { name }) => format!("no group {name}"),
            Err(VerbError::Usage { field, .. }) => format!("usage {field}"),
            Err(VerbError::NotFound { path }) => format!("missing {path}"),
            Err(other) => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ground.at("first").to_string(),
        format!("20 {}", ground.at("file/x")),
        format!("21 {}", ground.at("directory")),
        "no user no-such-user".to_owned(),
        "no group no-such-group".to_owned(),
        "usage mode".to_owned(),
        format!("40 {}", ground.at("link")),
        format!("missing {}", ground.at("missing/x")),
        ground.at("last").to_string(),
    ];
    assert_eq!(words, expected);
    assert_eq!(remote.read("file").await.unwrap(), "old");
    let entries = remote.list(".").await.unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.name.to_string()).collect();
    assert_eq!(names, ["directory", "file", "first", "last", "link"]);
}

async fn verbs_of_different_kinds_are_done_in_order(ground: &Ground) {
    let mut batch = Batch::new();
    let before = batch.add(Exists::at("directory"));
    let made = batch.add(Mkdir::at("directory"));
    let again = batch.add(Mkdir::at("directory"));
    let stored = batch.add(Upload::new("directory/file", "content"));
    let read = batch.add(Read::of("directory/file"));
    let environment = batch.add(Environment);
    let removed = batch.add(Remove::tree("directory"));
    let after = batch.add(Exists::at("directory"));
    assert_eq!(batch.len(), 8);
    let mut answers = ground.remote.flight(batch).await.unwrap();
    assert!(!answers.take(before).unwrap());
    answers.take(made).unwrap();
    fails!(answers.take(again), Errno { errno: 17, .. });
    assert_eq!(answers.take(read).unwrap(), "content");
    assert_eq!(answers.take(stored).unwrap().size, 7);
    fails!(
        answers.take(stored),
        Usage {
            field: "ticket",
            ..
        }
    );
    assert!(!answers.take(environment).unwrap().is_empty());
    answers.take(removed).unwrap();
    assert!(!answers.take(after).unwrap());
}

async fn more_than_a_request_holds_goes_in_several(ground: &Ground) {
    let remote = &ground.remote;
    let content = vec![b'x'; 1024 * 1024];
    let uploads = (0..12).map(|n| Upload::new(format!("{n}"), content.clone()).unsynced());
    for stored in remote.batch(uploads).await.unwrap() {
        assert_eq!(stored.unwrap().size, 1024 * 1024);
    }
    let stats = (0..40_000).map(|n| Stat::of(format!("{}", n % 24)));
    let answers = remote.batch(stats).await.unwrap();
    assert_eq!(answers.len(), 40_000);
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap().is_some(), number % 24 < 12, "{number}");
    }
}

async fn what_cannot_be_in_a_batch_is_told(ground: &Ground) {
    let long = Content::from(vec![0; 4 * 1024 * 1024]);
    let reader = Content::reader(&b"x"[..]);
    let uploads = [long, reader, "short".into()];
    let uploads = uploads.map(|content| Upload::new("file", content));
    let answers = ground.remote.batch(uploads).await.unwrap();
    fails!(
        &answers[0],
        Usage {
            field: "content",
            ..
        }
    );
    fails!(
        &answers[1],
        Usage {
            field: "content",
            ..
        }
    );
    assert_eq!(answers[2].as_ref().unwrap().size, 5);
    let longest: BString = vec![b'x'; 5000].into();
    let answers = ground
        .remote
        .batch([Stat::of(longest), Stat::of(".")])
        .await
        .unwrap();
    fails!(&answers[0], Errno { errno: 36, .. });
    assert!(answers[1].is_ok());
}

async fn an_empty_batch_is_done(ground: &Ground) {
    assert!(
        ground
            .remote
            .batch(Vec::<Stat>::new())
            .await
            .unwrap()
            .is_empty()
    );
    ground.remote.flight(Batch::new()).await.unwrap();
}
