//! Asks the host's name service, by `getent`: a static program cannot load it.

use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::errand::{Errands, Unanswered};

/// How long `getent` may take: a name service that answers later is out of order.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer in bytes: a group of some ten thousand members.
const MAX_ANSWER: usize = 1024 * 1024;

/// The program `getent`, as a `PATH` has it.
#[derive(Debug)]
pub struct Getent {
    path: Vec<u8>,
    errands: Arc<Errands>,
}

/// The name service was asked and did not answer in time, or could not be asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

impl Getent {
    /// Looks for `getent` in `path` whenever it is needed.
    pub fn new(path: Vec<u8>, errands: Arc<Errands>) -> Self {
        Getent { path, errands }
    }

    /// What `getent DATABASE KEY` prints: nothing for an unknown key, or where there is no `getent`.
    ///
    /// Sleeps at most 5 s, then kills it.
    ///
    /// # Errors
    /// [`NoAnswer`]; also when the answer is longer than 1 MiB.
    pub fn ask(&self, database: &str, key: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        // What begins so would be an option, and no name does.
        if key.is_empty() || key.starts_with(b"-") {
            return Ok(Vec::new());
        }
        let Some(program) = self.find() else {
            return Ok(Vec::new());
        };
        let argv = [program.as_slice(), database.as_bytes(), key];
        match self.errands.run(&argv, PATIENCE, MAX_ANSWER) {
            // One that a signal ended has not said all.
            Ok(said) if said.code.is_some() => Ok(said.output),
            Err(Unanswered::NotStarted(Errno::NOENT | Errno::ACCESS | Errno::NOEXEC)) => {
                Ok(Vec::new())
            }
            Ok(_) | Err(_) => Err(NoAnswer),
        }
    }

    fn find(&self) -> Option<BString> {
        let directories = self.path.split(|byte| *byte == b':');
        let mut candidates = directories
            .filter(|directory| directory.starts_with(b"/"))
            .map(|directory| BString::from([directory, b"/getent"].concat()));
        candidates.find(|path| access(path.as_slice(), Access::EXEC_OK).is_ok())
    }
}
