//! Operations on one open local link, beside the same work without us.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use convoke::agents::Agents;
use convoke::connect::surroundings::Surroundings;
use convoke::host::{Connection, Host, Reach};
use convoke::link::Delivery;
use convoke::proto::command::Start;
use convoke_agent::spawn::{Directory, Program, Spawner};
use rustix::process::{WaitOptions, waitpid};

use crate::measure::{Tools, median};

pub(crate) const ROUNDS: usize = 7;
pub(crate) const COMMANDS: usize = 400;
const REQUESTS: usize = 20_000;
const IN_FLIGHT: usize = 1_000;

/// Sequential `true` over one link, beside a bare loop with the same spawn.
pub(crate) fn sequential(_: &Tools) -> io::Result<()> {
    with_connection(async |connection| {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (a, b) = (commands(&connection).await?, bare_loop()?);
            if round > 0 {
                ours.push(a);
                bare.push(b);
            }
        }
        let (ours, bare) = (median(ours), median(bare));
        println!(
            "sequential true: {ours:.0}/s; bare loop with the same spawn: {bare:.0}/s; ratio {:.2} (goal 0.90)",
            ours / bare
        );
        connection.close().await;
        Ok(())
    })
}

/// Empty requests over one link, one after the other and many in flight.
pub(crate) fn noop(_: &Tools) -> io::Result<()> {
    with_connection(async |connection| {
        let (mut alone, mut piped) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(requests(&connection, REQUESTS).await?);
            piped.push(pipelined(&connection).await?);
        }
        println!(
            "empty requests, sequential: {:.0}/s (goal 12,000)",
            median(alone)
        );
        println!(
            "empty requests, pipelined: {:.0}/s (goal 150,000)",
            median(piped)
        );
        connection.close().await;
        Ok(())
    })
}

/// Empty requests a second, one after the other.
pub(crate) async fn requests(connection: &Connection, count: usize) -> io::Result<f64> {
    let began = Instant::now();
    for _ in 0..count {
        connection.link().noop().await.map_err(io::Error::other)?;
    }
    Ok(rate(count, began.elapsed()))
}

/// The same with many in flight.
pub(crate) async fn pipelined(connection: &Connection) -> io::Result<f64> {
    let began = Instant::now();
    let rounds = 10 * REQUESTS / IN_FLIGHT;
    for _ in 0..rounds {
        let mut open = Vec::with_capacity(IN_FLIGHT);
        for _ in 0..IN_FLIGHT {
            open.push(
                connection
                    .link()
                    .send_noop()
                    .await
                    .map_err(io::Error::other)?,
            );
        }
        for mut channel in open {
            if channel.next().await != Delivery::Done {
                return Err(io::Error::other("an empty request was not answered"));
            }
        }
    }
    Ok(rate(rounds * IN_FLIGHT, began.elapsed()))
}

fn with_connection(work: impl AsyncFnOnce(Connection) -> io::Result<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
        let host = Host::new("local:bench").map_err(io::Error::other)?;
        let connection = Connection::open(&host, &reach).await;
        let connection = connection.map_err(|error| io::Error::other(error.text))?;
        let _ = connection.hello().await;
        work(connection).await
    })
}

pub(crate) async fn commands(connection: &Connection) -> io::Result<f64> {
    let began = Instant::now();
    for _ in 0..COMMANDS {
        let start = Start::new(["true"]);
        let mut channel = connection
            .link()
            .start(start)
            .await
            .map_err(io::Error::other)?;
        while !matches!(channel.next().await, Delivery::Exit(_)) {}
    }
    Ok(rate(COMMANDS, began.elapsed()))
}

/// The same spawn without us: own session, three pipes, wait.
pub(crate) struct Bare {
    spawner: Spawner,
    program: Program,
}

impl Bare {
    pub(crate) fn new() -> Self {
        let env = std::env::vars();
        let env = env.filter_map(|(k, v)| std::ffi::CString::new(format!("{k}={v}")).ok());
        Bare {
            spawner: Spawner::new(),
            program: Program {
                name: c"true".into(),
                argv: vec![c"true".into()],
                env: env.collect(),
                credentials: None,
                directory: Directory::Home(c"/".into()),
                umask: None,
                files: Vec::new(),
                dies_with_us: false,
            },
        }
    }

    /// Runs `true` once.
    pub(crate) fn command(&mut self) -> io::Result<()> {
        let null = File::open("/dev/null")?;
        let (out, out_end) = pipe()?;
        let (err, err_end) = pipe()?;
        self.program.files = vec![(OwnedFd::from(null), 0), (out_end, 1), (err_end, 2)];
        let pid = self.spawner.spawn(&self.program);
        self.program.files.clear();
        let pid = pid.map_err(|e| io::Error::from_raw_os_error(e.errno))?;
        drain(out)?;
        drain(err)?;
        waitpid(Some(pid), WaitOptions::empty())?;
        Ok(())
    }
}

fn bare_loop() -> io::Result<f64> {
    let mut bare = Bare::new();
    let began = Instant::now();
    for _ in 0..COMMANDS {
        bare.command()?;
    }
    Ok(rate(COMMANDS, began.elapsed()))
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

fn drain(pipe: OwnedFd) -> io::Result<u64> {
    io::copy(&mut File::from(pipe), &mut io::sink())
}

pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
