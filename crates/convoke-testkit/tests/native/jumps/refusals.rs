//! A hop that lets nobody in, is not the right one, or leads no further.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoke_connect::ask::{Ask, Question, Unanswered, Zeroizing};
use convoke_connect::connector::Ending;
use convoke_connect::error::{Again, ConnectErrorKind as Kind};
use convoke_connect::future::BoxFuture;
use convoke_testkit::fleet::{Fleet, Known};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Map, at_once, logins, visits};
use crate::{Answers, end};

#[tokio::test]
async fn a_gate_that_lets_nobody_in_is_asked_once() {
    let gate = Fleet::builder().option("LogLevel VERBOSE").start();
    let far = Fleet::start();
    let stranger = format!("IdentityFile {}", far.identity().display());
    let mut map = Map::default().host("gate", (&gate, 1), &[]);
    map.0 = map.0.replace(
        &format!("IdentityFile {}", gate.identity().display()),
        &stranger,
    );
    let map = map.host("far", (&far, 1), &["ProxyJump gate"]).host(
        "other",
        (&far, 2),
        &["ProxyJump gate"],
    );
    let client = Arc::new(map.client(&gate));
    let before = visits(&gate);
    let mut hosts = JoinSet::new();
    for n in 0..20 {
        let client = Arc::clone(&client);
        let host = if n % 2 == 0 { "far" } else { "other" };
        hosts.spawn(async move { client.refused(host).await });
    }
    let mut errors = hosts.join_all().await;
    errors.push(client.refused("far").await);
    for error in errors {
        assert_eq!(error.kind, Kind::Authentication, "{error}");
        assert_eq!(error.again, Again::Pointless);
        assert!(
            error.text.starts_with("through gate: permission denied to"),
            "{error}"
        );
        assert!(error.hint.is_some());
    }
    assert_eq!(visits(&gate) - before, 1, "{}", gate.log());
    assert_eq!(logins(&far), 0);
}

#[tokio::test]
async fn the_password_of_a_gate_is_asked_for_once() {
    let gate = match Fleet::builder().password("secret").try_start() {
        Ok(gate) => gate,
        Err(unavailable) => return eprintln!("skipped 1: {unavailable}"),
    };
    let far = Fleet::start();
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("far", (&far, 1), &["ProxyJump gate"])
        .client(&gate);
    let question = format!(
        "{}@{}'s password (jump host gate)",
        gate.account(),
        gate.address(1)
    );
    let ask = Answers::of(&[(&question, "secret")]);
    let opening = (0..10).map(|_| client.asking("far", "true", &ask));
    for pipes in at_once(opening).await {
        assert_eq!(end(pipes.unwrap()).await, Ending::Exited { code: 0 });
    }
    assert_eq!(ask.asked(), [question.as_str()]);
    // A wrong answer is final, too.
    let Map(text) = Map(fs::read_to_string(gate.directory().join("map")).unwrap());
    let client = Map(text).client(&gate);
    let ask = Answers::of(&[(&question, "wrong")]);
    let opening = (0..10).map(|_| client.asking("far", "true", &ask));
    for refused in at_once(opening).await {
        let error = refused.expect_err("it was let in");
        assert_eq!(error.kind, Kind::Authentication, "{error}");
        assert!(error.text.starts_with("through gate: "), "{error}");
    }
    let tries = gate.log().matches("Failed password").count();
    assert!((1..=3).contains(&tries), "{}", gate.log());
}

/// Hears questions, and never answers.
#[derive(Default)]
struct Speechless(Notify);

