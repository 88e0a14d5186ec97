//! Every connector passes the suite.

use std::sync::Arc;
use std::time::Duration;

use convoke_connect::local::Local;
use convoke_connect::ssh::Native;
use convoke_connect::ssh::{Openssh, SshOptions};
use convoke_testkit::conformance::{self, CHECKS, FarEnd, Needs, Skipped, Subject};
use convoke_testkit::fleet::Fleet;
use convoke_testkit::memory::{Memory, Script};

/// How long ended connections may take to be gone from a host on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn local_conforms() {
    let subject = Subject {
        connector: Arc::new(Local),
        endpoint: "local:demo1".parse().unwrap(),
        far_end: FarEnd::Shell,
    };
    assert_eq!(conformance::all(&subject).await, []);
}

#[tokio::test]
async fn openssh_conforms() {
    let fleet = Fleet::start();
    let options = SshOptions {
        config: Some(fleet.ssh_config()),
        ..SshOptions::default()
    };
    let subject = Subject {
        connector: Arc::new(Openssh::new(options)),
        endpoint: format!("ssh://{}", fleet.address(1)).parse().unwrap(),
        far_end: FarEnd::ShellOver255,
    };
    let skipped = conformance::all(&subject).await;
    assert_eq!(names(&skipped), needing(&[Needs::Endings]));
    drop(subject);
    listener_alone(&fleet).await;
}

#[tokio::test]
async fn native_conforms() {
    let fleet = Fleet::start();
    let options = SshOptions {
        config: Some(fleet.ssh_config()),
        ..SshOptions::default()
    };
    let subject = Subject {
        connector: Arc::new(Native::new(options)),
        endpoint: format!("ssh+native://{}", fleet.address(1))
            .parse()
            .unwrap(),
        far_end: FarEnd::Shell,
    };
    assert_eq!(conformance::all(&subject).await, []);
    drop(subject);
    listener_alone(&fleet).await;
}

/// Waits until the far side of every connection has ended, too.
async fn listener_alone(fleet: &Fleet) {
    let listener_alone = async {
        while fleet.processes().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, listener_alone).await;
    waited.unwrap_or_else(|_| panic!("still run: {:?}", fleet.processes()));
}

#[tokio::test]
async fn memory_conforms_where_no_shell_is_needed() {
    let subject = Subject {
        connector: Arc::new(Memory::new(Script::cat())),
        endpoint: "memory:demo1".parse().unwrap(),
        far_end: FarEnd::Cat,
    };
    let skipped = conformance::all(&subject).await;
    assert_eq!(names(&skipped), needing(&[Needs::Shell, Needs::Endings]));
}

/// The names of the checks that take any of these.
fn needing(needs: &[Needs]) -> Vec<&'static str> {
    let checks = CHECKS.iter().filter(|check| needs.contains(&check.needs));
    checks.map(|check| check.name).collect()
}

fn names(skipped: &[Skipped]) -> Vec<&'static str> {
    skipped.iter().map(|one| one.name).collect()
}
