//! One connection to a hop, for all behind it.

use std::sync::Arc;
use std::time::Duration;

use convoke_connect::connector::Ending;
use convoke_testkit::fleet::Fleet;
use convoke_testkit::leak::Leaks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::{Map, logins, says};
use crate::{Client, PATIENCE, end, there_and_back};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_that_are_not_read_hold_up_no_other() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let mut map = Map::default()
        .host("gate", (&gate, 1), &[])
        .host("loud", (&far, 1), &["ProxyJump gate"])
        .host("far", (&far, 2), &["ProxyJump gate"]);
    // More than what the gate may be given at once would have room for.
    let deaf = 3..=22;
    for n in deaf.clone() {
        map = map.host(&format!("deaf{n}"), (&far, n), &["ProxyJump gate"]);
    }
    let client = Arc::new(map.client(&gate));
    let size = 40_000_000;
    let mut loud = client
        .open("loud", &format!("head -c {size} /dev/zero"))
        .await
        .unwrap();
    let mut all = JoinSet::new();
    for n in deaf {
        let client = Arc::clone(&client);
        all.spawn(async move {
            let opened = client.open(&format!("deaf{n}"), "read x; wc -c").await;
            let mut deaf = opened.unwrap();
            let filling = async {
                let full = vec![b'x'; 1_000_000];
                loop {
                    deaf.writer.write_all(&full).await.unwrap();
                }
            };
            // Until nothing more is taken.
            let filled = tokio::time::timeout(Duration::from_secs(3), filling).await;
            assert!(filled.is_err());
            deaf
        });
    }
    let _deaf = all.join_all().await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn much_goes_through_two_hops_unchanged() {
    let (gate, mid, far) = (Fleet::start(), Fleet::start(), Fleet::start());
    let client = Map::default()
        .host("gate", (&gate, 1), &["RekeyLimit 1M"])
        .host("mid", (&mid, 1), &["RekeyLimit 3M"])
        .host("far", (&far, 1), &["ProxyJump gate,mid"])
        .client(&gate);
    let begin = std::time::Instant::now();
    there_and_back(&client, "far", 20_000_000).await;
    println!("20 MB there and back in {:?}", begin.elapsed());
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
