//! Every connector passes the suite.

use std::sync::Arc;

use convoke_connect::local::Local;
use convoke_testkit::conformance::{self, FarEnd, Skipped, Subject};
use convoke_testkit::memory::{Memory, Script};

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
async fn memory_conforms_where_no_shell_is_needed() {
    let subject = Subject {
        connector: Arc::new(Memory::new(Script::cat())),
        endpoint: "memory:demo1".parse().unwrap(),
        far_end: FarEnd::Cat,
    };
    let skipped = conformance::all(&subject).await;
    let needs_shell = conformance::CHECKS.iter().filter(|check| check.needs_shell);
    let names = needs_shell.map(|check| check.name);
    assert!(skipped.iter().map(|Skipped { name, .. }| *name).eq(names));
}
