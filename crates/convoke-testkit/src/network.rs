//! Hosts behind a network of their own, in which packets can be lost and bandwidth is small.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::process::{Command, Output};

use crate::fleet::{Builder, Fleet, Range, Unavailable, random};

/// The second bytes of the ranges `10.A.B.0/24` that are tried; seldom used by others.
const SECOND_BYTES: std::ops::Range<u8> = 200..250;

/// How many ranges are tried.
const ATTEMPTS: usize = 20;

/// Every address below this one is a host's; `.253` and `.254` are those of the two ends.
const HOSTS: &str = "0/25";

/// How long a packet may wait behind a limit, and how much may pass at once.
const QUEUE: [&str; 4] = ["burst", "32k", "latency", "100ms"];

/// A fleet in a network namespace of its own, at the other end of a cable.
///
/// Its hosts are `10.A.B.1` to `10.A.B.126`, with `A` and `B` of its own. It takes root. Dropping it
/// leaves no cable, no namespace and no process; nor does killing our process.
#[derive(Debug)]
pub struct Network {
    fleet: Fleet,
    range: (u8, u8),
    /// A process in the namespace.
    inside: u32,
}

impl Network {
    /// Starts one with an ordinary fleet.
    ///
    /// # Errors
    /// When this account, or this machine, may not make one; a test is skipped then, saying why.
    pub fn start() -> Result<Network, Unavailable> {
        Network::with(Fleet::builder())
    }

    /// Starts one with the fleet that was chosen.
    ///
    /// # Errors
    /// When this account, or this machine, may not make one; a test is skipped then, saying why.
    ///
    /// # Panics
    /// As [`Builder::start`] does otherwise.
    pub fn with(fleet: Builder) -> Result<Network, Unavailable> {
        probe()?;
        let range = free_range();
        let inside = Cell::new(0);
        let connect = |pid| {
            plug_in(range, pid);
            inside.set(pid);
        };
        let fleet = fleet.start_in(Some(Range::Private(range.0, range.1)), &connect)?;
        Ok(Network {
            fleet,
            range,
            inside: inside.get(),
        })
    }

    /// Its hosts.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Our own address on the cable.
    pub fn here(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.range.0, self.range.1, 254)
    }

    /// From now on every packet to and from host `n` is lost, or none is any more. Nobody is told.
    pub fn lose(&self, n: usize, lost: bool) {
        let change = if lost { "add" } else { "del" };
        let host = self.fleet.address(n);
        // The table that says which addresses are those of the machine: without its place there, an
        // address neither hears nor speaks.
        self.inside(&format!("ip route {change} blackhole {host} table local"));
    }

    /// Pulls the far end of the cable, or plugs it in again.
    pub fn unplug(&self, unplugged: bool) {
        let state = if unplugged { "down" } else { "up" };
        self.inside(&format!("ip link set eth0 {state}"));
    }

    /// Limits each direction to a rate as `tc` writes it, such as `10mbit`; all hosts share it.
    ///
    /// # Errors
    /// When the kernel has no token buckets.
    pub fn limit(&self, rate: &str) -> Result<(), Unavailable> {
        let queue = QUEUE.join(" ");
        let limit =
            |device: &str| format!("tc qdisc replace dev {device} root tbf rate {rate} {queue}");
        let ours = run(&limit(&device(self.range)));
        if !ours.status.success() {
            let said = String::from_utf8_lossy(&ours.stderr);
            return Err(Unavailable {
                why: format!("bandwidth cannot be limited here: {}", said.trim()),
            });
        }
        self.inside(&limit("eth0"));
        Ok(())
    }

    fn inside(&self, command: &str) {
        must(&inside(self.inside, command));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The kernel would do it a little later than the last process in there ends.
        let _ = run(&format!("ip link del {}", device(self.range)));
    }
}

/// Whether namespaces can be made and connected.
fn probe() -> Result<(), Unavailable> {
    let probe = run("unshare --mount --net ip link add cv0 type veth peer name cv1");
    if probe.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&probe.stderr);
    Err(Unavailable {
        why: format!("a network of its own takes root: {}", said.trim()),
    })
}

/// Our end of the cable, named after its range.
fn device((a, b): (u8, u8)) -> String {
    format!("cv10-{a}-{b}")
}

/// Two bytes of a range that no route of this machine leads to, save the default one.
fn free_range() -> (u8, u8) {
    let is_free = |range: &(u8, u8)| {
        let (a, b) = *range;
        ["match", "root"].iter().all(|which| {
            let routes = must(&format!(
                "ip -4 route show table all {which} 10.{a}.{b}.0/24"
            ));
            routes.lines().all(|route| route.starts_with("default"))
        })
    };
    let attempts = (0..ATTEMPTS).map(|_| {
        let [a, b, ..] = random().to_le_bytes();
        let count = SECOND_BYTES.end - SECOND_BYTES.start;
        (SECOND_BYTES.start + a % count, b)
    });
    let mut free = attempts.filter(is_free);
    free.next().expect("a private range is free")
}

/// Lays the cable into the namespace of a process, and makes all addresses of the hosts its own.
fn plug_in(range: (u8, u8), pid: u32) {
    let (a, b) = range;
    let ours = device(range);
    must(&format!(
        "ip link add {ours} type veth peer name eth0 netns {pid}"
    ));
    must(&format!("ip addr add 10.{a}.{b}.254/24 dev {ours}"));
    must(&format!("ip link set {ours} up"));
    for command in [
        format!("ip addr add 10.{a}.{b}.253/24 dev eth0"),
        "ip link set eth0 up".to_owned(),
        format!("ip route add local 10.{a}.{b}.{HOSTS} dev lo"),
    ] {
        must(&inside(pid, &command));
    }
}

/// The command, run in the network namespace of a process.
fn inside(pid: u32, command: &str) -> String {
    format!("nsenter --net=/proc/{pid}/ns/net {command}")
}

/// Runs a command that works, and returns what it says.
fn must(command: &str) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command of words without blanks.
fn run(command: &str) -> Output {
    let mut words = command.split(' ');
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let program = words.next().expect("a command has a word");
    let mut command = Command::new("env");
    command.arg(format!("PATH={path}")).arg(program).args(words);
    command.output().unwrap()
}
