//! The queue of one channel.

use super::super::Delivery;
use super::super::inbox::Inbox;
use crate::error::LinkError;

fn output(stream: u8, data: impl AsRef<[u8]>) -> Delivery {
    Delivery::Output {
        stream,
        data: data.as_ref().to_vec().into(),
    }
}

fn credit(stream: u8, bytes: u32) -> Delivery {
    Delivery::Credit { stream, bytes }
}

async fn drain(inbox: &Inbox) -> Vec<Delivery> {
    inbox.put(Delivery::Lost(LinkError::Closed));
    let mut all = Vec::new();
    loop {
        match inbox.take().await {
            Delivery::Lost(_) => return all,
            other => all.push(other),
        }
    }
}

#[tokio::test]
async fn small_pieces_of_one_stream_are_joined_while_they_wait() {
    let inbox = Inbox::default();
    for _ in 0..1_000 {
        inbox.put(output(1, "x"));
    }
    assert_eq!(drain(&inbox).await, [output(1, "x".repeat(1_000))]);
}

#[tokio::test]
async fn long_pieces_are_not_copied_together() {
    let inbox = Inbox::default();
    inbox.put(output(1, [b'x'; 3_000]));
    inbox.put(output(1, [b'y'; 3_000]));
    assert_eq!(
        drain(&inbox).await,
        [output(1, [b'x'; 3_000]), output(1, [b'y'; 3_000])]
    );
}

#[tokio::test]
async fn pieces_of_different_streams_keep_their_order() {
    let inbox = Inbox::default();
    for (stream, text) in [(1, "a"), (2, "b"), (1, "c")] {
        inbox.put(output(stream, text));
    }
    assert_eq!(
        drain(&inbox).await,
        [output(1, "a"), output(2, "b"), output(1, "c")]
    );
}

#[tokio::test]
async fn pieces_are_not_joined_across_anything_but_output() {
    let inbox = Inbox::default();
    for delivery in [
        output(1, "a"),
        Delivery::InputClosed { stream: 0 },
        output(1, "b"),
    ] {
        inbox.put(delivery);
    }
    assert_eq!(drain(&inbox).await.len(), 3);
}

#[tokio::test]
async fn two_streams_in_turn_byte_by_byte_cost_few_entries() {
    let inbox = Inbox::default();
    for _ in 0..100_000 {
        inbox.put(output(1, "o"));
        inbox.put(output(2, "e"));
    }
    let all = drain(&inbox).await;
    assert!(all.len() < 2_000, "{} entries", all.len());
    for (stream, letter) in [(1, b'o'), (2, b'e')] {
        let bytes: Vec<u8> = all
            .iter()
            .filter_map(|delivery| match delivery {
                Delivery::Output { stream: of, data } if *of == stream => Some(data.to_vec()),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(bytes, vec![letter; 100_000]);
    }
}

#[tokio::test]
async fn credit_is_summed_up_while_it_waits() {
    let inbox = Inbox::default();
    for _ in 0..1_000 {
        inbox.put(credit(0, 2));
        inbox.put(output(1, "x"));
    }
    assert_eq!(
        drain(&inbox).await,
        [credit(0, 2_000), output(1, "x".repeat(1_000))]
    );
}
