//! 500 real hosts, one line each, beside what else does that, the ssh library alone, and the arithmetic
//! that no client can leave out.

use std::io;
use std::time::{Duration, Instant};

use convoke_testkit::fleet::Fleet;
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey as Verifier};

use super::peers;
use crate::measure::{self, Tools, mb, remark};
use crate::own::{self, Own};
use crate::ssh::{HOSTS, convoke, fleet, list};

const ROUNDS: usize = 5;

/// How often the arithmetic is done to be timed.
const SUMS: u32 = 500;

/// Everybody in turn; the runs with the middle processor time count.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    let fleet = fleet().start();
    let list = list(&fleet)?;
    // Fills the cache.
    measure::run(&mut convoke(tools, &fleet, &fleet.hosts(1), &["true"]))?;
    let peers = peers::all(&fleet, &list);
    let mut runs: Vec<Vec<Own>> = vec![Vec::new(); peers.len() + 2];
    for _ in 0..ROUNDS {
        runs[0].push(own::run(&mut ours(tools, &fleet))?);
        runs[1].push(own::run(&mut peers::bare(&fleet, &list)?)?);
        for (peer, runs) in peers.iter().zip(&mut runs[2..]) {
            if let Some(make) = &peer.command {
                runs.push(own::run(&mut make())?);
            }
        }
    }
    let names = ["convoke run", "russh alone"];
    let names = names.into_iter().chain(peers.iter().map(|peer| peer.name));
    for (name, runs) in names.zip(&mut runs) {
        print(name, runs);
    }
    println!(
        "a key exchange and two signatures, with nothing around them: {:.2} s for 1,000 hosts",
        1000.0 * arithmetic()?.as_secs_f64()
    );
    println!("(goal: cpu 0.9 s for 1,000 hosts, wall no more than the best peer's)");
    Ok(())
}

fn ours(tools: &Tools, fleet: &Fleet) -> std::process::Command {
    convoke(tools, fleet, &fleet.hosts(HOSTS), &["echo", "ok"])
}

fn print(name: &str, runs: &mut [Own]) {
    if runs.is_empty() {
        return println!("{name}: not installed");
    }
    let shortest = runs
        .iter()
        .map(|own| own.run.wall)
        .min()
        .unwrap_or_default();
    let own = own::middle(runs);
    println!(
        "{name}: {HOSTS} hosts in {:.2} s (at best {:.2}); cpu for 1,000 hosts {:.2} s; largest process {:.1} MB{}",
        own.run.wall.as_secs_f64(),
        shortest.as_secs_f64(),
        own.run.cpu.as_secs_f64() * 1000.0 / HOSTS as f64,
        mb(own.run.peak),
        remark(own.run),
    );
}

/// What the keys of one connection take: ours is made, the secret agreed on, the host's signature
/// verified, and ours made.
fn arithmetic() -> io::Result<Duration> {
    let failed = |_| io::Error::other("a key was refused");
    let random = SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).map_err(failed)?;
    let identity = Ed25519KeyPair::from_pkcs8(document.as_ref())
        .map_err(|error| io::Error::other(error.to_string()))?;
    let host = EphemeralPrivateKey::generate(&X25519, &random).map_err(failed)?;
    let host = UnparsedPublicKey::new(&X25519, host.compute_public_key().map_err(failed)?);
    let began = Instant::now();
    for sum in 0..SUMS {
        let own = EphemeralPrivateKey::generate(&X25519, &random).map_err(failed)?;
        own.compute_public_key().map_err(failed)?;
        agree_ephemeral(own, &host, |_| ()).map_err(failed)?;
        let hash = sum.to_be_bytes();
        let signature = identity.sign(&hash);
        let verifier = Verifier::new(&ED25519, identity.public_key().as_ref());
        verifier.verify(&hash, signature.as_ref()).map_err(failed)?;
    }
    Ok(began.elapsed() / SUMS)
}
