//! The engine over hosts in memory: every outcome, and what an action promises.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod action;
mod cancel;
mod check;
mod connecting;
mod events;
mod faults;
mod files;
mod operations;
mod outcomes;
mod stdin;

use std::sync::Arc;

use convoke::action::{Action, QUEUE};
use convoke::cancel::Cancel;
use convoke::event::{Event, Kind, Stream};
use convoke::host::{Host, Work};
use convoke::outcome::Outcome;
use convoke::process::Command;
use convoke::report::Report;
use convoke_testkit::leak::Leaks;
use convoke_testkit::memory::{Memory, Script};
use tokio::sync::mpsc;

/// What came of a run.
struct Ran {
    report: Report,
    events: Vec<Event>,
}

impl Ran {
    fn outcomes(&self) -> Vec<&Outcome> {
        let results = self.report.results.iter();
        results.map(|result| &result.outcome).collect()
    }

    fn words(&self) -> Vec<&str> {
        self.outcomes().into_iter().map(Outcome::word).collect()
    }

    /// The output of one host.
    fn output(&self, host: &str, of: Stream) -> Vec<u8> {
        let events = self.events.iter().filter(|event| &*event.host == host);
        let pieces = events.filter_map(|event| match &event.kind {
            Kind::Output { stream, data } if *stream == of => Some(data.to_vec()),
            _ => None,
        });
        pieces.flatten().collect()
    }
}

fn hosts(count: usize) -> Vec<Host> {
    let names = (1..=count).map(|number| format!("memory:h{number}"));
    names.map(|name| Host::new(&name).unwrap()).collect()
}

fn program() -> Work {
    Work::Process(Command::new(["prog"]))
}

/// The same program on `count` hosts.
fn everywhere(count: usize) -> Action {
    Action::everywhere(hosts(count), program())
}

/// Runs an action to its end, with a consumer that takes everything at once, and checks for leaks.
async fn run(memory: &Memory, action: Action, cancel: &Cancel) -> Ran {
    run_watched(memory, action, cancel, |_| {}).await
}

/// Like [`run`]; `watch` sees every event as it comes.
async fn run_watched(
    memory: &Memory,
    action: Action,
    cancel: &Cancel,
    mut watch: impl FnMut(&Event),
) -> Ran {
    let leaks = Leaks::begin();
    let reach = memory.reach();
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let consume = async {
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            watch(&event);
            events.push(event);
        }
        events
    };
    let (report, events) = tokio::join!(action.run(&reach, sender, cancel), consume);
    drop((reach, receiver));
    leaks.end().await;
    Ran { report, events }
}

/// What becomes of one host that plays `script`.
async fn outcome(script: Script) -> Outcome {
    let ran = run(&Memory::new(script), everywhere(1), &Cancel::new()).await;
    let [outcome] = ran.outcomes()[..] else {
        panic!("{:?}", ran.report);
    };
    outcome.clone()
}

fn name(number: usize) -> Arc<str> {
    format!("memory:h{number}").into()
}
