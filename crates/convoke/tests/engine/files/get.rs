//! Files that come from hosts.

use super::*;

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
        let script = || {
            let script = ends(sends(up(), 4096, 0o600, b"less"));
            script.answers(std::slice::from_ref(&now)).done()
        };
        let ran = on(script(), here.get("old")).await;
        assert_eq!(ran.report.is_ok(), is_whole, "{name}: {:?}", ran.report);
        match is_whole {
            true => assert_eq!(here.read("old"), b"less"),
            false => here.is_untouched(),
        }
        let shown = on(script(), shown()).await;
        assert_eq!(shown.report.is_ok(), is_whole, "{name}: {:?}", shown.report);
        assert_eq!(shown.output("memory:h1", Stream::Stdout), b"less");
        if !is_whole {
            let words = "it is not whole: \"/x\" changed while it was fetched";
            assert_eq!(failed(&shown), words);
            assert!(moved(&shown).is_empty());
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
    let path = here.path("link");
    let words = format!("\"{}\" here: it is a symbolic link", path.display());
    assert_eq!(failed(&ran), words);
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

#[tokio::test(start_paused = true)]
async fn all_that_has_come_is_told_at_once_of_a_long_file_and_of_the_last() {
    const MB: u64 = 1_000_000;
    let here = Here::new();
    let sizes = [MB, 1_000, 1_000, 1_000];
    let script = sizes.iter().fold(up(), |script, size| {
        ends(sends(script, *size, 0o600, &vec![0; *size as usize]))
    });
    let downloads = ["a", "b", "c", "d"].map(|name| here.download(name, name));
    let action = Action::everywhere(hosts(1), Work::Get(downloads.to_vec()));
    let ran = on(script, action).await;
    assert!(ran.report.is_ok(), "{:?}", ran.report);
    let all = MB + 3_000;
    let told = progress(&ran);
    assert!(told.ends_with(&[(MB, None), (all, Some(all))]), "{told:?}");
}

/// Hands on what a file holds.
fn shown() -> Action {
    let download = Download {
        path: "/x".into(),
        tilde: Tilde::Verbatim,
        to: Destination::Output,
    };
    Action::everywhere(hosts(1), Work::Get(vec![download]))
}

#[tokio::test]
async fn a_file_that_grows_is_handed_on_as_it_was() {
    let ran = on(ends(sends(up(), 2, 0o600, b"more")), shown()).await;
    assert_eq!(only(&ran), &Outcome::Done(Done { bytes: 2 }));
    assert_eq!(ran.output("memory:h1", Stream::Stdout), b"mo");
}

#[tokio::test]
async fn content_may_come_as_events() {
    let ran = on(ends(sends(up(), 5, 0o600, b"bytes")), shown()).await;
    assert_eq!(only(&ran), &Outcome::Done(Done { bytes: 5 }));
    assert_eq!(ran.output("memory:h1", Stream::Stdout), b"bytes");
    assert_eq!(moved(&ran)[0].here, None::<&Path>.map(Into::into));
}
