//! Hosts behind other hosts: the same ways as of the system's ssh, over one connection to each hop.

mod refusals;
mod shared;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::task::Poll;

use convoke_connect::connector::{Connector as _, Ending};
use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::Fleet;

use crate::Client;

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
async fn at_once<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
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
