//! ssh on the operator's terminal.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use convoke_connect::connector::Ending;
use convoke_connect::terminal::Terminal;

use crate::stub::{Stub, all};

#[tokio::test]
async fn without_a_terminal_of_ours_ssh_is_started_in_batch_mode() {
    let stub = Stub::new("");
    let not_ours = Terminal::new(std::fs::File::open("/dev/null").unwrap().into());
    let pipes = stub.open_on("web1", Some(&not_ours)).await.unwrap();
    assert!(pipes.lent.is_none());
    all(pipes.reader).await;
    assert_eq!(pipes.close.close().await, Ending::Exited { code: 0 });
    assert!(stub.argv().contains(&"BatchMode=yes".to_owned()));
}
