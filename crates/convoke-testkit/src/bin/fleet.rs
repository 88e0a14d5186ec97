//! Runs a fleet by hand, until Ctrl-C.
//!
//! `cargo run -p convoke-testkit --bin fleet -- --help` says how.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use convoke_testkit::fleet::{Builder, DeadEnd, Fleet, Known, Noise, Proxy, Shell};
use convoke_testkit::network::Network;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
usage: fleet [OPTIONS]

One sshd on loopback with any number of hosts, until Ctrl-C.

  --hosts N          how many hosts have a name and a home of their own (40)
  --shell SHELL      the login shell: sh dash bash zsh tcsh fish mksh ksh busybox (sh)
  --noise KIND       what start-up files say: motd, long, unfinished
  --shared-home      one home for all hosts
  --read-only-home   nothing can be written in the homes
  --max-startups V   MaxStartups of sshd, such as 10:30:100
  --option LINE      any line of sshd_config
  --known WHAT       what known_hosts says: right, unknown, changed, revoked (right)
  --delay MS         adds the alias `slow`, on which each trip takes so long
  --bad              adds the aliases refusing, hanging, silent and failing
  --network RATE     behind a cable of its own, such as 100mbit (root)
";

/// How many hosts can have a number.
const MOST: usize = 50_000;

/// Hosts that are not as the others, as long as this lives, by name.
#[derive(Default)]
struct Others {
    dead_ends: Vec<(&'static str, DeadEnd)>,
    proxies: Vec<(&'static str, Proxy)>,
}

/// What the words ask for.
struct Options {
    builder: Builder,
    hosts: usize,
    bad: bool,
    delay: Option<Duration>,
    rate: Option<String>,
}

/// A fleet, and the cable to it if there is one.
enum Running {
    Here(Box<Fleet>),
    Behind(Box<Network>),
}

impl Running {
    fn fleet(&self) -> &Fleet {
        match self {
            Running::Here(fleet) => fleet,
            Running::Behind(network) => network.fleet(),
        }
    }
}

fn main() -> ExitCode {
    // For a test a fleet that does not start is a panic; here its message is what is wrong with an option.
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        let what = text.unwrap_or("it ended unexpectedly");
        eprintln!("fleet: {}", what.trim_end());
    }));
    match std::panic::catch_unwind(run) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("fleet: {error}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{USAGE}");
        return Ok(());
    }
    let options = parse(words)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // From here on a signal waits until everything is put away.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let running = start(&options)?;
        let others = others(&options, running.fleet());
        print!("{}", advice(&options, running.fleet(), &others));
        std::io::stdout().flush()?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        Ok(())
    })
}

fn parse(words: Vec<String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        builder: Fleet::builder().separate_homes(),
        hosts: 40,
        bad: false,
        delay: None,
        rate: None,
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let builder = options.builder;
        options.builder = match word.as_str() {
            "--shell" => builder.shell(shell(&value()?)?),
            "--noise" => builder.noise(noise(&value()?)?),
            "--shared-home" => builder.shared_home(),
            "--read-only-home" => builder.read_only_home(),
            "--max-startups" => builder.max_startups(&value()?),
            "--option" => builder.option(&value()?),
            "--known" => builder.known(known(&value()?)?),
            "--hosts" => {
                options.hosts = count(&value()?)?;
                builder.hosts(options.hosts)
            }
            "--delay" => {
                options.delay = Some(milliseconds(&value()?)?);
                builder
            }
            "--bad" => {
                options.bad = true;
                builder
            }
            "--network" => {
                options.rate = Some(value()?);
                builder
            }
            _ => return Err(format!("{word:?} is not an option\nhint: --help lists them").into()),
        };
    }
    Ok(options)
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(hosts @ 1..=MOST) => Ok(hosts),
        _ => Err(format!("{text:?} is not a number of hosts, 1 to {MOST}")),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().map(Duration::from_millis);
    number.map_err(|_| format!("{text:?} is not a number of milliseconds"))
}

fn shell(name: &str) -> Result<Shell, String> {
    let mut all = Shell::ALL.into_iter();
    let found = all.find(|shell| shell.name() == name);
    found.ok_or(format!("{name:?} is not a shell that is known"))
}

fn noise(name: &str) -> Result<Noise, String> {
    match name {
        "motd" => Ok(Noise::Motd),
        "long" => Ok(Noise::Long),
        "unfinished" => Ok(Noise::Unfinished),
        _ => Err(format!("{name:?} is not a noise that is known")),
    }
}

fn known(name: &str) -> Result<Known, String> {
    match name {
        "right" => Ok(Known::Right),
        "unknown" => Ok(Known::Unknown),
        "changed" => Ok(Known::Changed),
        "revoked" => Ok(Known::Revoked),
        _ => Err(format!("{name:?} is nothing that known_hosts says")),
    }
}

fn start(options: &Options) -> Result<Running, Box<dyn Error>> {
    let builder = options.builder.clone();
    let Some(rate) = &options.rate else {
        return Ok(Running::Here(Box::new(builder.try_start()?)));
    };
    let network = Network::with(builder)?;
    network.limit(rate)?;
    Ok(Running::Behind(Box::new(network)))
}

fn others(options: &Options, fleet: &Fleet) -> Others {
    let mut others = Others::default();
    if options.bad {
        others.dead_ends.push(("refusing", fleet.refusing()));
        others.dead_ends.push(("hanging", fleet.hanging()));
        others.dead_ends.push(("silent", fleet.silent()));
        // It answers, and then the connection breaks during the key exchange.
        others.proxies.push(("failing", fleet.cutting(1, 100)));
    }
    if let Some(delay) = options.delay {
        others.proxies.push(("slow", fleet.slow(1, delay)));
    }
    for (name, address) in others.addresses() {
        fleet.alias(name, address);
    }
    others
}

impl Others {
    fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let dead_ends = self
            .dead_ends
            .iter()
            .map(|(name, one)| (*name, one.address()));
        let proxies = self
            .proxies
            .iter()
            .map(|(name, one)| (*name, one.address()));
        dead_ends.chain(proxies).collect()
    }
}

/// What to type.
fn advice(options: &Options, fleet: &Fleet, others: &Others) -> String {
    let config = fleet.ssh_config();
    let (config, hosts) = (config.display(), fleet.hosts(options.hosts));
    let mut text = format!(
        "{} hosts on port {}, in {}\n\n  \
         convoke run -F {config} '{hosts}' -- uptime\n  \
         convoke run -F {config} 'h[1-{}]' -- uptime\n  \
         ssh -F {config} h1\n",
        options.hosts,
        fleet.port(),
        fleet.directory().display(),
        options.hosts,
    );
    let names: Vec<_> = others
        .addresses()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    if !names.is_empty() {
        let names = names.join(",");
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "  convoke run -F {config} '{hosts},{names}' -- uptime"
        );
    }
    let _ = writeln!(text, "\nCtrl-C ends it and removes everything.");
    text
}
