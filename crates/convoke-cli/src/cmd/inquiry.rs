//! The verbs that ask hosts and run nothing there: `convoke stat`, `ls`, `cat`, `facts`, `user`, `group`,
//! `env`.

use std::sync::Arc;

use convoke::action::Action;
use convoke::host::Reach;
use tokio::sync::mpsc;

use super::conduct::{self, ONE, Undertaking};
use super::show;
use crate::args::ExitRule;
use crate::config::{Environment, Inquiry, Rehearsal, Stdin};
use crate::descriptors;
use crate::error::Usage;
use crate::exit;
use crate::operator::Operator;
use crate::plan::Questions;
use crate::render::floor::Floor;
use crate::render::recap::Facts;
use crate::selection;

/// Plans, asks, and returns the exit code.
///
/// # Errors
/// What the operator has to mend; nothing has been started then.
pub(crate) fn run(config: Inquiry, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    let names = selection::hosts(&config.selection, Stdin::Unread)?;
    let terminal = (names.len() == 1).then(|| here.terminal()).flatten();
    let reach = config.reaching.reach(terminal);
    let room = descriptors::hosts_that_fit(&names, 0)?;
    let plan = Questions::new(config, &names, room, &reach.registry)?;
    match plan.rehearsal {
        Rehearsal::Dry => show(plan.text(), &plan.summary(), &plan.output),
        Rehearsal::Wet if plan.hosts.is_empty() => Ok(exit::OK),
        Rehearsal::Wet => carry_out(plan, reach, here, floor),
    }
}

fn carry_out(plan: Questions, reach: Reach, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    let terminal = here.operator(Stdin::Unread, plan.hosts.len());
    let beforehand = plan.reaching.asks_beforehand;
    let operator = Operator::new(terminal, floor, plan.hosts.len(), beforehand)?;
    let names = plan.hosts.iter().map(|host| Arc::clone(host.name()));
    let names = names.collect();
    let (_, alarms) = mpsc::channel(1);
    conduct::carry_out(Undertaking {
        is_typed: false,
        hosts: names,
        action: Action::everywhere(plan.hosts, plan.asked.work())
            .fanout(plan.crowd.fanout)
            .max_fail(plan.pace.max_fail)
            .on_failure(plan.pace.on_failure),
        facts: Facts::of_inquiry(plan.crowd.fanout, plan.asked),
        mode: plan.mode,
        warning: plan.crowd.warning,
        output: plan.output,
        outdir: None,
        exit_rule: ExitRule::Kind,
        hands: ONE,
        reach,
        operator,
        alarms,
    })
}
