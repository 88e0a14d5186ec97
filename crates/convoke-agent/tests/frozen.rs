//! What never answers: disks that hang, and name services.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use convoke_proto::codec::Incoming;
use convoke_proto::exit::{Cause, Killed};
use convoke_proto::message::{Message, Token};
use convoke_proto::operation::Record;
use driver::ask::{answers, download, get, new_file, operate, path, pattern, stat, upload};
use driver::frozen::{Frozen, Lease};
use driver::host::{self, Doomed, is_alive};
use driver::user::{NOBODY, agent_with_getent, as_user};
use driver::{Agent, End, grace, sh};

/// How many jobs may wait for disks at once before others do.
const MAX_LONG: usize = 6;

/// A line of `sh` as which `getent` knows whomever it is asked for.
const KNOWS_ALL: &str =
    "case $1 in initgroups) echo \"$2 12345\";; *) echo \"$2:x:12345:12345::/:/bin/sh\";; esac";

/// Asks for so many looks at a disk that hangs.
fn look(agent: &mut Agent, frozen: &Frozen, count: usize) -> Vec<u32> {
    let at = path(frozen.path());
    (0..count)
        .map(|_| operate(agent, vec![stat(at.clone())]))
        .collect()
}

/// Pings are answered, and processes run: as ourselves, as others, and to their end by KILL.
fn assert_link_goes_on(agent: &mut Agent) {
    for token in 0..20 {
        agent.send(0, &Message::Ping(Token(token)));
        let answer = agent.next_of(0);
        assert_eq!(answer, Incoming::Message(Message::Pong(Token(token))));
    }
    assert_eq!(agent.step_of(sh("echo out")).stdout(), "out\n");
    let other = agent.step_of(as_user(NOBODY, sh("echo $USER")));
    assert_eq!(other.stdout(), "nobody\n");
    let channel = agent.start_step(convoke_proto::command::Start {
        limits: grace(50),
        ..sh("trap '' TERM; echo ready; while :; do sleep 1; done")
    });
    let so_far = agent.read_until(channel, 1, "ready");
    agent.send(channel, &Message::Kill);
    let finished = agent.finish_with(channel, so_far);
    assert_eq!(finished.exit().cause, Cause::Request(Killed::Kill));
}

#[test]
fn a_disk_that_hangs_keeps_nobody_from_the_link() {
    let Some(mut frozen) = Frozen::mount() else {
        return;
    };
    let mut agent = Agent::start();
    // More than there are threads, in every way that waits for a disk.
    let mut stuck = look(&mut agent, &frozen, 2 * MAX_LONG);
    let file = frozen.path().join("file");
    let read = agent.ask(&get(&file));
    let new = agent.ask(&Message::Put(new_file(&file)));
    assert_link_goes_on(&mut agent);
    frozen.fail();
    for channel in stuck.drain(..) {
        let answers = answers(&mut agent, channel);
        assert!(
            matches!(answers.as_slice(), [Record::Failed(_)]),
            "{answers:?}"
        );
    }
    for channel in [read, new] {
        let end = agent.finish(channel).end;
        assert!(
            matches!(end, Some(End::Other(Message::Failed(_)))),
            "{end:?}"
        );
    }
    agent.close();
}

#[test]
fn other_disks_are_used_while_one_hangs() {
    let Some(frozen) = Frozen::mount() else {
        return;
    };
    let mut agent = Agent::start();
    look(&mut agent, &frozen, MAX_LONG - 1);
    let other = operate(&mut agent, vec![stat("/"), stat("/no/such")]);
    assert_eq!(answers(&mut agent, other).len(), 2);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    let content = pattern(1_000_000);
    let stored = upload(&mut agent, new_file(&file), &content);
    assert!(matches!(stored, Message::Stored(_)), "{stored:?}");
    assert_eq!(download(&mut agent, &file).0, content);
    drop(frozen);
    agent.close();
}

#[test]
fn whoever_waits_for_a_disk_ends_with_the_link() {
    let Some(frozen) = Frozen::mount() else {
        return;
    };
    let mut agent = Agent::start();
    look(&mut agent, &frozen, 2 * MAX_LONG);
    agent.ask(&get(&frozen.path().join("file")));
    assert_link_goes_on(&mut agent);
    agent.hang_up();
    assert!(agent.wait().success());
    assert!(!is_alive(agent.worker));
    // And with the worker, whatever becomes of that.
    let mut agent = Agent::start();
    look(&mut agent, &frozen, 2 * MAX_LONG);
    let step = agent.start_step(sh("echo ready; exec sleep 1000"));
    agent.read_until(step, 1, "ready");
    agent.kill_worker();
    assert!(!agent.wait().success());
    assert!(!is_alive(agent.worker));
    host::assert_no_process_of(agent.link);
}

#[test]
fn a_helper_that_cannot_be_read_keeps_nobody_from_the_link() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = agent_with_getent(place.path(), KNOWS_ALL);
    let lease = Lease::of(&place.path().join("getent"));
    let channel = agent.start_step(as_user("known-elsewhere", sh("id -u")));
    host::eventually("somebody waits for the lease", || lease.is_wanted());
    assert_link_goes_on(&mut agent);
    drop(lease);
    assert_eq!(agent.finish(channel).stdout(), "12345\n");
    agent.close();
}

#[test]
fn a_name_that_takes_long_keeps_no_other_waiting() {
    let place = tempfile::tempdir().unwrap();
    let asked = place.path().join("asked");
    let line = format!(
        "case $2 in slow) echo $$ >{}; exec sleep 1000;; esac; {KNOWS_ALL}",
        asked.display()
    );
    let mut agent = agent_with_getent(place.path(), &line);
    let slow = agent.start_step(as_user("slow", sh("true")));
    let helper = || std::fs::read_to_string(&asked).ok()?.trim().parse().ok();
    host::eventually("the name service is asked", || helper().is_some());
    let helper = Doomed(helper().unwrap());
    let quick = agent.step_of(as_user("quick", sh("id -u")));
    assert_eq!(quick.stdout(), "12345\n");
    assert!(is_alive(helper.0), "the other one was waited for");
    agent.send(slow, &Message::Kill);
    assert_eq!(agent.finish(slow).not_started().errno, libc::ECANCELED);
    agent.hang_up();
    agent.wait();
}
