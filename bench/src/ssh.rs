//! The same over the system's ssh, to a real sshd on loopback, beside what people use today.

mod far;

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use convoke::agents::Agents;
use convoke::connect::registry::Registry;
use convoke::connect::ssh::SshOptions;
use convoke::connect::surroundings::Surroundings;
use convoke::host::{Connection, Host, Reach};
use convoke_testkit::fleet::Fleet;

use crate::lines::GENERATOR;
use crate::link;
use crate::measure::{self, Run, Tools, alternate, mb, median, ms, remark, shell, speed};
use crate::own;

pub(crate) use far::{WORD as FAR_SIDE, serve as far_side};

pub(crate) const HOSTS: usize = 500;

/// A sshd that takes as many logins as come, with the key exchange that all peers have.
pub(crate) fn fleet() -> convoke_testkit::fleet::Builder {
    Fleet::builder()
        .hosts(HOSTS)
        .client_option("KexAlgorithms curve25519-sha256")
}

/// 500 hosts, one line each: with the agent there, and with a home of its own for each.
pub(crate) fn hosts(tools: &Tools) -> io::Result<()> {
    let warm = fleet().system_ssh().start();
    let list = list(&warm)?;
    // Fills the cache.
    measure::run(&mut convoke(tools, &warm, &warm.hosts(1), &["true"]))?;
    let expression = warm.hosts(HOSTS);
    many(tools, &warm, &expression, &list, "agent there")?;
    drop(warm);
    let cold = fleet().system_ssh().separate_homes().start();
    let expression = cold.hosts(HOSTS);
    let ours = own::run(&mut convoke(tools, &cold, &expression, &["echo", "ok"]))?;
    own::print("convoke, agent sent to 500 homes", HOSTS, &ours);
    Ok(())
}

fn many(tools: &Tools, fleet: &Fleet, hosts: &str, list: &str, what: &str) -> io::Result<()> {
    let config = fleet.ssh_config().display().to_string();
    let xargs = format!("xargs -a {list} -P 64 -I% ssh -F {config} % echo ok");
    let pdsh = format!("PDSH_SSH_ARGS_APPEND='-F {config}' pdsh -R ssh -f 64 -w ^{list} echo ok");
    let (mut ours, mut ssh, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        ours.push(own::run(&mut convoke(
            tools,
            fleet,
            hosts,
            &["echo", "ok"],
        ))?);
        ssh.push(own::run(&mut shell(&xargs))?);
        theirs.push(own::run(&mut shell(&pdsh))?);
    }
    own::print(&format!("convoke, {what}"), HOSTS, own::middle(&mut ours));
    own::print("xargs -P 64 ssh", HOSTS, own::middle(&mut ssh));
    own::print("pdsh -f 64", HOSTS, own::middle(&mut theirs));
    println!("(goal: our own cpu 1 ms a host, all of it no more than pdsh's, our process 60 MB)");
    Ok(())
}

/// A file with the addresses of all hosts.
pub(crate) fn list(fleet: &Fleet) -> io::Result<String> {
    let file = fleet.directory().join("list");
    let addresses = (1..=HOSTS).map(|n| format!("{}\n", fleet.address(n)));
    std::fs::write(&file, addresses.collect::<String>())?;
    Ok(file.display().to_string())
}

/// `convoke run` on hosts of a fleet.
pub(crate) fn convoke(tools: &Tools, fleet: &Fleet, hosts: &str, words: &[&str]) -> Command {
    let config = fleet.ssh_config().display().to_string();
    let options = ["run", "-q", "-F", &config, hosts, "--"];
    tools.convoke(&[&options[..], words].concat())
}

/// Sequential `true` over one link, beside the smallest far side there can be over the same ssh.
pub(crate) fn sequential(_: &Tools) -> io::Result<()> {
    let fleet = fleet().system_ssh().start();
    let mut far = far::Far::start(&fleet)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
        reach.registry = Registry::with_ssh(SshOptions {
            config: Some(fleet.ssh_config()),
            ..SshOptions::default()
        });
        let host = Host::new(&fleet.address(1).to_string()).map_err(io::Error::other)?;
        let connection = Connection::open(&host, &reach).await;
        let connection = connection.map_err(|error| io::Error::other(error.text))?;
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for round in 0..=link::ROUNDS {
            let (a, b) = (link::commands(&connection).await?, far.commands()?);
            if round > 0 {
                ours.push(a);
                bare.push(b);
            }
        }
        let (ours, bare) = (median(ours), median(bare));
        println!(
            "sequential true over ssh: {ours:.0}/s; smallest far side: {bare:.0}/s; ratio {:.2} (goal 0.90)",
            ours / bare
        );
        connection.close().await;
        Ok(())
    })
}

/// 200 MB of lines from one host, beside a pipeline with ssh in it.
pub(crate) fn lines(tools: &Tools) -> io::Result<()> {
    let fleet = fleet().system_ssh().start();
    let config = fleet.ssh_config().display().to_string();
    let host = fleet.address(1).to_string();
    let pipeline = format!("ssh -F {config} {host} '{GENERATOR} | cat' | cat");
    for (name, options, goal) in [
        ("raw", &[][..], 0.90),
        ("prefixed", &["--prefix"][..], 0.75),
    ] {
        let first = ["run", "-F", &config];
        let last = [&*host, "--sh", GENERATOR];
        let arguments = [&first, options, &last].concat();
        let (ours, theirs) = alternate(
            5,
            || measure::run(&mut tools.convoke(&arguments)),
            || measure::run(&mut shell(&pipeline)),
        )?;
        println!(
            "{name}: {:.0} ms beside {:.0} ms; ratio {:.2} (goal {goal:.2}); controller {:.1} MB{}",
            ms(ours.wall),
            ms(theirs.wall),
            speed(ours, theirs),
            mb(ours.peak),
            remark(ours),
        );
    }
    Ok(())
}

/// What a host far away costs: the same command over a line with a delay, in round trips.
pub(crate) fn start(tools: &Tools) -> io::Result<()> {
    const DELAY: Duration = Duration::from_millis(100);
    let fleet = fleet().system_ssh().start();
    let slow = fleet.slow(1, DELAY);
    fleet.alias("far", slow.address());
    measure::run(&mut convoke(tools, &fleet, "far", &["true"]))?;
    let round_trips = |run: Run| run.wall.as_secs_f64() / (2.0 * DELAY.as_secs_f64());
    let (ours, theirs) = alternate(
        5,
        || measure::run(&mut convoke(tools, &fleet, "far", &["true"])),
        || {
            let mut ssh = fleet.ssh("far");
            measure::run(ssh.arg("true").stdin(Stdio::null()))
        },
    )?;
    println!(
        "one host behind a delay of 100 ms each way: convoke run {:.2} round trips, ssh host true {:.2}; {:.2} more (goal 1){}",
        round_trips(ours),
        round_trips(theirs),
        round_trips(ours) - round_trips(theirs),
        remark(ours),
    );
    Ok(())
}
