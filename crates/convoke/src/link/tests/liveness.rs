//! Silence, on a clock that the test holds.

use std::time::{Duration, Instant};

use convoke_proto::codec::Incoming;
use convoke_proto::message::{Message, Token};

use super::Talk;
use crate::error::LinkError;

const SECOND: Duration = Duration::from_secs(1);

/// A machine that heard something at the returned time, and nothing since.
fn silent_since() -> (Talk, Instant) {
    let mut talk = Talk::new();
    let now = Instant::now();
    talk.machine.heard(now);
    (talk, now)
}

fn pings(talk: &mut Talk) -> usize {
    let ping = (0, Incoming::Message(Message::Ping(Token(0))));
    talk.says().into_iter().filter(|said| *said == ping).count()
}

#[test]
fn it_pings_after_ten_seconds_of_silence() {
    let (mut talk, heard) = silent_since();
    assert_eq!(talk.machine.deadline(heard), heard + 10 * SECOND);
    talk.machine.tick(heard + 9 * SECOND).unwrap();
    assert_eq!(pings(&mut talk), 0);
    talk.machine.tick(heard + 10 * SECOND).unwrap();
    assert_eq!(pings(&mut talk), 1);
}

#[test]
fn it_is_lost_after_thirty_seconds_of_silence() {
    let (mut talk, heard) = silent_since();
    talk.machine.tick(heard + 10 * SECOND).unwrap();
    assert_eq!(talk.machine.deadline(heard), heard + 20 * SECOND);
    talk.machine.tick(heard + 29 * SECOND).unwrap();
    let lost = talk.machine.tick(heard + 30 * SECOND);
    assert_eq!(lost, Err(LinkError::Silent(30 * SECOND)));
}

#[test]
fn it_pings_an_agent_that_speaks_all_the_time_but_is_never_spoken_to() {
    let (mut talk, began) = silent_since();
    let mut pinged = 0;
    for second in 0..20 * 60 {
        let now = began + second * SECOND;
        talk.machine.heard(now);
        talk.machine.tick(now).unwrap();
        pinged += pings(&mut talk);
    }
    // The agent gives up after ten minutes without a byte.
    assert!((100..=120).contains(&pinged), "{pinged}");
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let (mut talk, heard) = silent_since();
    talk.machine.tick(heard + 10 * SECOND).unwrap();
    talk.machine.heard(heard + 29 * SECOND);
    talk.machine.tick(heard + 30 * SECOND).unwrap();
    assert_eq!(talk.machine.deadline(heard), heard + 39 * SECOND);
}

#[test]
fn a_process_that_was_stopped_for_an_hour_asks_again_before_it_gives_up() {
    for pinged in [false, true] {
        let (mut talk, heard) = silent_since();
        if pinged {
            talk.machine.tick(heard + 10 * SECOND).unwrap();
            pings(&mut talk);
        }
        let awake = heard + 3600 * SECOND;
        talk.machine.tick(awake).unwrap();
        assert_eq!(pings(&mut talk), 1);
        assert_eq!(talk.machine.deadline(awake), awake + 10 * SECOND);
        let lost = talk.machine.tick(awake + 30 * SECOND);
        assert_eq!(lost, Err(LinkError::Silent(30 * SECOND)));
    }
}
