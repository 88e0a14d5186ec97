//! What a live link holds, and ten thousand of them.

use std::io;

use convoke_testkit::emulator::Emulator;

use crate::measure::{Tools, mb, remark};
use crate::own::{self, Own};

/// With so many hosts at once a link is weighed: few, many, all.
const AT_ONCE: [(usize, usize); 3] = [(500, 4), (2_000, 8), (HOSTS, 30)];

/// All that are emulated.
const HOSTS: usize = 10_000;

/// Runs that hold all their links for some seconds, and one as everybody does it.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    let emulator = Emulator::builder().hosts(HOSTS).start();
    let emulator = emulator.map_err(io::Error::other)?;
    let mut held = Vec::new();
    for (hosts, seconds) in AT_ONCE {
        let own = hold(tools, &emulator, hosts, seconds)?;
        held.push((hosts, own.peak));
    }
    if let [(few, small), (many, large), ..] = held[..] {
        let link = large.saturating_sub(small) / (many - few) as u64;
        println!("a live link: {:.1} kB (goal 100)", link as f64 / 1e3);
    }
    let own = run_on(tools, &emulator, &emulator.names(), &[], &["hostname"])?;
    print("by default", HOSTS, &own);
    println!("(goal: 10,000 hosts in 1200 MB)");
    Ok(())
}

fn hold(tools: &Tools, emulator: &Emulator, hosts: usize, seconds: usize) -> io::Result<Own> {
    let (fanout, seconds) = (hosts.to_string(), seconds.to_string());
    let options = ["--fanout", &*fanout];
    // Where it is sure that none needs a process, more fit below the limit of descriptors.
    let names = format!("ssh+native:h[1-{hosts}]");
    let own = run_on(tools, emulator, &names, &options, &["sleep", &seconds])?;
    // The most so far: each time there are more.
    let peak = emulator.counts().peak;
    print(&format!("{peak} at once"), hosts, &own);
    Ok(own)
}

fn run_on(
    tools: &Tools,
    emulator: &Emulator,
    hosts: &str,
    options: &[&str],
    command: &[&str],
) -> io::Result<Own> {
    let config = emulator.ssh_config().display().to_string();
    let first = ["run", "-q", "-F", &config];
    let last = [hosts, "--"];
    let words = [&first[..], options, &last, command].concat();
    own::run(&mut tools.convoke(&words))
}

fn print(how: &str, hosts: usize, own: &Own) {
    println!(
        "{hosts} emulated hosts, {how}: {:.1} s, cpu for 1,000 hosts {:.2} s; {:.0} MB{}",
        own.run.wall.as_secs_f64(),
        own.run.cpu.as_secs_f64() * 1000.0 / hosts as f64,
        mb(own.peak),
        remark(own.run),
    );
}