impl Ask for Speechless {
    fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        self.0.notify_one();
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_gate_whose_login_was_given_up_is_not_asked_again_and_is_named() {
    let gate = Fleet::builder()
        .option("LogLevel VERBOSE")
        .option("PasswordAuthentication yes")
        .option("PubkeyAuthentication no")
        .start();
    let far = Fleet::start();
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("mid", (&far, 1), &["ProxyJump gate"])
        .host("far", (&far, 2), &["ProxyJump mid"])
        .host("other", (&far, 3), &["ProxyJump gate"])
        .client(&gate);
    let before = visits(&gate);
    let speechless = Speechless::default();
    tokio::select! {
        _ = client.asking("far", "true", &speechless) => panic!("it was let in"),
        () = speechless.0.notified() => {}
    }
    let words = "through gate: no answer while logging in";
    let waits = client.trail.waits().unwrap();
    assert_eq!(waits.explain("no answer"), words);
    for host in ["other", "far", "other"] {
        let error = client.refused(host).await;
        assert_eq!((error.kind, error.again), (Kind::Timeout, Again::Pointless));
        assert_eq!(error.text, words, "{host}");
    }
    assert_eq!(visits(&gate) - before, 1, "{}", gate.log());
}

#[tokio::test]
async fn a_gate_that_was_given_up_before_the_login_is_tried_again() {
    let fleet = Fleet::start();
    let hanging = fleet.hanging();
    let port = format!("Port {}", hanging.address().port());
    let address = format!("HostName {}", hanging.address().ip());
    let client = Map::default()
        .host("gate", (&fleet, 1), &[&address, &port])
        .host("far", (&fleet, 2), &["ProxyJump gate"])
        .client(&fleet);
    for _ in 0..2 {
        let brief = Duration::from_millis(200);
        let opening = tokio::time::timeout(brief, client.open("far", "true"));
        assert!(opening.await.is_err());
        let waits = client.trail.waits().unwrap();
        let words = "through gate: no answer while waiting for its greeting";
        assert_eq!(waits.explain("no answer"), words);
    }
}

#[tokio::test]
async fn a_gate_that_is_not_known_hears_nothing() {
    let gate = Fleet::builder()
        .option("LogLevel VERBOSE")
        .known(Known::Unknown)
        .start();
    let far = Fleet::start();
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("far", (&far, 1), &["ProxyJump gate"])
        .client(&gate);
    let before = visits(&gate);
    for _ in 0..3 {
        let error = client.refused("far").await;
        assert_eq!(error.kind, Kind::HostKeyUnknown);
        assert!(
            error
                .text
                .starts_with("through gate: the host key is not known"),
            "{error}"
        );
    }
    assert_eq!(visits(&gate) - before, 1);
    assert!(!gate.log().contains("authenticating"), "{}", gate.log());
}

#[tokio::test]
async fn a_gate_that_is_not_known_is_asked_about_and_then_the_host_behind_it() {
    let unknown = || Fleet::builder().known(Known::Unknown).start();
    let (gate, far) = (unknown(), unknown());
    let map = || {
        Map::default()
            .host("gate", (&gate, 1), &["StrictHostKeyChecking ask"])
            .host(
                "far",
                (&far, 1),
                &["ProxyJump gate", "StrictHostKeyChecking ask"],
            )
    };
    // Whoever says no is told of the gate.
    let client = map().client(&gate);
    let no = Answering::new("no");
    let error = client.asking("far", "true", &no).await.expect_err("in");
    let words = "through gate: the host key is not known";
    assert!(error.text.starts_with(words), "{error}");
    let hint = error.hint.unwrap();
    assert!(hint.starts_with("`convoke trust gate`"), "{hint}");
    let client = map().client(&gate);
    let yes = Answering::new("yes");
    let pipes = client.asking("far", "true", &yes).await.unwrap();
    assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
    let asked = yes.asked.lock().unwrap().clone();
    let names = [&gate, &far].map(|fleet| format!("[{}]:{}", fleet.address(1), fleet.port()));
    assert_eq!(asked.len(), 2, "{asked:?}");
    for (asked, name) in asked.iter().zip(names) {
        assert!(asked.contains(&name), "{asked}");
    }
    assert_eq!([logins(&gate), logins(&far)], [1, 1]);
}

/// Gives one answer to everything.
struct Answering {
    answer: &'static str,
    asked: Mutex<Vec<String>>,
}

impl Answering {
    fn new(answer: &'static str) -> Self {
        let asked = Mutex::default();
        Answering { answer, asked }
    }
}

impl Ask for Answering {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        self.asked.lock().unwrap().push(question.what.clone());
        let answer = Zeroizing::new(self.answer.to_owned());
        Box::pin(std::future::ready(Ok(answer)))
    }
}

#[tokio::test]
async fn a_gate_that_is_not_there_may_be_tried_again() {
    let far = Fleet::start();
    let refusing = far.refusing();
    let port = format!("Port {}", refusing.address().port());
    let address = format!("HostName {}", refusing.address().ip());
    let client = Map::default()
        .host("gate", (&far, 1), &[&address, &port])
        .host("mid", (&far, 2), &["ProxyJump gate"])
        .host("far", (&far, 3), &["ProxyJump mid"])
        .client(&far);
    let error = client.refused("far").await;
    assert_eq!((error.kind, error.again), (Kind::Refused, Again::MayHelp));
    assert!(
        error.text.starts_with("through gate: ssh: connect to host"),
        "{error}"
    );
}

#[tokio::test]
async fn a_gate_says_why_it_cannot_connect_further() {
    let gate = Fleet::builder().option("PermitOpen none").start();
    let open = Fleet::start();
    let refusing = open.refusing();
    let port = format!("Port {}", refusing.address().port());
    let address = format!("HostName {}", refusing.address().ip());
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("open", (&open, 1), &[])
        .host("prohibited", (&open, 2), &["ProxyJump gate"])
        .host("refusing", (&open, 3), &["ProxyJump open", &address, &port])
        .host(
            "nowhere",
            (&open, 4),
            &["ProxyJump open", "HostName no-such.invalid"],
        )
        .client(&gate);
    for (host, kind, words) in [
        (
            "prohibited",
            Kind::NoRoute,
            "through gate: open failed: administratively prohibited",
        ),
        (
            "refusing",
            Kind::Refused,
            "through open: open failed: connect failed: Connection refused",
        ),
        (
            "nowhere",
            Kind::NoRoute,
            "through open: open failed: connect failed: ",
        ),
    ] {
        let error = client.refused(host).await;
        assert_eq!(error.kind, kind, "{host}: {error}");
        assert!(error.text.starts_with(words), "{host}: {error}");
    }
    // Many at once each hear their own answer.
    let mut all = JoinSet::new();
    let client = Arc::new(client);
    for n in 0..40 {
        let client = Arc::clone(&client);
        let (host, words) = match n % 2 {
            0 => ("refusing", "Connection refused"),
            _ => ("nowhere", "service not known"),
        };
        all.spawn(async move { (client.refused(host).await, words) });
    }
    for (error, words) in all.join_all().await {
        assert!(error.text.contains(words), "{words}: {error}");
    }
}
