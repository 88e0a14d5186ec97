//! Runs emulated hosts by hand, until Ctrl-C.
//!
//! `cargo run -p convoke-testkit --bin emulator -- --help` says how.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use convoke_testkit::emulator::{Builder, Emulator, Faults};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
usage: emulator [OPTIONS]

One process that answers as thousands of ssh hosts, on loopback, until Ctrl-C. They have the
agent, and these programs: true false echo hostname exit
sleep cat.

  --hosts N     how many hosts have a name (10000)
  --delay MS    every byte takes so long, in each direction
  --refuse N    of every hundred hosts so many reset the connection
  --hang N      of every hundred hosts so many never say anything
  --drop N      of every hundred hosts so many close the connection at the first command
  --open        everybody may log in, without a key
";

/// How many hosts can have a number.
const MOST: usize = 50_000;

/// What the words ask for.
struct Options {
    builder: Builder,
    hosts: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("emulator: {error}");
            ExitCode::FAILURE
        }
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
        let emulator = options.builder.start()?;
        print!("{}", advice(&emulator, options.hosts));
        std::io::stdout().flush()?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        let counts = emulator.counts();
        eprintln!(
            "{} connections were made, {} at once at most; {} commands were run",
            counts.connections, counts.peak, counts.commands
        );
        Ok(())
    })
}

fn parse(words: Vec<String>) -> Result<Options, Box<dyn Error>> {
    let mut builder = Emulator::builder();
    let mut faults = Faults::default();
    let mut hosts = 10_000;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--hosts" => hosts = number(&value()?, 1, MOST)?,
            "--delay" => {
                let delay = number(&value()?, 0, 60_000)?;
                builder = builder.delay(Duration::from_millis(delay as u64));
            }
            "--refuse" => faults.refuse = number(&value()?, 0, 100)?,
            "--hang" => faults.hang = number(&value()?, 0, 100)?,
            "--drop" => faults.drop = number(&value()?, 0, 100)?,
            "--open" => builder = builder.open(),
            _ => return Err(format!("{word:?} is not an option\nhint: --help lists them").into()),
        }
    }
    Ok(Options {
        builder: builder.hosts(hosts).faults(faults),
        hosts,
    })
}

fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{text:?} is not a number from {least} to {most}")),
    }
}

/// What to type.
fn advice(emulator: &Emulator, hosts: usize) -> String {
    let config = emulator.ssh_config();
    let (config, names) = (config.display(), emulator.names());
    format!(
        "{hosts} emulated hosts on port {}, in {}\n\n  \
         convoke run -F {config} '{names}' -- hostname\n  \
         ssh -F {config} h1 hostname\n\n\
         Their addresses begin with {}. Ctrl-C ends it and removes everything.\n",
        emulator.port(),
        emulator.directory().display(),
        emulator.address(1),
    )
}
