//! What else asks a host for facts and effects over one open connection, where it is installed.

use std::io;
use std::process::{Command, Stdio};

use convoke_testkit::fleet::Fleet;

/// What every peer's program begins with: its arguments, and the loop that is timed.
const FRAME: &str = "
import os, sys, time
host, user, port, key, config, work, directory, count = sys.argv[1:9]
port, count = int(port), int(count)
source, content = os.path.join(directory, 'source'), os.urandom(1024)
def loop(operation):
    operation(0)
    began = time.monotonic()
    for number in range(count): operation(number)
    print(count / (time.monotonic() - began))
def path(number): return os.path.join(directory, 'peer%d' % number)
";

/// The library parallel-ssh (libssh2), by SFTP.
const PARALLEL_SSH: &str = "
from pssh.clients import SSHClient
client = SSHClient(host, user=user, port=port, pkey=key, allow_agent=False)
sftp = client._make_sftp()
if work == 'stat': loop(lambda number: client.eagain(sftp.stat, source))
else:
    import tempfile
    ours = tempfile.NamedTemporaryFile()
    ours.write(content); ours.flush()
    loop(lambda number: client.copy_file(ours.name, path(number)))
";

/// fora, whose helper on the host is Python.
const FORA: &str = "
import argparse, types, fora
from fora.connectors.ssh import SshConnector
fora.args = argparse.Namespace(debug=False, verbose=0, dry=False, diff=False, no_color=True)
from fora import logger
logger.connection_init = logger.connection_established = lambda *a, **k: None
class Connector(SshConnector):
    def command(self):
        # It asks for a `python` that most hosts no longer have.
        return [word.replace('| python -c', '| python3 -c') for word in super().command()]
connection = Connector('ssh://%s@%s:%d' % (user, host, port), types.SimpleNamespace(ssh_opts=['-F', config]))
connection.open()
if work == 'stat': loop(lambda number: connection.stat(source))
else: loop(lambda number: connection.upload(path(number), content))
connection.close()
";

/// A peer that is installed.
pub(super) struct Peer {
    pub(super) name: &'static str,
    program: String,
}

/// What is asked of a host.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Stat,
    Put,
}

impl Work {
    fn word(self) -> &'static str {
        match self {
            Work::Stat => "stat",
            Work::Put => "put",
        }
    }
}

/// Those that are installed; says of the others that they are not.
pub(super) fn all() -> Vec<Peer> {
    let peers = [
        ("parallel-ssh, sftp", "import pssh.clients", PARALLEL_SSH),
        ("fora", "import fora", FORA),
    ];
    let installed = peers.into_iter().filter(|(name, test, _)| {
        let is_there = python()
            .args(["-c", test])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !is_there {
            println!("{name} is not installed");
        }
        is_there
    });
    installed
        .map(|(name, _, program)| Peer {
            name,
            program: format!("{FRAME}{program}"),
        })
        .collect()
}

impl Peer {
    /// So many operations one after the other; how many a second.
    pub(super) fn rate(
        &self,
        fleet: &Fleet,
        directory: &str,
        work: Work,
        count: usize,
    ) -> io::Result<f64> {
        let output = python()
            .args(["-c", &self.program])
            .args([fleet.address(1).to_string(), fleet.account().to_owned()])
            .arg(fleet.port().to_string())
            .args([fleet.identity(), fleet.ssh_config()])
            .arg(work.word())
            .arg(directory)
            .arg(count.to_string())
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().last().and_then(|line| line.parse().ok());
        rate.ok_or_else(|| io::Error::other(format!("{} printed {text:?}", self.name)))
    }
}

fn python() -> Command {
    let program = std::env::var("CONVOKE_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}
