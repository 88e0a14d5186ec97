//! Hosts behind other hosts: the same ways as of the system's ssh, over one connection to each hop.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use convoke_connect::connector::{Connector as _, Ending};
use convoke_connect::error::{Again, ConnectErrorKind as Kind};
use convoke_testkit::fleet::{Fleet, Known};
use convoke_testkit::leak::Leaks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::{Answers, Client, PATIENCE, end};

/// A configuration of several fleets.
#[derive(Default)]
struct Map(String);

impl Map {
    /// Host `n` of a fleet under a name, with options of its own before those of the fleet.
    fn host(mut self, name: &str, (fleet, n): (&Fleet, usize), options: &[&str]) -> Self {
        writeln!(self.0, "Host {name}").unwrap();
        for option in options {
            writeln!(self.0, "  {option}").unwrap();
        }
        let known = fleet.known_hosts();
        writeln!(
            self.0,
            "  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}",
            fleet.address(n),
            fleet.port(),
            fleet.account(),
            fleet.identity().display(),
            known.display(),
        )
        .unwrap();
        self
    }

    /// Written into the directory of a fleet.
    fn write(mut self, fleet: &Fleet) -> PathBuf {
        self.0 += "Host *
  IdentitiesOnly yes
  IdentityAgent none
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no\n";
        let path = fleet.directory().join("map");
        fs::write(&path, self.0).unwrap();
        path
    }

    fn client(self, fleet: &Fleet) -> Client {
        Client::by(self.write(fleet), &[])
    }
}

/// How often somebody has logged in there.
fn logins(fleet: &Fleet) -> usize {
    fleet.log().matches("Accepted publickey").count()
}

/// How many connections there have been that tried to log in.
fn visits(fleet: &Fleet) -> usize {
    fleet.log().matches("Connection from ").count()
}

/// All of them at once, on this task.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| Box::pin(one)).collect();
    let mut ended: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (one, ended) in all.iter_mut().zip(&mut ended) {
            if ended.is_none()
                && let Poll::Ready(output) = one.as_mut().poll(context)
            {
                *ended = Some(output);
            }
        }
        match ended.iter().all(Option::is_some) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    ended.into_iter().flatten().collect()
}

async fn says(client: &Client, host: &str, word: &str) {
    let said = client.said(host, &format!("echo {word}")).await;
    let expected = (format!("{word}\n"), Ending::Exited { code: 0 });
    assert_eq!(said.unwrap(), expected, "{host}");
}

/// What the system's ssh says, too.
fn also(client: &Client, host: &str) -> (String, String) {
    let output = client.ssh(host).arg("echo also").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn two_hops_lead_to_a_host() {
    let (gate, mid, far) = (Fleet::start(), Fleet::start(), Fleet::start());
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("mid", (&mid, 1), &[])
        .host("far", (&far, 1), &["ProxyJump gate,mid"])
        .client(&gate);
    says(&client, "far", "a").await;
    says(&client, "far", "b").await;
    assert_eq!([logins(&gate), logins(&mid), logins(&far)], [1, 1, 2]);
    assert_eq!(also(&client, "far").0, "also\n");
    let endpoint = "ssh+native://far".parse().unwrap();
    let route = client.native.route(&endpoint, &client.surroundings).await;
    let first = format!("{}:{}", gate.address(1), gate.port());
    assert_eq!(route.unwrap().server, Some(first));
}

#[tokio::test]
async fn what_is_written_of_a_hop_wins_over_its_configuration() {
    let (gate, mid, far) = (Fleet::start(), Fleet::start(), Fleet::start());
    let nobody = ["Port 1", "User nobody-here"];
    let jump = format!(
        "ProxyJump {1}@gate:{0},ssh://{1}@mid:{2},{1}@{3}:{4}",
        gate.port(),
        gate.account(),
        mid.port(),
        gate.address(2),
        gate.port(),
    );
    let client = Map::default()
        .host("gate", (&gate, 1), &nobody)
        .host("mid", (&mid, 1), &nobody)
        .host(&gate.address(2).to_string(), (&gate, 2), &nobody)
        .host("far", (&far, 1), &[&jump])
        .client(&gate);
    says(&client, "far", "x").await;
    assert_eq!([logins(&gate), logins(&mid), logins(&far)], [2, 1, 1]);
    assert_eq!(also(&client, "far").0, "also\n");
}

#[tokio::test]
async fn the_first_of_proxy_options_decides_and_none_is_one() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("none", (&far, 1), &["ProxyJump none", "ProxyJump gate"])
        .host("jump", (&far, 2), &["ProxyJump gate", "ProxyCommand false"])
        .host(
            "command",
            (&far, 3),
            &["ProxyCommand none", "ProxyJump gate"],
        )
        .client(&gate);
    for (host, over) in [("none", 0), ("command", 0), ("jump", 1)] {
        says(&client, host, "x").await;
        assert_eq!(logins(&gate), over, "{host}");
    }
    for host in ["none", "jump", "command"] {
        assert_eq!(also(&client, host).0, "also\n", "{host}");
    }
}

