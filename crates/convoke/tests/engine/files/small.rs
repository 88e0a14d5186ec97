//! Small files: many in one request, each with its own result.

use super::*;

/// What goes with others.
fn bytes(content: &[u8]) -> Content {
    content.to_vec().into()
}

fn is_stored(path: &str, size: u64) -> Record {
    Record::Last(Answer::Stored(Stored {
        path: path.into(),
        size,
        replaced: false,
    }))
}

/// Answers one request for small files, and says that it is done.
fn answers(script: Script, records: &[Record]) -> Script {
    script.answers(records).done()
}

/// The paths of the files in each request.
fn asked(memory: &Memory) -> Vec<Vec<String>> {
    let lists = memory.record("h1").operations.into_iter();
    let path = |operation| match operation {
        Operation::Put { file, .. } => file.path.to_string(),
        other => panic!("{other:?}"),
    };
    lists
        .map(|list| list.into_iter().map(path).collect())
        .collect()
}

fn paths(ran: &Ran) -> Vec<String> {
    let paths = moved(ran).into_iter().map(|one| one.path.to_string());
    paths.collect()
}

#[tokio::test]
async fn small_files_go_in_one_request_and_come_to_their_results_in_order() {
    let script = answers(
        up(),
        &[
            is_stored("/a", 1),
            Record::Failed(no_space("/b")),
            is_stored("/d/c", 0),
            Record::Failed(no_space("/d")),
        ],
    );
    let memory = Memory::new(script);
    let uploads = [("/a", "x"), ("/b", "yy"), ("/d", ""), ("/d", "z")];
    let uploads = uploads.map(|(path, content)| upload(path, bytes(content.as_bytes())));
    let ran = run(&memory, put(uploads.to_vec()), &Cancel::new()).await;
    let failed = Failed {
        cause: FailureCause::Host(no_space("/b")),
        also: vec![FailureCause::Host(no_space("/d"))],
        more: 0,
    };
    assert_eq!(only(&ran), &Outcome::Failed(failed));
    assert_eq!(asked(&memory), [["/a", "/b", "/d", "/d"]]);
    assert_eq!(paths(&ran), ["/a", "/d/c"]);
}

#[tokio::test]
async fn small_files_and_large_ones_keep_their_order() {
    let script = answers(up(), &[is_stored("/a", 1), is_stored("/b", 64 << 10)]);
    let script = stores(script, "/c", (64 << 10) + 1);
    let script = answers(script, &[is_stored("/d", 1)]);
    let memory = Memory::new(script);
    let large = vec![7; (64 << 10) + 1];
    let uploads = vec![
        upload("/a", bytes(b"x")),
        upload("/b", bytes(&large[1..])),
        upload("/c", bytes(&large)),
        upload("/d", bytes(b"y")),
    ];
    let ran = run(&memory, put(uploads), &Cancel::new()).await;
    let total = 2 * (64 << 10) + 3;
    assert_eq!(only(&ran), &Outcome::Done(Done { bytes: total }));
    assert_eq!(asked(&memory), [vec!["/a", "/b"], vec!["/d"]]);
    assert_eq!(memory.record("h1").stdin, large);
    assert_eq!(paths(&ran), ["/a", "/b", "/c", "/d"]);
}

#[tokio::test]
async fn what_is_in_one_request_is_bounded() {
    for (size, count, expected) in [
        // By what they hold, and by what goes beside it.
        (60_000, 10, vec![4, 4, 2]),
        (0, 1500, vec![1016, 484]),
    ] {
        let script = expected.iter().fold(up(), |script, many| {
            answers(script, &vec![is_stored("/a", size); *many])
        });
        let memory = Memory::new(script);
        let file = upload("/a", bytes(&vec![7; size as usize]));
        let ran = run(&memory, put(vec![file; count]), &Cancel::new()).await;
        assert!(ran.report.is_ok(), "{:?}", ran.report);
        let counts: Vec<_> = asked(&memory).iter().map(Vec::len).collect();
        assert_eq!(counts, expected);
        assert_eq!(paths(&ran).len(), count);
    }
}

