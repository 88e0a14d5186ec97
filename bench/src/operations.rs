//! What is asked of one host over one open connection: facts and effects, one by one and many at once.
//!
//! An echo on a bare channel of the same ssh library alternates with it; then come the peers that are installed.
//! Files are made in memory (`/dev/shm` of the hosts) but where a disk is what is measured.

mod peers;

use std::io;
use std::time::{Duration, Instant};

use convoke::agents::Agents;
use convoke::connect::registry::Registry;
use convoke::connect::ssh::SshOptions;
use convoke::connect::surroundings::Surroundings;
use convoke::host::{Host, Reach};
use convoke::remote::{Remote, VerbError};
use convoke::verb::{Stat, Tempdir, Touch, Upload, Verbs};
use convoke_testkit::fleet::Fleet;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::Runtime;

use crate::link::{ROUNDS, rate};
use crate::measure::{Tools, median};
use crate::native::Echo;
use peers::{Peer, Work};

/// How many are done in a round, one after the other, and how many by a peer.
const REQUESTS: usize = 4_000;
const REQUESTS_OF_A_PEER: usize = 2_000;

/// How many go out in one flight.
const FLIGHT: usize = 10_000;

/// How many uploads go out in one flight: as many as a user would have.
const UPLOADS: usize = 1_000;

/// The files over the long way, and its delay in each direction.
const FILES: usize = 1_000;
const ONE_WAY: Duration = Duration::from_millis(13);

/// Everything.
pub(crate) fn run(_: &Tools) -> io::Result<()> {
    let fleet = Fleet::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let peers = peers::all();
    runtime.block_on(async {
        let remote = open(&fleet, &fleet.address(1).to_string()).await?;
        let mut echo = Echo::open(&fleet).await?;
        let memory = Tempdir::new().inside("/dev/shm");
        let memory = remote.ask(memory).await.map_err(failed)?.to_string();
        let disk = fleet.directory().display().to_string();
        let bench = &mut Bench {
            remote: &remote,
            echo: &mut echo,
            fleet: &fleet,
            peers: &peers,
        };
        bench.stats(&memory).await?;
        bench.uploads(&memory).await?;
        bench.synced(&disk).await?;
        bench.facts().await?;
        remote.close().await;
        far_away(&fleet, &memory).await
    })?;
    on_one_core(&runtime)
}

/// What is measured against what.
struct Bench<'a> {
    remote: &'a Remote,
    echo: &'a mut Echo,
    fleet: &'a Fleet,
    peers: &'a [Peer],
}

impl Bench<'_> {
    /// One file is asked about.
    async fn stats(&mut self, directory: &str) -> io::Result<()> {
        let path = format!("{directory}/source");
        let source = self.remote.upload(path.as_str(), vec![0; 1024]).await;
        source.map_err(failed)?;
        one_by_one("stat, sequential", self.remote, &path, self.echo).await?;
        let mut many = Vec::new();
        for round in 0..=ROUNDS {
            let began = Instant::now();
            let verbs = (0..FLIGHT).map(|_| Stat::of(path.as_str()));
            all_well(self.remote.batch(verbs).await.map_err(failed)?)?;
            let batched = rate(FLIGHT, began.elapsed());
            if round > 0 {
                many.push(batched);
            }
        }
        println!("stat, batched: {:.0}/s (goal 100,000)", median(many));
        self.peers(directory, Work::Stat)
    }

    /// Files of 1 KiB, without waiting for a disk.
    async fn uploads(&mut self, directory: &str) -> io::Result<()> {
        let (mut alone, mut many) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let began = Instant::now();
            for number in 0..REQUESTS {
                let upload = upload(directory, number).unsynced();
                self.remote.ask(upload).await.map_err(failed)?;
            }
            let ours = rate(REQUESTS, began.elapsed());
            let began = Instant::now();
            let verbs = (0..UPLOADS).map(|number| upload(directory, number).unsynced());
            all_well(self.remote.batch(verbs).await.map_err(failed)?)?;
            let batched = rate(UPLOADS, began.elapsed());
            if round > 0 {
                alone.push(ours);
                many.push(batched);
            }
        }
        println!(
            "upload of 1 KiB, sequential, not synced: {:.0}/s (goal 6,000)",
            median(alone)
        );
        println!("upload, batched: {:.0}/s (goal 20,000)", median(many));
        self.peers(directory, Work::Put)
    }

    /// The same onto a disk, with and without waiting for it.
    async fn synced(&mut self, directory: &str) -> io::Result<()> {
        const COUNT: usize = 100;
        let (mut synced, mut unsynced) = (Vec::new(), Vec::new());
        for round in 0..=3 {
            let began = Instant::now();
            for number in 0..COUNT {
                let verb = upload(directory, number);
                self.remote.ask(verb).await.map_err(failed)?;
            }
            let waited = rate(COUNT, began.elapsed());
            let began = Instant::now();
            for number in 0..COUNT {
                let verb = upload(directory, number).unsynced();
                self.remote.ask(verb).await.map_err(failed)?;
            }
            if round > 0 {
                synced.push(waited);
                unsynced.push(rate(COUNT, began.elapsed()));
            }
        }
        let (synced, unsynced) = (median(synced), median(unsynced));
        println!(
            "upload of 1 KiB onto a disk: synced {synced:.0}/s, not synced {unsynced:.0}/s; a sync of file and directory adds {:.2} ms",
            1e3 / synced - 1e3 / unsynced
        );
        Ok(())
    }

    /// All facts of a host.
    async fn facts(&mut self) -> io::Result<()> {
        const COUNT: usize = 200;
        let began = Instant::now();
        for _ in 0..COUNT {
            self.remote.facts().await.map_err(failed)?;
        }
        println!(
            "all facts of a host: {:.0}/s, each in one round trip",
            rate(COUNT, began.elapsed())
        );
        Ok(())
    }

    fn peers(&self, directory: &str, work: Work) -> io::Result<()> {
        for peer in self.peers {
            let mut rates = Vec::new();
            for _ in 0..3 {
                rates.push(peer.rate(self.fleet, directory, work, REQUESTS_OF_A_PEER)?);
            }
            println!("  {}: {:.0}/s", peer.name, median(rates));
        }
        Ok(())
    }
}

