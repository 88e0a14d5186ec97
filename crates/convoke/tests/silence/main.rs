//! A host that falls silent: what both ends make of it, with their limits set lower than usual.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod files;

use std::time::{Duration, Instant};

use convoke::action::{Action, QUEUE};
use convoke::agents::Agents;
use convoke::cancel::Cancel;
use convoke::connect::registry::Registry;
use convoke::connect::ssh::SshOptions;
use convoke::connect::surroundings::Surroundings;
use convoke::event::{Event, Kind};
use convoke::host::{Host, Reach, Work};
use convoke::outcome::{Fate, Outcome};
use convoke::process::Command;
use convoke::proto::hello::Liveness;
use convoke_testkit::fleet::Fleet;
use convoke_testkit::leak::Leaks;
use convoke_testkit::network::Network;
use tokio::sync::mpsc;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Silence is lost after two seconds; an agent gives up no earlier than after 30.
const LIVENESS: Liveness = Liveness {
    ping_ms: 500,
    lost_ms: 2_000,
    give_up_ms: Liveness::MIN_GIVE_UP_MS,
};

fn reach(fleet: &Fleet) -> Reach {
    let usual = Reach::new(Surroundings::of_this_process(), Agents::embedded());
    let ssh = SshOptions {
        config: Some(fleet.ssh_config()),
        ..SshOptions::default()
    };
    Reach {
        registry: Registry::with_ssh(ssh),
        liveness: LIVENESS,
        ..usual
    }
}

/// Whether the command still runs on the host.
fn runs(fleet: &Fleet) -> bool {
    let is_command = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line == b"sleep\x004321\x00"
    };
    fleet.processes().iter().any(is_command)
}

#[tokio::test]
async fn a_silent_host_is_lost_here_and_gives_up_there() {
    let network = match Network::start() {
        Ok(network) => network,
        Err(unavailable) => return eprintln!("skipped 1: {unavailable}"),
    };
    let (leaks, fleet) = (Leaks::begin(), network.fleet());
    let work = |words: &[&str]| Work::Process(Command::new(words.iter().copied()));
    let works = [
        (Host::new("h1").unwrap(), work(&["sleep", "4321"])),
        (Host::new("h2").unwrap(), work(&["true"])),
    ];
    let (reach, cancel) = (reach(fleet), Cancel::new());
    let (sender, mut events) = mpsc::channel::<Event>(QUEUE);
    let silent = async {
        let mut since = None;
        while let Some(event) = events.recv().await {
            if &*event.host == "h1" && matches!(event.kind, Kind::Started { .. }) {
                network.lose(1, true);
                since = Some(Instant::now());
            }
        }
        since.unwrap()
    };
    let action = Action::new(works);
    let (report, since) = tokio::join!(action.run(&reach, sender, &cancel), silent);
    let took = since.elapsed();
    assert!(
        took >= Duration::from_millis(1_000) && took < PATIENCE,
        "{took:?}"
    );
    let Outcome::Lost(lost) = &report.results[0].outcome else {
        panic!("{:?}", report.results[0]);
    };
    assert!(matches!(lost.fate, Fate::EndsBy(_)), "{lost:?}");
    assert!(report.results[1].outcome.is_ok(), "{:?}", report.results[1]);
    drop((reach, events));
    leaks.end().await;
    assert!(runs(fleet), "nobody there knows yet");
    if std::env::var_os("CONVOKE_TEST_FULL").is_none_or(|value| value != "1") {
        return eprintln!("skipped 1: half a minute until the agent gives up; CONVOKE_TEST_FULL=1");
    }
    let give_up = Duration::from_millis(LIVENESS.give_up_ms.into());
    while runs(fleet) {
        assert!(since.elapsed() < give_up + PATIENCE, "it still runs");
        // A pause between two looks at the processes of the host.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lived = since.elapsed();
    assert!(lived > give_up / 2, "{lived:?}");
}
