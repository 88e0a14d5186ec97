//! The suite that the verbs pass, over whatever connector the host is reached by.
//!
//! Everything is asked of the host itself: it need not be on this machine.

mod accounts;
mod batches;
mod change;
mod denied;
mod files;
mod full;
mod look;
mod names;
mod open;
mod races;
mod run;
mod scopes;
mod together;

use std::pin::Pin;

use convoke::BString;
use convoke::host::{Host, Reach};
use convoke::remote::Remote;
use convoke::scope::Scope;
use convoke::verb::{Verbs as _, Who};

use super::Skipped;

/// A host, and what stands ready there.
#[derive(Clone)]
pub struct Site {
    /// The host.
    pub host: Host,
    /// How it is reached.
    pub reach: Reach,
    /// A user whom only `getent` knows, with a group of the same name and number.
    pub ghost: Option<Ghost>,
    /// A directory that the login may write to, on a disk of a few megabytes to which nobody else writes.
    pub small_disk: Option<BString>,
}

/// A user whom only `getent` knows.
#[derive(Debug, Clone, Copy)]
pub struct Ghost {
    /// The name.
    pub name: &'static str,
    /// The number.
    pub number: u32,
    /// The home directory, which need not exist.
    pub home: &'static str,
    /// Who is in the group.
    pub members: &'static [&'static str],
}

/// One thing that is true of the verbs on every host.
#[derive(Clone, Copy)]
struct Check {
    /// The claim, as the name of a test.
    name: &'static str,
    needs: Needs,
    run: for<'a> fn(&'a Ground) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// What a check takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Anybody,
    Root,
    Ordinary,
    Ghost,
    SmallDisk,
}

/// What a check works on.
struct Ground {
    /// The host, in a directory that was just made.
    remote: Remote,
    /// The same without a scope.
    bare: Remote,
    /// The directory.
    directory: BString,
    /// A user whom only `getent` knows.
    ghost: Option<Ghost>,
    /// A directory on a disk that is soon full.
    small_disk: Option<BString>,
}

impl Ground {
    /// The absolute path of a name in the directory.
    fn at(&self, name: &str) -> BString {
        self.remote.scope().join(name.into())
    }

    /// A relative path of a name in the directory, from the login home.
    async fn beneath_home(&self, name: &str) -> BString {
        let home = self.said("cd && pwd -P").await;
        let up = home.split('/').filter(|name| !name.is_empty());
        let up = up.map(|_| "..").collect::<Vec<_>>().join("/");
        let path = self.at(name);
        let path = path.strip_prefix(b"/").unwrap_or(&path);
        [up.as_bytes(), b"/", path].concat().into()
    }

    /// What a line of shell says on the host.
    async fn said(&self, line: &str) -> String {
        let line = convoke::verb::Run::line(line, [""; 0]);
        let completed = self.remote.ask(line).await.unwrap();
        completed.stdout.to_string().trim_end().to_owned()
    }
}

/// Makes a list of checks out of the names of their functions.
macro_rules! checks {
    ($($needs:ident $name:ident)*) => {
        /// The checks of this file.
        pub(super) const CHECKS: &[super::Check] = &[$(super::Check {
            name: stringify!($name),
            needs: super::Needs::$needs,
            run: |ground| Box::pin($name(ground)),
        }),*];
    };
}

/// Asserts that a verb fails in this way.
macro_rules! fails {
    ($result:expr, $kind:ident $fields:tt $(if $guard:expr)?) => {
        match $result {
            Err(convoke::remote::VerbError::$kind $fields) $(if $guard)? => {}
            other => panic!("{}: {other:?}", stringify!($result)),
        }
    };
}

use {checks, fails};

/// Makes every check that the login allows, over one connection. Prints and returns what was skipped.
///
/// # Panics
/// At the first check that fails.
pub async fn verbs(site: &Site) -> Vec<Skipped> {
    let remote = Remote::open(&site.host, &site.reach).await.unwrap();
    let uid = remote.query_user(Who::Login).await.unwrap().uid;
    let all = [
        look::CHECKS,
        names::CHECKS,
        change::CHECKS,
        denied::CHECKS,
        files::CHECKS,
        races::CHECKS,
        open::CHECKS,
        run::CHECKS,
        accounts::CHECKS,
        scopes::CHECKS,
        batches::CHECKS,
        together::CHECKS,
        full::CHECKS,
    ];
    let mut skipped = Vec::new();
    for check in all.concat() {
        let name = check.name;
        if let Some(why) = lacks(site, uid, check.needs) {
            println!("skipped {name}: {why}");
            skipped.push(Skipped { name, why });
            continue;
        }
        println!("checking that {}", name.replace('_', " "));
        one(site, &remote, check).await;
    }
    remote.close().await;
    skipped
}

/// Why a check cannot be made.
fn lacks(site: &Site, uid: u32, needs: Needs) -> Option<&'static str> {
    match needs {
        Needs::Root if uid != 0 => Some("the login is not root"),
        Needs::Ordinary if uid == 0 => Some("the login is root, who may do everything"),
        Needs::Ghost if site.ghost.is_none() => Some("nobody is known to getent alone"),
        Needs::SmallDisk if site.small_disk.is_none() => Some("no disk is small enough to fill it"),
        _ => None,
    }
}

/// Makes a check in a directory of its own.
async fn one(site: &Site, remote: &Remote, check: Check) {
    let directory = remote.tempdir().await.unwrap();
    let ground = Ground {
        remote: remote.within(&Scope::new().cwd(directory.clone())),
        bare: remote.clone(),
        directory: directory.clone(),
        ghost: site.ghost,
        small_disk: site.small_disk.clone(),
    };
    (check.run)(&ground).await;
    remote.remove_tree(directory).await.unwrap();
}