#[tokio::test]
async fn a_hop_is_reached_as_its_own_configuration_says_unless_more_is_written() {
    let (gate, mid, far) = (Fleet::start(), Fleet::start(), Fleet::start());
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("other", (&gate, 2), &[])
        .host("mid", (&mid, 1), &["ProxyJump gate"])
        .host("lost", (&mid, 2), &["ProxyCommand false"])
        .host("far", (&far, 1), &["ProxyJump mid"])
        .host("written", (&far, 2), &["ProxyJump other,lost"])
        .client(&gate);
    says(&client, "far", "x").await;
    assert_eq!([logins(&gate), logins(&mid)], [1, 1]);
    says(&client, "written", "x").await;
    assert_eq!([logins(&gate), logins(&mid)], [2, 2]);
    assert_eq!(also(&client, "far").0, "also\n");
    assert_eq!(also(&client, "written").0, "also\n");
}

#[tokio::test]
async fn options_are_for_the_host_and_not_for_its_hops() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let map = Map::default()
        .host(
            "gate",
            (&gate, 1),
            &["ForwardAgent yes", "LocalForward 1 x:1"],
        )
        .host("far", (&far, 1), &["User nobody-here"]);
    let user = format!("User={}", far.account());
    let client = Client::by(map.write(&gate), &["ProxyJump=gate", &user]);
    says(&client, "far", "x").await;
    assert_eq!([logins(&gate), logins(&far)], [1, 1]);
    assert_eq!(also(&client, "far").0, "also\n");
}

#[tokio::test]
async fn a_loop_is_an_error_that_names_it() {
    let fleet = Fleet::start();
    let itself = format!("ProxyJump {}:{}", fleet.address(4), fleet.port());
    let client = Map::default()
        .host("a", (&fleet, 1), &["ProxyJump b"])
        .host("b", (&fleet, 2), &["ProxyJump c"])
        .host("c", (&fleet, 3), &["ProxyJump a"])
        .host("itself", (&fleet, 4), &[&itself])
        .host("tokens", (&fleet, 5), &["ProxyJump x%n"])
        .host("x*", (&fleet, 6), &["ProxyJump x%n"])
        .client(&fleet);
    for (host, named) in [
        ("a", "via b"),
        ("itself", "via 127."),
        ("tokens", "via xxxx"),
    ] {
        let error = client.refused(host).await;
        assert_eq!(error.kind, Kind::Configuration, "{host}: {error}");
        assert!(error.text.contains("jumphost loop"), "{host}: {error}");
        assert!(error.text.contains(named), "{host}: {error}");
    }
    assert!(also(&client, "itself").1.contains("jumphost loop via"));
    assert_eq!(logins(&fleet), 0);
}

