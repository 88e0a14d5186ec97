//! Files between this machine and hosts, once it is known which.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use convoke::action::Action;
use convoke::files::BUDGET;
use convoke::host::{Host, Reach};
use convoke::proto::credit::Budget;
use tokio::sync::mpsc;

use super::conduct::{self, ONE, Undertaking};
use super::show;
use crate::config::{Environment, Rehearsal, Stdin};
use crate::error::Usage;
use crate::exit;
use crate::operator::Operator;
use crate::plan::{Files, LITTLE};
use crate::render::floor::Floor;
use crate::render::recap::Facts;

/// How many threads encrypt what goes to hosts, or comes from them, at most. One does a gigabyte a second; each
/// keeps some memory of its own.
const MAX_HANDS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// What carrying out a plan takes beside the plan.
pub(super) struct Means<'a> {
    pub(super) here: &'a Environment,
    pub(super) floor: Floor,
    pub(super) reach: Reach,
    /// Whether our stdin is read.
    pub(super) stdin: Stdin,
    /// How many bytes each host gets, once its files are open, when that is known.
    pub(super) each: Option<u64>,
}

/// Shows the plan, or carries it out: `action` is what the hosts are asked for.
pub(super) fn carry_out(
    plan: Files,
    means: Means<'_>,
    action: impl FnOnce(Vec<Host>) -> Action,
) -> Result<u8, Usage> {
    if plan.moving.rehearsal == Rehearsal::Dry {
        return show(plan.text(), &plan.summary(), &plan.moving.output);
    }
    if plan.hosts.is_empty() {
        return Ok(exit::OK);
    }
    let beforehand = plan.moving.reaching.asks_beforehand;
    let terminal = means.here.operator(means.stdin, plan.hosts.len());
    let operator = Operator::new(terminal, means.floor, plan.hosts.len(), beforehand)?;
    let names = plan.hosts.iter().map(|host| Arc::clone(host.name()));
    let names = names.collect();
    let pace = plan.moving.pace;
    let (_, alarms) = mpsc::channel(1);
    conduct::carry_out(Undertaking {
        action: action(plan.hosts)
            .fanout(plan.crowd.fanout)
            .max_fail(pace.max_fail)
            .on_failure(pace.on_failure),
        reach: Reach {
            budget: Budget::new(BUDGET),
            ..means.reach
        },
        operator,
        hosts: names,
        is_typed: means.stdin == Stdin::Sent && means.here.is_stdin_terminal,
        facts: Facts::of_files(plan.verb, plan.crowd.fanout, means.each),
        mode: plan.mode,
        output: plan.moving.output,
        outdir: None,
        warning: plan.crowd.warning,
        alarms,
        exit_rule: plan.moving.exit_rule,
        hands: hands(plan.each),
    })
}

/// How many threads it takes to move so many bytes for each host. Most of the work for few is to connect, which
/// several do not do for less.
fn hands(each: Option<u64>) -> NonZeroUsize {
    match each {
        Some(0..=LITTLE) => ONE,
        Some(_) | None => thread::available_parallelism()
            .unwrap_or(ONE)
            .min(MAX_HANDS),
    }
}

/// How an error of a directory here is told.
pub(super) fn unusable(path: &std::path::Path, error: &io::Error) -> Usage {
    let error = crate::error::in_words(error);
    Usage::new(format!("failed to write to {path:?}: {error}"))
}
