//! `convoke run`: a command on hosts.

use std::io;
use std::sync::Arc;

use convoke::action::Action;
use convoke::event::RunId;
use convoke::host::{Reach, Work};
use convoke::process::{Command, Input};
use tokio::sync::mpsc;

use super::conduct::{self, ONE, Undertaking};
use super::show;
use crate::config::{Environment, Output, Rehearsal, Run, Stdin};
use crate::descriptors;
use crate::error::{Usage, in_words};
use crate::exit;
use crate::operator::Operator;
use crate::plan::{Parts, Plan};
use crate::render::Mode;
use crate::render::floor::Floor;
use crate::render::outdir::{self, Outdir};
use crate::selection;
use crate::stdin::{Alarm, Errors, Spool, Straight};

/// Plans, carries out, and returns the exit code.
///
/// # Errors
/// What the operator has to mend; nothing has been started then.
pub(crate) fn run(config: Run, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    let hosts = selection::hosts(&config.selection, config.stdin)?;
    // Our stdin may be that terminal.
    let may_ask = hosts.len() == 1 && config.stdin == Stdin::Unread;
    let terminal = may_ask.then(|| here.terminal()).flatten();
    let reach = config.reaching.reach(terminal);
    let asks_beforehand = config.reaching.asks_beforehand;
    let parts = Parts {
        reaching: config.reaching,
        hosts: &hosts,
        work: config.command,
        stdin: config.stdin,
        pace: config.pace,
        mode: Mode::of(&config.output, hosts.len()),
        outdir: config.output.outdir.clone(),
        safety: config.output.safety,
        exit_rule: config.exit_rule,
        room: descriptors::hosts_that_fit(
            &hosts,
            match config.output.outdir {
                Some(_) => outdir::DESCRIPTORS,
                None => 0,
            },
        )?,
    };
    let plan = Plan::new(parts, &reach.registry)?;
    match config.rehearsal {
        Rehearsal::Dry => show(plan.text(), &plan.summary(), &config.output),
        Rehearsal::Wet if plan.hosts.is_empty() => Ok(exit::OK),
        Rehearsal::Wet => {
            let terminal = here.operator(plan.stdin, plan.hosts.len());
            let operator = Operator::new(terminal, floor, plan.hosts.len(), asks_beforehand)?;
            carry_out(plan, reach, operator, config.output, here)
        }
    }
}

fn carry_out(
    plan: Plan,
    reach: Reach,
    operator: Operator,
    output: Output,
    here: &Environment,
) -> Result<u8, Usage> {
    let (told, alarms) = mpsc::channel(1);
    let command = Command {
        input: input(&plan, &output, Errors::Told(Alarm::new("stdin", told)))?,
        ..plan.command()
    };
    let names: Vec<_> = plan.names().collect();
    let facts = plan.facts();
    let action = Action::everywhere(plan.hosts, Work::Process(command))
        .fanout(plan.crowd.fanout)
        .max_fail(plan.pace.max_fail)
        .on_failure(plan.pace.on_failure);
    let undertaking = Undertaking {
        outdir: outdir(&names, &output, action.id())?,
        is_typed: plan.stdin == Stdin::Sent && here.is_stdin_terminal,
        hosts: names,
        facts,
        mode: plan.mode,
        warning: plan.crowd.warning,
        exit_rule: plan.exit_rule,
        hands: ONE,
        action,
        reach,
        operator,
        output,
        alarms,
    };
    conduct::carry_out(undertaking)
}

/// Where results are kept as files, if they are to be.
fn outdir(hosts: &[Arc<str>], output: &Output, run: &RunId) -> Result<Option<Outdir>, Usage> {
    let Some(path) = &output.outdir else {
        return Ok(None);
    };
    let made = Outdir::new(path, hosts, run.clone());
    made.map(Some).map_err(|(path, error)| {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "`df -h DIR` and `df -i DIR` show what is full; --outdir may name another place"
            }
            io::ErrorKind::NotFound => {
                "nothing can be made there; is it a link that leads nowhere?"
            }
            _ => "--outdir DIR takes a directory that is ours, or makes it",
        };
        let error = in_words(&error);
        Usage::new(format!("failed to keep results in {path:?}: {error}")).hint(hint)
    })
}

/// Our stdin as the plan wants it. For several hosts it is being read from now on.
fn input(plan: &Plan, output: &Output, errors: Errors) -> Result<Input, Usage> {
    match (plan.stdin, plan.hosts.len()) {
        (Stdin::Unread, _) => return Ok(Input::None),
        (Stdin::Sent, 0 | 1) => return Ok(Input::Source(Arc::new(Straight { errors }))),
        (Stdin::Sent, _) => {}
    }
    let no_spool = |error: io::Error| {
        let directory = &output.temporary;
        Usage::new(format!(
            "failed to make a spool for stdin in {directory:?}: {}",
            in_words(&error)
        ))
        .hint("TMPDIR names another directory")
    };
    let spool = Spool::new(&output.temporary, errors).map_err(no_spool)?;
    let filled = spool.clone();
    conduct::spawn("stdin", move || filled.fill(io::stdin().lock()))?;
    Ok(Input::Source(Arc::new(spool)))
}