#[tokio::test]
async fn a_hop_that_needs_more_leaves_the_host_to_the_systems_ssh() {
    let fleet = Fleet::start();
    let client = Map::default()
        .host("gate", (&fleet, 1), &["PKCS11Provider /x"])
        .host("mid", (&fleet, 2), &["ProxyJump gate"])
        .host("far", (&fleet, 3), &["ProxyJump mid"])
        .host("shell", (&fleet, 4), &["ProxyJump $HOME"])
        .client(&fleet);
    for (host, words) in [
        ("far", "pkcs11provider /x, of the jump host gate"),
        ("shell", "proxyjump $HOME"),
    ] {
        let error = client.refused(host).await;
        assert_eq!(error.kind, Kind::Configuration, "{host}: {error}");
        assert!(error.text.contains(words), "{host}: {error}");
    }
}

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
    let question = format!("{}@{}'s password", gate.account(), gate.address(1));
    let ask = Answers::of(&[(&question, "secret")]);
    let opening = (0..10).map(|_| client.asking("far", "true", &ask));
    for pipes in futures(opening).await {
        assert_eq!(end(pipes.unwrap()).await, Ending::Exited { code: 0 });
    }
    assert_eq!(ask.asked(), [question.as_str()]);
    // A wrong answer is final, too.
    let Map(text) = Map(fs::read_to_string(gate.directory().join("map")).unwrap());
    let client = Map(text).client(&gate);
    let ask = Answers::of(&[(&question, "wrong")]);
    let opening = (0..10).map(|_| client.asking("far", "true", &ask));
    for refused in futures(opening).await {
        let error = refused.expect_err("it was let in");
        assert_eq!(error.kind, Kind::Authentication, "{error}");
        assert!(error.text.starts_with("through gate: "), "{error}");
    }
    let tries = gate.log().matches("Failed password").count();
    assert!((1..=3).contains(&tries), "{}", gate.log());
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

#[tokio::test]
async fn a_crowd_behind_a_bastion_is_one_connection_there() {
    let gate = Fleet::builder()
        .max_startups("10:30:100")
        .max_sessions(1)
        .start();
    let far = Fleet::builder().max_startups("10:30:100").start();
    let hosts = 300;
    let mut map = Map::default().host("gate", (&gate, 1), &[]);
    for n in 1..=hosts {
        map = map.host(&format!("far{n}"), (&far, n), &["ProxyJump gate"]);
    }
    let client = Arc::new(map.client(&gate));
    let begin = std::time::Instant::now();
    let mut all = JoinSet::new();
    // As many at once as the engine makes to one server.
    let places = Arc::new(tokio::sync::Semaphore::new(8));
    for n in 1..=hosts {
        let (client, places) = (Arc::clone(&client), Arc::clone(&places));
        all.spawn(async move {
            let place = places.acquire_owned().await.unwrap();
            let mut pipes = client
                .open(&format!("far{n}"), "echo in; cat")
                .await
                .unwrap();
            let mut word = [0; 3];
            pipes.reader.read_exact(&mut word).await.unwrap();
            drop(place);
            // All stay open until the last is there.
            (n, pipes)
        });
    }
    let open = all.join_all().await;
    println!("{hosts} behind one gate in {:?}", begin.elapsed());
    assert_eq!([logins(&gate), logins(&far)], [1, hosts]);
    for (n, mut pipes) in open {
        pipes
            .writer
            .write_all(format!("{n}\n").as_bytes())
            .await
            .unwrap();
        let mut answer = vec![0; format!("{n}\n").len()];
        pipes.reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, format!("{n}\n").as_bytes());
        assert_eq!(end(pipes).await, Ending::Exited { code: 0 }, "{n}");
    }
}

#[tokio::test]
async fn all_at_once_share_the_first_connection() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let mut map = Map::default().host("gate", (&gate, 1), &[]);
    for n in 1..=40 {
        map = map.host(&format!("far{n}"), (&far, n), &["ProxyJump gate"]);
    }
    let client = Arc::new(map.client(&gate));
    let mut all = JoinSet::new();
    for n in 1..=40 {
        let client = Arc::clone(&client);
        all.spawn(async move { says(&client, &format!("far{n}"), "x").await });
    }
    all.join_all().await;
    assert_eq!([logins(&gate), logins(&far)], [1, 40]);
}

#[tokio::test]
async fn a_host_that_is_not_read_holds_up_no_other() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("loud", (&far, 1), &["ProxyJump gate"])
        .host("deaf", (&far, 2), &["ProxyJump gate"])
        .host("far", (&far, 3), &["ProxyJump gate"])
        .client(&gate);
    let size = 40_000_000;
    let mut loud = client
        .open("loud", &format!("head -c {size} /dev/zero"))
        .await
        .unwrap();
    let mut deaf = client.open("deaf", "read x; wc -c").await.unwrap();
    let filling = async {
        let full = vec![b'x'; 1_000_000];
        loop {
            deaf.writer.write_all(&full).await.unwrap();
        }
    };
    // Until nothing more is taken.
    assert!(
        tokio::time::timeout(Duration::from_secs(2), filling)
            .await
            .is_err()
    );
    let begin = std::time::Instant::now();
    for n in 0..10 {
        says(&client, "far", &n.to_string()).await;
    }
    println!("10 others in {:?}", begin.elapsed());
    let mut all = Vec::new();
    loud.reader.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), size);
    assert_eq!(end(loud).await, Ending::Exited { code: 0 });
    assert_eq!(logins(&gate), 1);
}

