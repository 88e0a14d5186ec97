//! The smallest far side there can be: a byte comes, `true` runs, a byte goes.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use convoke_testkit::fleet::Fleet;

use crate::link::{self, Bare};

/// The word that makes this program one.
pub(crate) const WORD: &str = "far-side";

/// One over ssh.
pub(super) struct Far {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Far {
    pub(super) fn start(fleet: &Fleet) -> io::Result<Far> {
        let program = std::env::current_exe()?;
        let mut child = fleet
            .ssh(&fleet.address(1).to_string())
            .arg(format!("exec {} {WORD}", program.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || io::Error::other("ssh has no pipes");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        Ok(Far {
            child,
            input,
            output,
        })
    }

    /// Commands a second, one after the other.
    pub(super) fn commands(&mut self) -> io::Result<f64> {
        let began = Instant::now();
        for _ in 0..link::COMMANDS {
            self.input.write_all(b"?")?;
            self.output.read_exact(&mut [0])?;
        }
        Ok(link::rate(link::COMMANDS, began.elapsed()))
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What runs on the host.
pub(crate) fn serve() -> io::Result<()> {
    let mut bare = Bare::new();
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while input.read_exact(&mut [0]).is_ok() {
        bare.command()?;
        output.write_all(b"!")?;
        output.flush()?;
    }
    Ok(())
}
