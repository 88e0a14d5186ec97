//! What keeps a connection in order while it stands: new keys, and the question whether the server lives.

use std::time::{Duration, Instant};

use convoke_connect::connector::Ending;
use convoke_testkit::fleet::Fleet;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Client, PATIENCE, end, there_and_back};

/// How often keys were exchanged.
fn exchanges(fleet: &Fleet) -> usize {
    fleet.log().matches("rekey out after").count()
}

#[tokio::test]
async fn keys_are_exchanged_again_after_as_many_bytes_as_configured() {
    let fleet = Fleet::builder().option("LogLevel DEBUG1").start();
    let length = 10 * 1024 * 1024;
    there_and_back(&Client::new(&fleet), "h1", length).await;
    let usual = exchanges(&fleet);
    println!("{usual} exchanges of one connection");
    there_and_back(&Client::with(&fleet, &["RekeyLimit=1M"]), "h1", length).await;
    let more = exchanges(&fleet) - usual;
    println!("{more} exchanges with RekeyLimit 1M");
    assert!(more > usual + 5, "{more}");
    // A server may want it, too, also at the same time.
    let fleet = Fleet::builder().option("RekeyLimit 1M").start();
    there_and_back(&Client::new(&fleet), "h1", length).await;
    there_and_back(&Client::with(&fleet, &["RekeyLimit=1M"]), "h1", length).await;
}

#[tokio::test]
async fn keys_are_exchanged_again_after_a_time_even_if_nothing_is_sent() {
    let fleet = Fleet::builder().option("LogLevel DEBUG1").start();
    let client = Client::with(&fleet, &["RekeyLimit=default 1"]);
    let mut pipes = client.open("h1", "cat").await.unwrap();
    pipes.writer.write_all(b"a").await.unwrap();
    assert_eq!(pipes.reader.read_u8().await.unwrap(), b'a');
    let before = exchanges(&fleet);
    let deadline = Instant::now() + PATIENCE;
    while exchanges(&fleet) < before + 2 {
        assert!(Instant::now() < deadline, "keys are not exchanged again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    pipes.writer.write_all(b"b").await.unwrap();
    assert_eq!(pipes.reader.read_u8().await.unwrap(), b'b');
    assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
}

#[tokio::test]
async fn a_server_that_has_stopped_is_given_up_in_its_time_with_the_words_of_ssh() {
    let fleet = Fleet::start();
    let alone = fleet.processes();
    let client = Client::with(&fleet, &["ServerAliveInterval=1", "ServerAliveCountMax=2"]);
    let mut pipes = client.open("h1", "echo in; exec sleep 4242").await.unwrap();
    let mut word = [0; 3];
    pipes.reader.read_exact(&mut word).await.unwrap();
    // It lives for longer than the window, since it answers.
    let silence = tokio::time::timeout(Duration::from_secs(4), pipes.reader.read_u8());
    assert!(silence.await.is_err(), "a server that answers was given up");
    let sessions: Vec<u32> = fleet.processes();
    for pid in sessions.iter().filter(|pid| !alone.contains(pid)) {
        let pid = Pid::from_raw(*pid as i32).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
    }
    let begin = Instant::now();
    assert_eq!(pipes.reader.read(&mut word).await.unwrap(), 0);
    let took = begin.elapsed();
    // Asked after 1 and 2 s at the earliest, given up when a third answer would be missing.
    assert!(
        (Duration::from_millis(1900)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
    let Ending::Unknown { remark } = end(pipes).await else {
        panic!("nobody knows how it ended");
    };
    let words = format!("Timeout, server {} not responding.", fleet.address(1));
    assert!(remark.contains(&words), "{remark}");
    fleet.kill_sessions();
}

#[tokio::test]
async fn a_connection_comes_from_the_address_that_is_configured() {
    let fleet = Fleet::start();
    let from = fleet.address(7);
    let client = Client::with(&fleet, &[&format!("BindAddress={from}")]);
    let said = client.said("h1", "echo $SSH_CONNECTION").await.unwrap().0;
    assert!(said.starts_with(&format!("{from} ")), "{said}");
}
