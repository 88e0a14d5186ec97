//! The login: its home and its shell; and who else the host knows.
//!
//! From the environment that the login gave us, else from the account data base.

pub mod database;
pub mod getent;
pub mod service;

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
    /// The account of this process, from the two variables of its login as far as they say something.
    /// Sleeps while the name service is asked, when that is needed at all.
    pub fn of_this_process(
        home: Option<&[u8]>,
        shell: Option<&[u8]>,
        service: &NameService,
    ) -> Self {
        let said = |variable: Option<&[u8]>| {
            let text = variable.filter(|text| !text.is_empty())?;
            Some(BString::from(text))
        };
        let (home, shell) = match (said(home), said(shell)) {
            (Some(home), Some(shell)) => return Account { home, shell },
            said => said,
        };
        let recorded = service.user(Key::Number(getuid().as_raw()));
        let (recorded_home, recorded_shell) = match recorded.ok().flatten() {
            Some(user) => (user.home, user.shell),
            None => ("/".into(), "/bin/sh".into()),
        };
        Account {
            home: home.unwrap_or(recorded_home),
            shell: shell.unwrap_or(recorded_shell),
        }
    }
}
