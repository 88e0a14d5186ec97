//! `convoke hosts`: which hosts an expression selects, and whether they can be reached.

use std::sync::Arc;

use convoke::action::{Action, DEFAULT_FANOUT};
use convoke::host::Work;
use convoke::inventory::HostList;
use tokio::sync::mpsc;

use super::conduct::{self, ONE, Undertaking};
use super::print;
use crate::args::ExitRule;
use crate::config::{Check, Environment, Hosts, HostsForm, OutputForm, Stdin};
use crate::descriptors;
use crate::error::Usage;
use crate::exit;
use crate::operator::Operator;
use crate::plan;
use crate::render::Mode;
use crate::render::floor::Floor;
use crate::render::recap::Facts;
use crate::selection;

/// Prints the hosts or what came of reaching them, and returns the exit code.
///
/// # Errors
/// What is wrong with the selection; nothing has been started then.
pub(crate) fn run(config: Hosts, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    match config {
        Hosts::List { selection, form } => {
            let hosts = selection::hosts(&selection, Stdin::Unread)?;
            Ok(list(&hosts, form))
        }
        Hosts::Check(config) => check(*config, here, floor),
    }
}

fn list(hosts: &HostList, form: HostsForm) -> u8 {
    let mut text = match form {
        HostsForm::Lines => hosts.join("\n"),
        HostsForm::Folded => hosts.fold(),
        HostsForm::Count => hosts.len().to_string(),
    };
    if !text.is_empty() {
        text.push('\n');
    }
    print(text.as_bytes())
}

fn check(config: Check, here: &Environment, floor: Floor) -> Result<u8, Usage> {
    let names = selection::hosts(&config.selection, Stdin::Unread)?;
    let terminal = (names.len() == 1).then(|| here.terminal()).flatten();
    let reach = config.reaching.reach(terminal);
    let hosts = plan::hosts(&names, &reach.registry, &config.reaching)?;
    if hosts.is_empty() {
        return Ok(exit::OK);
    }
    let room = descriptors::hosts_that_fit(&names, 0)?;
    let crowd = plan::Crowd::of(hosts.len(), None, DEFAULT_FANOUT, room);
    let terminal = here.operator(Stdin::Unread, hosts.len());
    let operator = Operator::new(
        terminal,
        floor,
        hosts.len(),
        config.reaching.asks_beforehand,
    )?;
    let (_, alarms) = mpsc::channel(1);
    conduct::carry_out(Undertaking {
        is_typed: false,
        hosts: hosts.iter().map(|host| Arc::clone(host.name())).collect(),
        facts: Facts::of_no_command("hosts", crowd.fanout),
        mode: match config.output.form {
            OutputForm::Json => Mode::Json,
            _ => Mode::Checks,
        },
        action: Action::everywhere(hosts, Work::Check).fanout(crowd.fanout),
        warning: crowd.warning,
        output: config.output,
        outdir: None,
        exit_rule: ExitRule::Kind,
        hands: ONE,
        reach,
        operator,
        alarms,
    })
}
