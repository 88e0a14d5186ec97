//! What goes through a connection, and its end.

use std::time::Duration;

use convoke_connect::connector::Ending;
use convoke_testkit::fleet::Fleet;
use convoke_testkit::leak::Leaks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Client, PATIENCE, end};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * n % 251) as u8).collect()
}

#[tokio::test]
async fn much_arrives_unchanged_both_ways() {
    let fleet = Fleet::start();
    let client = Client::new(&fleet);
    for length in [1024 * 1024, 50 * 1024 * 1024] {
        let sent = pattern(length);
        let mut pipes = client.open("h1", "cat").await.unwrap();
        let mut came = Vec::with_capacity(length);
        let writing = async {
            pipes.writer.write_all(&sent).await.unwrap();
            pipes.writer.shutdown().await.unwrap();
        };
        let (read, ()) = tokio::join!(pipes.reader.read_to_end(&mut came), writing);
        read.unwrap();
        assert!(came == sent, "{} of {length} bytes came", came.len());
        assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
    }
}

#[tokio::test]
async fn a_reader_that_waits_stops_the_sender() {
    let fleet = Fleet::start();
    let client = Client::new(&fleet);
    let command = "head -c 60000000 /dev/zero; echo done >&2";
    let mut pipes = client.open("h1", command).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(700), pipes.stderr.read_u8());
    assert!(early.await.is_err(), "the sender was not stopped");
    let mut output = Vec::new();
    pipes.reader.read_to_end(&mut output).await.unwrap();
    assert_eq!(output.len(), 60_000_000);
    let mut stderr = String::new();
    pipes.stderr.read_to_string(&mut stderr).await.unwrap();
    assert_eq!(stderr, "done\n");
}

#[tokio::test]
async fn dropping_the_writer_is_the_end_of_input() {
    let fleet = Fleet::start();
    let client = Client::new(&fleet);
    let mut pipes = client.open("h1", "cat; echo end").await.unwrap();
    pipes.writer.write_all(b"all\n").await.unwrap();
    pipes.writer = Box::new(tokio::io::sink());
    let mut output = String::new();
    pipes.reader.read_to_string(&mut output).await.unwrap();
    assert_eq!(output, "all\nend\n");
}

#[tokio::test]
async fn environment_is_sent_as_configured() {
    let fleet = Fleet::builder()
        .option("AcceptEnv LC_* GIVEN")
        .client_option("SendEnv LC_*")
        .client_option("SetEnv GIVEN=two_words")
        .start();
    let mut client = Client::new(&fleet);
    let ours = ("LC_CONVOKE".into(), "sent".into());
    client.surroundings.environment.push(ours);
    let (said, _) = client.said("h1", "echo $LC_CONVOKE $GIVEN").await.unwrap();
    assert_eq!(said, "sent two_words\n");
}

#[tokio::test]
async fn every_ending_is_told() {
    let fleet = Fleet::start();
    let client = Client::new(&fleet);
    for (command, truth) in [
        ("true", Ending::Exited { code: 0 }),
        ("exit 255", Ending::Exited { code: 255 }),
        ("kill -9 $$", Ending::Killed { signal: 9 }),
        ("kill -15 $$", Ending::Killed { signal: 15 }),
    ] {
        assert_eq!(
            client.said("h1", command).await.unwrap().1,
            truth,
            "{command}"
        );
    }
}

#[tokio::test]
async fn a_killed_server_is_noticed() {
    let fleet = Fleet::start();
    let client = Client::new(&fleet);
    let mut pipes = client.open("h1", "echo in; exec sleep 100").await.unwrap();
    let mut line = [0; 3];
    pipes.reader.read_exact(&mut line).await.unwrap();
    fleet.kill_sessions();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, pipes.reader.read_to_end(&mut rest));
    read.await.expect("it hangs").unwrap();
    let ending = end(pipes).await;
    assert!(matches!(ending, Ending::Unknown { .. }), "{ending:?}");
}

#[tokio::test]
async fn a_silent_server_is_noticed_when_that_is_configured() {
    let fleet = Fleet::start();
    let proxy = fleet.proxy(1).start();
    fleet.alias("through", proxy.address());
    let options = ["ServerAliveInterval=1", "ServerAliveCountMax=1"];
    let client = Client::with(&fleet, &options);
    let mut pipes = client
        .open("through", "echo in; exec sleep 100")
        .await
        .unwrap();
    let mut line = [0; 3];
    pipes.reader.read_exact(&mut line).await.unwrap();
    proxy.stall();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, pipes.reader.read_to_end(&mut rest));
    read.await.expect("it hangs").unwrap();
}

#[tokio::test]
async fn a_dropped_connection_leaves_nothing() {
    let fleet = Fleet::start();
    let client = Client::new(&fleet);
    client.said("h1", "true").await.unwrap();
    for command in ["exec cat", "exec cat /dev/zero"] {
        let leaks = Leaks::begin();
        let pipes = client.open("h1", command).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(pipes);
        leaks.end().await;
        // Only the handle, while nobody reads what still comes.
        let leaks = Leaks::begin();
        let pipes = client.open("h1", command).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(pipes.close);
        drop((pipes.reader, pipes.writer, pipes.stderr));
        leaks.end().await;
    }
    let listener_alone = async {
        while fleet.processes().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, listener_alone)
        .await
        .expect("the far side goes on");
}

#[tokio::test]
async fn a_hundred_at_once_do_not_mix() {
    let fleet = Fleet::builder().hosts(100).start();
    let client = Client::new(&fleet);
    let one = async |n: usize| {
        let (said, ending) = client
            .said(&format!("h{n}"), &format!("echo {n}"))
            .await
            .unwrap();
        assert_eq!(
            (said, ending),
            (format!("{n}\n"), Ending::Exited { code: 0 })
        );
    };
    let mut all: Vec<_> = (1..=100).map(|n| Box::pin(one(n))).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        match all.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}
