//! Hosts where no sshd is.

use std::time::Instant;

use convoke_testkit::fleet::{DeadEnd, Fleet};
use convoke_testkit::leak::Leaks;

use crate::run;

/// What ssh says when it gives up after a second.
fn said_of(fleet: &Fleet, dead_end: &DeadEnd) -> String {
    fleet.alias("bad", dead_end.address());
    let begin = Instant::now();
    let ended = run(fleet.ssh("bad").args(["-o", "ConnectTimeout=1", "true"]));
    let stderr = String::from_utf8_lossy(&ended.stderr);
    println!("{:?}: {stderr}", begin.elapsed());
    assert_eq!(ended.status.code(), Some(255));
    stderr.into_owned()
}

#[tokio::test]
async fn each_fails_in_its_own_way() {
    let fleet = Fleet::start();
    let leaks = Leaks::begin();
    for (dead_end, words) in [
        (fleet.refusing(), "Connection refused"),
        (fleet.hanging(), "timed out during banner exchange"),
        (fleet.silent(), "Connection timed out"),
    ] {
        let said = said_of(&fleet, &dead_end);
        assert!(said.contains(words), "{said}");
        let again = said_of(&fleet, &dead_end);
        assert!(again.contains(words), "{again}");
    }
    leaks.end().await;
}
