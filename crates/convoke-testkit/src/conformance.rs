//! The suite that every connector passes.

mod checks;
mod verbs;

use std::sync::Arc;
use std::time::Duration;

use convoke_connect::ask::Nobody;
use convoke_connect::connector::{Connector, Pipes, Request};
use convoke_connect::endpoint::Endpoint;
use convoke_connect::error::ConnectError;
use convoke_connect::surroundings::Surroundings;
use convoke_connect::trail::Trail;

use crate::leak::Leaks;

pub use checks::{CHECKS, Check, Needs};
pub use verbs::{Ghost, Site, verbs};

/// How long a subject may take to be reached.
const LIMIT: Duration = Duration::from_secs(20);

/// A connector and an endpoint that it can open.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// An endpoint that it can open as often as it is asked to.
    pub endpoint: Endpoint,
    /// What the far end understands.
    pub far_end: FarEnd,
}

/// What the far end of a subject understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarEnd {
    /// A POSIX shell reads the command line.
    Shell,
    /// The same, but the connector is a program that says with 255 that the connection broke: it cannot
    /// tell that from the command's own 255, nor from a signal.
    ShellOver255,
    /// Whatever the command line says, input is copied to output until its end, and the code is 0.
    Cat,
}

/// A check that was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A subject during one check: everything it opens is marked.
pub(crate) struct Bench<'a> {
    subject: &'a Subject,
    surroundings: Surroundings,
}

impl Bench<'_> {
    /// Opens a connection that runs `command`.
    pub(crate) async fn open(&self, command: &str) -> Result<Pipes, ConnectError> {
        let request = Request {
            endpoint: &self.subject.endpoint,
            command,
            surroundings: &self.surroundings,
            ask: &Nobody,
            terminal: None,
            limit: LIMIT,
            trail: &Trail::new(),
        };
        self.subject.connector.open(request).await
    }
}

/// Makes every check that the far end allows, each with a leak check after it. Prints and returns
/// what was skipped.
///
/// # Panics
/// At the first check that fails.
pub async fn all(subject: &Subject) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    for check in CHECKS {
        if let Some(why) = subject.far_end.lacks(check.needs) {
            let name = check.name;
            println!("skipped {name}: {why}");
            skipped.push(Skipped { name, why });
            continue;
        }
        println!("checking that {}", check.name.replace('_', " "));
        one(subject, check).await;
    }
    let made = CHECKS.len() - skipped.len();
    println!("{made} checks made, {} skipped", skipped.len());
    skipped
}

impl FarEnd {
    /// Why a check cannot be made.
    fn lacks(self, needs: Needs) -> Option<&'static str> {
        match (self, needs) {
            (_, Needs::Cat) | (FarEnd::Shell, _) | (FarEnd::ShellOver255, Needs::Shell) => None,
            (FarEnd::Cat, _) => Some("the far end has no shell"),
            (FarEnd::ShellOver255, Needs::Endings) => Some("255 also means a broken connection"),
        }
    }
}

async fn one(subject: &Subject, check: &Check) {
    let leaks = Leaks::begin();
    let mut surroundings = Surroundings::of_this_process();
    surroundings.environment.push(leaks.mark());
    let bench = Bench {
        subject,
        surroundings,
    };
    (check.run)(&bench).await;
    drop(bench);
    leaks.end().await;
}