#[tokio::test]
async fn much_goes_through_two_hops_unchanged() {
    let (gate, mid, far) = (Fleet::start(), Fleet::start(), Fleet::start());
    let client = Map::default()
        .host("gate", (&gate, 1), &["RekeyLimit 1M"])
        .host("mid", (&mid, 1), &["RekeyLimit 3M"])
        .host("far", (&far, 1), &["ProxyJump gate,mid"])
        .client(&gate);
    let sent: Vec<u8> = (0..20_000_000_usize).map(|n| (n * n % 251) as u8).collect();
    let mut pipes = client.open("far", "cat").await.unwrap();
    let mut came = Vec::with_capacity(sent.len());
    let begin = std::time::Instant::now();
    let writing = async {
        pipes.writer.write_all(&sent).await.unwrap();
        pipes.writer.shutdown().await.unwrap();
    };
    let both = async { tokio::join!(pipes.reader.read_to_end(&mut came), writing) };
    let (read, ()) = tokio::time::timeout(PATIENCE, both)
        .await
        .expect("it hangs");
    read.unwrap();
    println!("20 MB there and back in {:?}", begin.elapsed());
    assert!(came == sent, "{} bytes came", came.len());
    assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
}

#[tokio::test]
async fn when_the_gate_dies_all_behind_it_end_and_say_so() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let mut map = Map::default().host("gate", (&gate, 1), &[]);
    for n in 1..=5 {
        map = map.host(&format!("far{n}"), (&far, n), &["ProxyJump gate"]);
    }
    let client = map.client(&gate);
    let mut open = Vec::new();
    for n in 1..=5 {
        let mut pipes = client
            .open(&format!("far{n}"), "echo in; exec sleep 4242")
            .await
            .unwrap();
        let mut word = [0; 3];
        pipes.reader.read_exact(&mut word).await.unwrap();
        open.push(pipes);
    }
    gate.kill_sessions();
    for mut pipes in open {
        assert_eq!(pipes.reader.read(&mut [0; 8]).await.unwrap(), 0);
        let Ending::Unknown { remark } = end(pipes).await else {
            panic!("nobody knows how it ended");
        };
        assert!(remark.contains("through gate: "), "{remark}");
    }
    // The next host has a new one.
    says(&client, "far1", "again").await;
    assert_eq!(logins(&gate), 2);
}

#[tokio::test]
async fn a_way_that_is_given_up_leaves_nothing() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let silent = far.silent();
    let port = format!("Port {}", silent.address().port());
    let address = format!("HostName {}", silent.address().ip());
    let map = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("far", (&far, 1), &["ProxyJump gate"])
        .host("silent", (&far, 2), &["ProxyJump gate", &address, &port])
        .write(&gate);
    let alone = [gate.processes(), far.processes()];
    // What ssh -G and the reading of accounts open once is not counted.
    says(&Client::by(map.clone(), &[]), "far", "x").await;
    for (host, after) in [
        ("silent", 300),
        ("far", 30),
        ("far", 100),
        ("far", 200),
        ("far", 2000),
    ] {
        let leaks = Leaks::begin();
        let client = Client::by(map.clone(), &[]);
        let limit = Duration::from_millis(after);
        let given_up = tokio::time::timeout(limit, client.open(host, "exec cat")).await;
        drop(given_up);
        drop(client);
        leaks.end().await;
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while [gate.processes(), far.processes()] != alone {
        assert!(
            std::time::Instant::now() < deadline,
            "somebody is still connected"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hop_stays_for_those_behind_it_and_goes_with_the_client() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let client = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("far", (&far, 1), &["ProxyJump gate"])
        .client(&gate);
    let alone = gate.processes();
    let mut pipes = client.open("far", "cat").await.unwrap();
    drop(client);
    assert_ne!(gate.processes(), alone);
    pipes.writer.write_all(b"x").await.unwrap();
    assert_eq!(pipes.reader.read_u8().await.unwrap(), b'x');
    assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
    while gate.processes() != alone {
        tokio::task::yield_now().await;
    }
}