/// Stats one after the other, beside echoes.
async fn one_by_one(title: &str, remote: &Remote, path: &str, echo: &mut Echo) -> io::Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let began = Instant::now();
        for _ in 0..REQUESTS {
            remote.stat(path).await.map_err(failed)?;
        }
        let stats = rate(REQUESTS, began.elapsed());
        let echoes = echo.echoes(REQUESTS).await?;
        if round > 0 {
            ours.push(stats);
            bare.push(echoes);
        }
    }
    let (ours, bare) = (median(ours), median(bare));
    println!(
        "{title}: {ours:.0}/s; an echo of cat on a bare channel: {bare:.0}/s; ratio {:.2} (goal 0.75)",
        ours / bare
    );
    Ok(())
}

/// Stats once more where all processes share a core: what they cost. Elsewhere both rates are mostly the time a
/// machine takes to wake a core that sleeps, and where it chooses to run whom.
fn on_one_core(runtime: &Runtime) -> io::Result<()> {
    let all = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core));
    one.set(first.unwrap_or_default());
    sched_setaffinity(None, &one)?;
    // The hosts inherit it.
    let fleet = Fleet::start();
    let measured = runtime.block_on(async {
        let remote = open(&fleet, &fleet.address(1).to_string()).await?;
        let mut echo = Echo::open(&fleet).await?;
        one_by_one("stat, sequential, on one core", &remote, "/", &mut echo).await?;
        remote.close().await;
        Ok(())
    });
    sched_setaffinity(None, &all)?;
    measured
}

/// Empty files over a long way, in one flight.
async fn far_away(fleet: &Fleet, directory: &str) -> io::Result<()> {
    let way = fleet.slow(1, ONE_WAY);
    fleet.alias("far", way.address());
    let remote = open(fleet, "far").await?;
    remote.exists("/").await.map_err(failed)?;
    let mut times = Vec::new();
    for round in 0..5 {
        let before = way.counts().trips;
        let paths = (0..FILES).map(|number| format!("{directory}/empty-{round}-{number}"));
        let verbs = paths.map(Touch::at);
        let began = Instant::now();
        all_well(remote.batch(verbs).await.map_err(failed)?)?;
        times.push((began.elapsed(), (way.counts().trips - before) / 2));
    }
    times.sort();
    let (time, trips) = times[times.len() / 2];
    println!(
        "{FILES} empty files over a way of {} ms: {} ms, {trips} round trips (goal 1 s)",
        2 * ONE_WAY.as_millis(),
        time.as_millis()
    );
    remote.close().await;
    Ok(())
}

async fn open(fleet: &Fleet, name: &str) -> io::Result<Remote> {
    let mut reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
    reach.registry = Registry::with_ssh(SshOptions {
        config: Some(fleet.ssh_config()),
        ..SshOptions::default()
    });
    let host = Host::new(&format!("ssh+native:{name}")).map_err(io::Error::other)?;
    Remote::open(&host, &reach).await.map_err(failed)
}

fn upload(directory: &str, number: usize) -> Upload {
    Upload::new(format!("{directory}/file-{number}"), vec![0; 1024])
}

fn all_well<T>(answers: Vec<Result<T, VerbError>>) -> io::Result<()> {
    let first = answers.into_iter().find_map(Result::err);
    first.map_or(Ok(()), |error| Err(failed(error)))
}

fn failed(error: VerbError) -> io::Error {
    io::Error::other(error.to_string())
}
