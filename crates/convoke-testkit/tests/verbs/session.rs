//! Verbs on many hosts at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use convoke::batch::Batch;
use convoke::remote::{Remote, VerbError};
use convoke::scope::Scope;
use convoke::session::Session;
use convoke::verb::{Cwd, Exists, Input, Progress, Run, Upload, Verb, Verbs as _};
use tokio::sync::Semaphore;

use super::*;

/// Panics on one host.
struct Fussy {
    dislikes: &'static str,
}

impl Verb for Fussy {
    type Output = ();

    async fn on(&self, remote: &Remote) -> Result<(), VerbError> {
        assert_ne!(&**remote.name(), self.dislikes, "not there");
        remote.stat("/").await.map(drop)
    }
}

/// Notes how many hosts it is done on at once.
#[derive(Clone, Default)]
struct Counts {
    now: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

impl Verb for Counts {
    type Output = ();

    async fn on(&self, remote: &Remote) -> Result<(), VerbError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        let done = remote.stat("/").await.map(drop);
        self.now.fetch_sub(1, Ordering::SeqCst);
        done
    }
}

/// Is done on one host after all others.
struct Behind {
    last: &'static str,
    others: Semaphore,
    order: Arc<Mutex<Vec<String>>>,
}

impl Verb for Behind {
    type Output = String;

    async fn on(&self, remote: &Remote) -> Result<String, VerbError> {
        if &**remote.name() == self.last {
            self.others.acquire_many(2).await.unwrap().forget();
        }
        remote.stat("/").await?;
        let name = remote.name().to_string();
        self.order.lock().unwrap().push(name.clone());
        self.others.add_permits(1);
        Ok(name)
    }
}

fn local(names: &[&str]) -> Vec<Host> {
    let names = names.iter().map(|name| format!("local:{name}"));
    names.map(|name| Host::new(&name).unwrap()).collect()
}

#[tokio::test]
async fn answers_come_in_host_order_whoever_is_first() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["c", "a", "b"]), &reach).await;
    let order = Arc::default();
    let behind = Behind {
        last: "local:c",
        others: Semaphore::new(0),
        order: Arc::clone(&order),
    };
    let answers = session.ask(behind).await;
    let hosts: Vec<_> = answers.iter().map(|(host, _)| &**host).collect();
    assert_eq!(hosts, ["local:c", "local:a", "local:b"]);
    for (host, answer) in &answers {
        assert_eq!(answer.as_ref().unwrap(), &**host);
    }
    assert_eq!(order.lock().unwrap()[2], "local:c");
    session.close().await;
    drop(reach);
    leaks.end().await;
}

#[tokio::test]
async fn what_came_of_a_command_is_no_error_on_many_hosts_unless_it_is_asked_for() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["a", "b"]), &reach).await;
    for (_, answer) in session.run(["false"]).await {
        assert!(!answer.unwrap().is_ok());
    }
    for (_, answer) in session.ask(Run::new(["false"])).await {
        assert!(matches!(answer, Err(VerbError::Failed(_))), "{answer:?}");
    }
    session.close().await;
    drop(reach);
    leaks.end().await;
}

#[tokio::test]
async fn what_is_read_once_is_the_input_of_one_host() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["a", "b", "c"]), &reach).await;
    let input = Input::reader(&b"once"[..]);
    let answers = session.ask(Run::new(["cat"]).input(input)).await;
    let (fed, not): (Vec<_>, Vec<_>) = answers.iter().partition(|(_, answer)| answer.is_ok());
    let [(_, Ok(fed))] = fed[..] else {
        panic!("{fed:?}");
    };
    assert_eq!(fed.stdout, "once");
    for (_, answer) in not {
        assert!(matches!(answer, Err(VerbError::Input { .. })), "{answer:?}");
    }
    session.close().await;
    drop(reach);
    leaks.end().await;
}

