//! What many connections cost: by the native client, and by spawned programs.
//!
//! `cargo run --release -p convoke-testkit --example connections -- 200` prints, and asserts nothing.
#![allow(clippy::unwrap_used)] // It is run by hand.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke_connect::ask::Nobody;
use convoke_connect::connector::{Connector, Request};
use convoke_connect::ssh::Native;
use convoke_connect::ssh::{Openssh, SshOptions};
use convoke_connect::surroundings::Surroundings;
use convoke_testkit::fleet::Fleet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many hosts are being connected at once.
const CONNECTING: usize = 64;

/// How long ended programs may take to be counted.
const SETTLING: Duration = Duration::from_secs(3);

/// How much goes through one connection, in bytes.
const MUCH: usize = 512 * 1024 * 1024;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(200);
    let fleet = Arc::new(Fleet::builder().hosts(count).start());
    let options = || SshOptions {
        config: Some(fleet.ssh_config()),
        ..SshOptions::default()
    };
    let native = || -> Arc<dyn Connector> { Arc::new(Native::new(options())) };
    let openssh = || -> Arc<dyn Connector> { Arc::new(Openssh::new(options())) };
    for (name, connector) in [("native", native()), ("openssh", openssh())] {
        warm(&connector, &fleet, count).await;
        let (before, empty) = (Spent::now(), resident());
        let began = Instant::now();
        let held = many(&connector, &fleet, count).await;
        let wall = began.elapsed();
        let own = Spent::now().own - before.own;
        let each = resident().saturating_sub(empty) / count as u64;
        drop(held);
        // Programs are counted when they have ended.
        tokio::time::sleep(SETTLING).await;
        let children = Spent::now().children - before.children;
        println!(
            "{name}: {count} connections in {wall:.2?}, {own:.2?} of processor time, \
             children {children:.2?}, {each} kB each"
        );
    }
    for (name, connector) in [("native", native()), ("openssh", openssh())] {
        let mut times = Vec::new();
        for _ in 0..20 {
            let began = Instant::now();
            one(&connector, &fleet, 1, "true").await;
            times.push(began.elapsed());
        }
        times.sort();
        println!(
            "{name}: one `true`: median {:.1?}, best {:.1?}",
            times[10], times[0]
        );
        let down = format!("head -c {MUCH} /dev/zero");
        let before = Spent::now();
        let began = Instant::now();
        one(&connector, &fleet, 1, &down).await;
        let rate = MUCH as f64 / 1e6 / began.elapsed().as_secs_f64();
        println!(
            "{name}: down {rate:.0} MB/s, {}",
            Spent::now().since(&before)
        );
        let before = Spent::now();
        let began = Instant::now();
        up(&connector, &fleet).await;
        let rate = MUCH as f64 / 1e6 / began.elapsed().as_secs_f64();
        println!("{name}: up {rate:.0} MB/s, {}", Spent::now().since(&before));
    }
}

/// Lets the settings of all hosts be resolved.
async fn warm(connector: &Arc<dyn Connector>, fleet: &Fleet, count: usize) {
    let surroundings = Surroundings::of_this_process();
    for n in 1..=count {
        let endpoint = format!("ssh://{}", fleet.address(n)).parse().unwrap();
        connector.route(&endpoint, &surroundings).await.unwrap();
    }
}

async fn many(connector: &Arc<dyn Connector>, fleet: &Arc<Fleet>, count: usize) -> Vec<impl Sized> {
    let turns = Arc::new(Semaphore::new(CONNECTING));
    let mut running = JoinSet::new();
    for n in 1..=count {
        let (connector, turns, fleet) = (connector.clone(), turns.clone(), fleet.clone());
        running.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            let mut pipes = open(&connector, &fleet, n, "echo; exec cat").await;
            pipes.reader.read_u8().await.unwrap();
            pipes
        });
    }
    running.join_all().await
}

async fn open(
    connector: &Arc<dyn Connector>,
    fleet: &Fleet,
    n: usize,
    command: &str,
) -> convoke_connect::connector::Pipes {
    let request = Request {
        limit: std::time::Duration::from_secs(20),
        endpoint: &format!("ssh://{}", fleet.address(n)).parse().unwrap(),
        command,
        surroundings: &Surroundings::of_this_process(),
        ask: &Nobody,
        terminal: None,
        trail: &convoke_connect::trail::Trail::new(),
    };
    connector.open(request).await.unwrap()
}

async fn one(connector: &Arc<dyn Connector>, fleet: &Fleet, n: usize, command: &str) {
    let mut pipes = open(connector, fleet, n, command).await;
    let mut piece = vec![0; 256 * 1024];
    while pipes.reader.read(&mut piece).await.unwrap() > 0 {}
    drop((pipes.reader, pipes.writer));
    pipes.close.close().await;
}

async fn up(connector: &Arc<dyn Connector>, fleet: &Fleet) {
    let mut pipes = open(connector, fleet, 1, "cat >/dev/null").await;
    let piece = vec![0; 256 * 1024];
    for _ in 0..MUCH / piece.len() {
        pipes.writer.write_all(&piece).await.unwrap();
    }
    pipes.writer.shutdown().await.unwrap();
    pipes.writer = Box::new(tokio::io::sink());
    let mut nothing = Vec::new();
    pipes.reader.read_to_end(&mut nothing).await.unwrap();
    drop((pipes.reader, pipes.writer));
    pipes.close.close().await;
}

/// Processor time of ours and of our ended children.
struct Spent {
    own: Duration,
    children: Duration,
}

impl Spent {
    fn now() -> Self {
        let stat = || {
            let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
            let fields: Vec<u64> = text
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .map(|field| field.parse().unwrap_or(0))
                .collect();
            fields.get(11..15).map(<[u64]>::to_vec).unwrap_or_default()
        };
        let ticks = |parts: &[u64]| Duration::from_millis(10 * parts.iter().sum::<u64>());
        let own = stat();
        Spent {
            own: ticks(own.get(..2).unwrap_or_default()),
            children: ticks(own.get(2..4).unwrap_or_default()),
        }
    }

    fn since(&self, before: &Self) -> String {
        let own = self.own.saturating_sub(before.own);
        let children = self.children.saturating_sub(before.children);
        format!("{own:.2?} of processor time, children {children:.2?}")
    }
}

/// What this process holds in memory, in kB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.and_then(|kb| kb.parse().ok()).unwrap_or(0)
}
