//! One file to 1, 4 and 16 hosts over ssh, into memory there, beside `cat | ssh` with its fastest cipher and `scp`.

use std::io;
use std::path::PathBuf;

use convoke_testkit::fleet::Fleet;

use crate::measure::{self, Run, Tools, alternate, mb, ms, remark, shell, speed};

const ROUNDS: usize = 3;

/// How much, in bytes.
const MUCH: u64 = 256 << 20;

/// How many hosts at once.
const CROWDS: [(usize, f64); 3] = [(1, 0.8), (4, 0.9), (16, 1.0)];

/// The name in a home that leads to its memory.
const MEMORY: &str = "memory";

/// A file to send, and a place in memory for each host, which is called [`MEMORY`] in its home.
struct Shelf<'a> {
    fleet: &'a Fleet,
    hosts: usize,
    source: PathBuf,
}

impl<'a> Shelf<'a> {
    fn new(fleet: &'a Fleet, hosts: usize) -> io::Result<Self> {
        let source = format!("/dev/shm/convoke-bench-{}", std::process::id()).into();
        let shelf = Shelf {
            fleet,
            hosts,
            source,
        };
        let random = std::fs::File::open("/dev/urandom")?;
        let mut source = std::fs::File::create(&shelf.source)?;
        io::copy(&mut io::Read::take(random, MUCH), &mut source)?;
        let place = shelf.source.display().to_string();
        shelf.everywhere(&format!(
            "mkdir -p {place}-$PPID && ln -sfn {place}-$PPID {MEMORY}"
        ))?;
        Ok(shelf)
    }

    fn everywhere(&self, line: &str) -> io::Result<()> {
        for n in 1..=self.hosts {
            let host = self.fleet.address(n).to_string();
            self.fleet.ssh(&host).arg(line).status()?;
        }
        Ok(())
    }

    /// Makes room for the next.
    fn clear(&self) -> io::Result<()> {
        self.everywhere(&format!("rm -f {MEMORY}/*"))
    }
}

impl Drop for Shelf<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.source);
        let _ = self.everywhere(&format!("rm -rf $(readlink {MEMORY})"));
    }
}

/// Everybody in turn.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    for (hosts, goal) in CROWDS {
        let fleet = Fleet::builder().hosts(hosts).separate_homes().start();
        let shelf = Shelf::new(&fleet, hosts)?;
        let (config, source) = (fleet.ssh_config(), shelf.source.clone());
        let (config, source) = (config.display(), source.display());
        let each = |line: &dyn Fn(String) -> String| {
            let lines = (1..=hosts).map(|n| line(fleet.address(n).to_string()) + " &\n");
            lines.collect::<String>() + "wait"
        };
        let ours = format!(
            "{} put -q -F {config} {source} {}:{MEMORY}/f",
            tools.convoke.display(),
            fleet.hosts(hosts)
        );
        let ssh = each(&|host| {
            format!("ssh -F {config} -c aes128-gcm@openssh.com {host} 'cat >{MEMORY}/g' <{source}")
        });
        let scp = each(&|host| format!("scp -q -F {config} {source} {host}:{MEMORY}/h"));
        for (name, peer, goal) in [("cat | ssh", &ssh, goal), ("scp", &scp, 1.5)] {
            let (ours, theirs) = alternate(
                ROUNDS,
                || shelf.clear().and_then(|()| measure::run(&mut shell(&ours))),
                || shelf.clear().and_then(|()| measure::run(&mut shell(peer))),
            )?;
            println!(
                "{hosts} hosts: {:.0} MB/s in all, beside {name} {:.0} MB/s; ratio {:.2} (goal {goal:.1}); cpu {:.0} ms beside {:.0} ms; controller {:.1} MB{}",
                rate(hosts, ours),
                rate(hosts, theirs),
                speed(ours, theirs),
                ms(ours.cpu),
                ms(theirs.cpu),
                mb(ours.peak),
                remark(ours),
            );
        }
    }
    Ok(())
}

fn rate(hosts: usize, run: Run) -> f64 {
    hosts as f64 * mb(MUCH) / run.wall.as_secs_f64()
}
