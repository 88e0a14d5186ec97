//! What becomes of a request that is made while the link ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::{Link, State};
use super::session::pair_with;
use crate::error::LinkError;

#[tokio::test]
async fn once_a_link_is_over_no_request_is_put_where_nobody_looks() {
    // Its task has said so, and has not closed the queue yet.
    let over = State::Down(LinkError::Closed, None);
    let (control, _requests) = mpsc::unbounded_channel();
    let link = Link {
        control,
        state: watch::channel(over).1,
        ..pair_with(1024).0
    };
    let asked = link.send_noop().await;
    assert_eq!(asked.err(), Some(LinkError::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_asked_while_a_link_ends_is_answered() {
    for _ in 0..2_000 {
        let (link, agent) = pair_with(1024);
        let link = Arc::new(link);
        let mut asking = JoinSet::new();
        for _ in 0..4 {
            let link = Arc::clone(&link);
            asking.spawn(async move {
                let mut asked = Vec::new();
                while let Ok(channel) = link.send_noop().await {
                    asked.push(channel);
                }
                for mut channel in asked {
                    assert!(channel.next().await.is_last());
                }
            });
        }
        drop(agent);
        let answered = timeout(Duration::from_secs(10), asking.join_all()).await;
        assert!(answered.is_ok(), "somebody waits for ever");
    }
}