#[tokio::test]
async fn each_host_says_by_its_name_how_far_it_is() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["a", "b", "c"]), &reach).await;
    for size in [10, 1024 * 1024] {
        // There is room for the last words only.
        let (told, mut hears) = convoke::mpsc::channel::<Progress>(3);
        let upload = Upload::new("file", vec![b'x'; size]).unsynced();
        let answers = session.ask(upload.progress(told)).await;
        let mut last = BTreeMap::<String, u64>::new();
        while let Some(progress) = hears.recv().await {
            last.insert(progress.host.to_string(), progress.sent);
        }
        let sizes = answers
            .iter()
            .map(|(host, stored)| (host.to_string(), stored.as_ref().unwrap().size));
        assert_eq!(last, sizes.collect());
        assert_eq!(last["local:b"], size as u64);
    }
    // More hosts than the queue has room for: nobody waits for whoever listens.
    let (told, mut hears) = convoke::mpsc::channel::<Progress>(1);
    let upload = Upload::new("file", "x").unsynced().progress(told);
    let answers = session.ask(upload).await;
    assert!(answers.iter().all(|(_, stored)| stored.is_ok()));
    assert_eq!(hears.recv().await.unwrap().sent, 1);
    session.close().await;
    drop(reach);
    leaks.end().await;
}

#[tokio::test]
async fn a_flight_goes_to_all_hosts() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["a", "b"]), &reach).await;
    for (_, answers) in session.batch(["/", "/missing"].map(Exists::at)).await {
        let answers = answers.unwrap().into_iter().map(Result::unwrap);
        assert_eq!(answers.collect::<Vec<_>>(), [true, false]);
    }
    let mut batch = Batch::new();
    let cwd = batch.add(Cwd);
    for (_, answers) in session.flight(batch).await {
        let cwd = answers.unwrap().take(cwd).unwrap();
        assert_eq!(cwd, home.path().to_str().unwrap());
    }
    session.close().await;
    drop(reach);
    leaks.end().await;
}

#[tokio::test]
async fn a_host_that_cannot_be_opened_answers_so_and_the_others_are_not_kept() {
    let fleet = Fleet::start();
    let refusing = fleet.refusing();
    fleet.alias("gone", refusing.address());
    let hosts =
        ["h1", "gone", "h2"].map(|name| Host::new(&format!("ssh+native://{name}")).unwrap());
    let reach = fleet_reach(&fleet);
    let session = Session::open(hosts, &reach).await;
    for _ in 0..2 {
        let answers = session.run(["echo", "here"]).await;
        let [one, gone, two] = &answers[..] else {
            panic!("{answers:?}");
        };
        for (host, answer) in [one, two] {
            assert_eq!(answer.as_ref().unwrap().stdout, "here\n", "{host}");
        }
        assert!(matches!(gone.1, Err(VerbError::Unreachable(_))), "{gone:?}");
        assert_eq!(&*gone.0, "ssh+native://gone");
    }
    session.close().await;
    drop(reach);
    listener_alone(&fleet).await;
}

#[tokio::test]
async fn a_panic_on_one_host_touches_no_other() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["a", "b", "c"]), &reach).await;
    let answers = session
        .ask(Fussy {
            dislikes: "local:b",
        })
        .await;
    let words: Vec<_> = answers
        .iter()
        .map(|(_, answer)| match answer {
            Ok(()) => "fine",
            Err(VerbError::Crashed { text }) if text.contains("not there") => "crashed",
            Err(other) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(words, ["fine", "crashed", "fine"]);
    for (_, answer) in session.exists("/").await {
        assert!(answer.unwrap(), "its connection is as good as before");
    }
    session.close().await;
    drop(reach);
    leaks.end().await;
}

#[tokio::test]
async fn no_more_hosts_are_worked_on_at_once_than_may_be() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["a", "b", "c", "d", "e"]), &reach).await;
    let counts = Counts::default();
    for (_, answer) in session.clone().fanout(2).ask(counts.clone()).await {
        answer.unwrap();
    }
    assert_eq!(counts.peak.load(Ordering::SeqCst), 2);
    session.close().await;
    drop(reach);
    leaks.end().await;
}

#[tokio::test]
async fn a_scope_holds_on_all_hosts_and_in_no_other_handle() {
    let leaks = Leaks::begin();
    let home = tempfile::tempdir().unwrap();
    let reach = local_reach(&leaks, home.path(), "/usr/bin:/bin");
    let session = Session::open(local(&["a", "b"]), &reach).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let scoped = session.within(&Scope::new().cwd(path).file_mode(0o640));
    let upload = Upload::new("file", "from both").unsynced();
    for (_, answer) in scoped.ask(upload).await {
        assert_eq!(answer.unwrap().path, format!("{path}/file"));
    }
    let mode = fs::metadata(directory.path().join("file"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    for (_, answer) in session.cwd().await {
        assert_eq!(answer.unwrap(), home.path().to_str().unwrap());
    }
    drop(scoped);
    session.close().await;
    drop(reach);
    leaks.end().await;
}
