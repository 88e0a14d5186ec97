//! 200 MB of lines from one local host, beside `GEN | cat | cat`.

use std::io::{self, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::measure::{self, Tools, alternate, mb, ms, remark, shell, speed};

const ROUNDS: usize = 5;

/// 80-byte lines, 200 MB of them.
pub(crate) const GENERATOR: &str = "yes 0123456789012345678901234567890123456789012345678901234567890123456789012345678 | head -c 200000000";

/// How fast the slow reader reads.
const SLOW_BYTES_A_SECOND: usize = 20_000_000;

/// Raw, prefixed and gathered.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    let pipeline = format!("{GENERATOR} | cat | cat");
    for (name, options, goal) in [
        ("raw", &[][..], 0.90),
        ("prefixed", &["--prefix"][..], 0.75),
        ("gathered", &["-b"][..], 0.50),
    ] {
        let arguments = [&["run"], options, &["local:one", "--sh", GENERATOR]].concat();
        let (ours, theirs) = alternate(
            ROUNDS,
            || measure::run(&mut tools.convoke(&arguments)),
            || measure::run(&mut shell(&pipeline)),
        )?;
        println!(
            "{name}: {:.0} ms beside {:.0} ms; ratio {:.2} (goal {goal:.2}); cpu {:.0} ms beside {:.0} ms; controller {:.1} MB{}",
            ms(ours.wall),
            ms(theirs.wall),
            speed(ours, theirs),
            ms(ours.cpu),
            ms(theirs.cpu),
            mb(ours.peak),
            remark(ours),
        );
    }
    slow_reader(tools)
}

/// The same with a reader that is slower than everything else: memory must not follow.
fn slow_reader(tools: &Tools) -> io::Result<()> {
    let began = Instant::now();
    let mut command = tools.convoke(&["run", "--prefix", "local:one", "--sh", GENERATOR]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut agent_peak = 0;
    let mut total = 0_usize;
    if let Some(mut output) = child.stdout.take() {
        let mut piece = vec![0; 1 << 20];
        loop {
            let read = output.read(&mut piece)?;
            if read == 0 {
                break;
            }
            total += read;
            if began.elapsed() < Duration::from_secs(4) {
                agent_peak = agent_peak.max(agent_memory()?);
                std::thread::sleep(Duration::from_secs_f64(
                    read as f64 / SLOW_BYTES_A_SECOND as f64,
                ));
            }
        }
    }
    let run = measure::wait(child, began)?;
    println!(
        "slow reader: {:.0} MB arrived; controller {:.1} MB (goal 64); agent {:.1} MB (goal 8){}",
        mb(total as u64),
        mb(run.peak),
        mb(agent_peak),
        remark(run),
    );
    Ok(())
}

/// The largest resident set of a running agent, in bytes.
fn agent_memory() -> io::Result<u64> {
    let mut peak = 0;
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let is_agent = std::fs::read_link(path.join("exe"))
            .is_ok_and(|exe| exe.to_string_lossy().contains("/convoke/"));
        if !is_agent {
            continue;
        }
        let Ok(status) = std::fs::read_to_string(path.join("status")) else {
            continue;
        };
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = high.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
    }
    Ok(peak)
}