#[tokio::test]
async fn a_small_file_that_cannot_be_read_keeps_no_other_from_its_place() {
    let here = Here::new();
    let (changed, _) = here.content(1000);
    fs::write(here.path("source"), vec![b'x'; 1001]).unwrap();
    let memory = Memory::new(answers(up(), &[is_stored("/a", 1), is_stored("/c", 1)]));
    let uploads = vec![
        upload("/a", bytes(b"x")),
        upload("/b", Content::File(changed)),
        upload("/c", bytes(b"y")),
    ];
    let ran = run(&memory, put(uploads), &Cancel::new()).await;
    let Outcome::Failed(failed) = only(&ran) else {
        panic!("{:?}", ran.report);
    };
    let words = "\"source\" here: it grew while it was sent";
    assert_eq!(failed.cause.to_string(), words);
    assert_eq!(asked(&memory), [["/a", "/c"]]);
    assert_eq!(paths(&ran), ["/a", "/c"]);
}

#[tokio::test]
async fn what_has_no_size_goes_whole_however_long_it_is() {
    let (short, long) = ("/proc/self/comm", "/proc/kallsyms");
    let content = |path| LocalFile::new(fs::File::open(path).unwrap(), path).unwrap();
    assert_eq!((content(short).size(), content(long).size()), (0, 0));
    let (comm, symbols) = (fs::read(short).unwrap(), fs::read(long).unwrap());
    let script = answers(up(), &[is_stored("/a", comm.len() as u64)]);
    let memory = Memory::new(stores(script, "/b", symbols.len() as u64));
    let uploads = vec![
        upload("/a", content(short).into()),
        upload("/b", content(long).into()),
    ];
    let ran = run(&memory, put(uploads), &Cancel::new()).await;
    assert!(ran.report.is_ok(), "{:?}", ran.report);
    assert!(symbols.len() > 64 << 10, "it is no example");
    assert!(memory.record("h1").stdin == symbols);
}

#[tokio::test]
async fn a_link_that_ends_between_small_files_is_lost() {
    let (first, second) = (is_stored("/a", 1), is_stored("/b", 1));
    for script in [
        up().answers(std::slice::from_ref(&first)).close(),
        // One was left out, or one too many was said.
        answers(up(), std::slice::from_ref(&first)),
        answers(up(), &[first.clone(), second.clone(), second]),
        // Something else was stored.
        answers(up(), &[first.clone(), is_stored("/b", 2)]),
        answers(up(), &[first, Record::Last(Answer::Done)]),
    ] {
        let uploads = ["/a", "/b"].map(|path| upload(path, bytes(b"x")));
        let ran = on(script, put(uploads.to_vec())).await;
        assert!(matches!(only(&ran), Outcome::Lost(_)), "{:?}", ran.report);
        assert_eq!(paths(&ran)[0], "/a");
    }
}

#[tokio::test]
async fn small_files_that_have_not_gone_never_do_when_they_are_cancelled() {
    let script = up().answers(&[is_stored("/a", 60_000)]).until_killed();
    let memory = Memory::new(script);
    let cancel = Cancel::new();
    let action = put(vec![upload("/a", bytes(&[0; 60_000])); 10]);
    let ran = run_watched(&memory, action, &cancel, |event| {
        if let Kind::Moved(_) = event.kind {
            cancel.fire(CancelCause::Operator);
        }
    })
    .await;
    assert!(
        matches!(only(&ran), Outcome::Cancelled(_)),
        "{:?}",
        ran.report
    );
    let record = memory.record("h1");
    assert_eq!((record.operations.len(), record.kills), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn small_files_say_how_far_they_are() {
    let stored = vec![is_stored("/a", 60_000); 4];
    let script = (0..3).fold(up(), |script, _| answers(script, &stored));
    let uploads = vec![upload("/a", bytes(&[0; 60_000])); 12];
    let ran = on(script, put(uploads)).await;
    let told = [(300_000, Some(720_000)), (600_000, Some(720_000))];
    assert_eq!(progress(&ran), told);
}

#[tokio::test]
async fn many_hosts_get_all_of_a_small_source() {
    let here = Here::new();
    let (file, content) = here.content(10_000);
    let memory = Memory::new(answers(up(), &[is_stored("/x", 10_000)]));
    let uploads = vec![upload("/x", Content::File(file))];
    let action = Action::everywhere(hosts(16), Work::Put(uploads));
    let ran = run(&memory, action, &Cancel::new()).await;
    assert!(ran.report.is_ok(), "{:?}", ran.report);
    for host in 1..=16 {
        let [list] = &memory.record(&format!("h{host}")).operations[..] else {
            panic!("h{host}");
        };
        let [Operation::Put { content: sent, .. }] = &list[..] else {
            panic!("{list:?}");
        };
        assert!(*sent == content);
    }
}
