//! What else reaches many hosts, where it is installed.

use std::process::Command;

use convoke_testkit::fleet::Fleet;

use super::bare;
use crate::measure::shell;

/// Prints a line of every host with the library parallel-ssh (libssh2).
const PARALLEL_SSH: &str = "
import sys
from pssh.clients import ParallelSSHClient
hosts, user, port, key = open(sys.argv[1]).read().split(), sys.argv[2], int(sys.argv[3]), sys.argv[4]
client = ParallelSSHClient(hosts, user=user, port=port, pkey=key, pool_size=64, allow_agent=False)
failed = 0
for output in client.run_command('echo ok', stop_on_errors=False):
    if output.exception: failed = 1
    else: print(output.host, *output.stdout)
client.join()
sys.exit(failed)
";

/// A peer, and how it says a line on every host.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// None where it is not installed.
    pub(super) command: Option<Box<dyn Fn() -> Command>>,
}

/// The peers of a fleet, whose hosts `list` names.
pub(super) fn all(fleet: &Fleet, list: &str) -> Vec<Peer> {
    let config = fleet.ssh_config().display().to_string();
    let pdsh = format!("PDSH_SSH_ARGS_APPEND='-F {config}' pdsh -R ssh -f 64 -w ^{list} echo ok");
    let xargs = format!("xargs -a {list} -P 64 -I% ssh -F {config} % echo ok");
    vec![
        Peer {
            name: "xargs -P 64 ssh",
            command: Some(Box::new(move || shell(&xargs))),
        },
        Peer {
            name: "pdsh -f 64",
            command: is_there("command -v pdsh").then(|| boxed(move || shell(&pdsh))),
        },
        bssh(fleet, list),
        parallel_ssh(fleet, list),
    ]
}

fn boxed(make: impl Fn() -> Command + 'static) -> Box<dyn Fn() -> Command> {
    Box::new(make)
}

fn bssh(fleet: &Fleet, list: &str) -> Peer {
    let program = variable("CONVOKE_BENCH_BSSH", "bssh");
    let (account, port) = (fleet.account().to_owned(), fleet.port());
    let key = fleet.identity().display().to_string();
    let line = format!(
        "{program} -H $(sed 's/$/:{port}/' {list} | paste -sd,) -l {account} -i {key} \
         --strict-host-key-checking no --parallel 64 'echo ok'"
    );
    Peer {
        name: "bssh --parallel 64",
        command: is_there(&format!("command -v {program}")).then(|| boxed(move || shell(&line))),
    }
}

fn parallel_ssh(fleet: &Fleet, list: &str) -> Peer {
    let python = variable("CONVOKE_BENCH_PYTHON", "python3");
    let arguments = [
        list.to_owned(),
        fleet.account().to_owned(),
        fleet.port().to_string(),
        fleet.identity().display().to_string(),
    ];
    let has_it = is_there(&format!("{python} -c 'import pssh.clients'"));
    let make = move || {
        // `sh` is what gives it no input and no output.
        let mut command = shell("exec \"$@\"");
        command.args(["sh", &*python, "-c", PARALLEL_SSH]);
        command.args(&arguments);
        command
    };
    Peer {
        name: "parallel-ssh, 64 at once",
        command: has_it.then(|| boxed(make)),
    }
}

/// The ssh library alone.
pub(super) fn bare(fleet: &Fleet, list: &str) -> std::io::Result<Command> {
    bare::process(fleet, list)
}

fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn is_there(test: &str) -> bool {
    let line = format!("{test} 2>/dev/null");
    shell(&line).status().is_ok_and(|status| status.success())
}
