//! What a process itself takes, apart from the programs that it starts.

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::measure::{self, Run, mb, ms, remark};

/// One finished run, and what of it the process itself took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    pub(crate) run: Run,
    cpu: Duration,
    pub(crate) peak: u64,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> io::Result<Own> {
    let began = Instant::now();
    let child = command.spawn()?;
    let pid = child.id();
    let peak = peak_while_it_runs(pid)?;
    // It is dead and not reaped: its counters stand still.
    let cpu = own_cpu(pid)?;
    Ok(Own {
        run: measure::wait(child, began)?,
        cpu,
        peak,
    })
}

/// Waits for its death and looks at its memory now and then; the largest it was.
fn peak_while_it_runs(pid: u32) -> io::Result<u64> {
    let mut peak = 0;
    let id = Pid::from_raw(pid as i32).ok_or(io::ErrorKind::NotFound)?;
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(id), look)?.is_none() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = high.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(peak)
}

/// User and system time without those of children, in the kernel's ticks of 10 ms.
fn own_cpu(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(10 * ticks))
}

/// The run whose whole CPU is in the middle.
pub(crate) fn middle(runs: &mut [Own]) -> &Own {
    runs.sort_by_key(|own| own.run.cpu);
    &runs[runs.len() / 2]
}

pub(crate) fn print(name: &str, hosts: usize, own: &Own) {
    let a_host = |time: Duration| ms(time) / hosts as f64;
    println!(
        "{name}: {hosts} hosts in {:.1} s; cpu a host {:.2} ms, of it itself {:.2} ms; its memory {:.1} MB{}",
        own.run.wall.as_secs_f64(),
        a_host(own.run.cpu),
        a_host(own.cpu),
        mb(own.peak),
        remark(own.run),
    );
}
