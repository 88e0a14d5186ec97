//! What the library knows about the machine and account it runs on.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The home directory, environment, host name and temporary directory of the controller, as a value
/// that is handed down. Nothing else in the library reads them.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The environment that local programs are started with.
    pub environment: Vec<(OsString, OsString)>,
    /// The home directory: the environment's, else the account's.
    pub home: Option<PathBuf>,
    /// The host name of this machine.
    pub host_name: String,
    /// Where temporary files go.
    pub temporary: PathBuf,
}

impl Surroundings {
    /// Reads them from this process: the only place that does.
    pub fn of_this_process() -> Self {
        let environment: Vec<_> = std::env::vars_os().collect();
        Surroundings {
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            host_name: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            temporary: std::env::temp_dir(),
            environment,
        }
    }

    /// The value of an environment variable.
    pub fn variable(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        let name = name.as_ref();
        self.environment
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_os_str())
    }
}
