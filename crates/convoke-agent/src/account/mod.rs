//! The login: its home and its shell; and who else the host knows.
//!
//! From the environment that the login gave us, else from the account data base.

pub mod database;
pub mod getent;
pub mod service;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use bstr::BString;
use rustix::process::getuid;

use database::Key;
use service::NameService;

/// Where a login starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The home directory; `/` when the account has none.
    pub home: BString,
    /// The login shell; `/bin/sh` when the account names none.
    pub shell: BString,
}

impl Account {
    /// The login of this process. Sleeps while the name service is asked, when that is needed at all.
    pub fn of_this_process(service: &NameService) -> Self {
        let home = variable("HOME");
        let shell = variable("SHELL");
        if let (Some(home), Some(shell)) = (&home, &shell) {
            return Account {
                home: home.clone(),
                shell: shell.clone(),
            };
        }
        let uid = getuid().as_raw();
        let recorded = service.user(Key::Number(uid)).ok().flatten();
        let (recorded_home, recorded_shell) = match recorded {
            Some(user) => (user.home, user.shell),
            None => ("/".into(), "/bin/sh".into()),
        };
        Account {
            home: home.unwrap_or(recorded_home),
            shell: shell.unwrap_or(recorded_shell),
        }
    }
}

fn variable(name: &str) -> Option<BString> {
    let value = std::env::var_os(name)?;
    let value: &OsStr = &value;
    (!value.is_empty()).then(|| value.as_bytes().into())
}
