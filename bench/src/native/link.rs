//! Operations on one open link over a real sshd, beside an echo on a channel of the same ssh library.

use std::io;

use convoke::agents::Agents;
use convoke::connect::registry::Registry;
use convoke::connect::ssh::SshOptions;
use convoke::connect::surroundings::Surroundings;
use convoke::host::{Connection, Host, Reach};
use convoke_testkit::fleet::Fleet;

use super::bare::Echo;
use crate::link::{self, ROUNDS};
use crate::measure::{Tools, median};

/// How many are done in a round.
const REQUESTS: usize = 5_000;

/// Empty requests, one after the other and many in flight.
pub(crate) fn run(_: &Tools) -> io::Result<()> {
    let fleet = Fleet::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let connection = connect(&fleet).await?;
        let mut echo = Echo::open(&fleet).await?;
        let (mut ours, mut bare, mut piped) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let alone = link::requests(&connection, REQUESTS).await?;
            let echoes = echo.echoes(REQUESTS).await?;
            let many = link::pipelined(&connection).await?;
            if round > 0 {
                ours.push(alone);
                bare.push(echoes);
                piped.push(many);
            }
        }
        let (ours, bare) = (median(ours), median(bare));
        println!(
            "empty requests, sequential: {ours:.0}/s; an echo of cat on a bare channel: {bare:.0}/s; ratio {:.2} (goal 0.75)",
            ours / bare
        );
        println!(
            "empty requests, pipelined: {:.0}/s (goal 100,000)",
            median(piped)
        );
        connection.close().await;
        Ok(())
    })
}

async fn connect(fleet: &Fleet) -> io::Result<Connection> {
    let mut reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
    reach.registry = Registry::with_ssh(SshOptions {
        config: Some(fleet.ssh_config()),
        ..SshOptions::default()
    });
    let host = format!("ssh+native:{}", fleet.address(1));
    let host = Host::new(&host).map_err(io::Error::other)?;
    let connection = Connection::open(&host, &reach).await;
    let connection = connection.map_err(|error| io::Error::other(error.text))?;
    let _ = connection.hello().await;
    Ok(connection)
}
