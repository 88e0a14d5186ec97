//! Processes that run as somebody else.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bstr::BString;
use convoke_proto::codec::Incoming;
use convoke_proto::command::{Limits, Start, Stdin};
use convoke_proto::exit::{Cause, Killed, NotStarted, Stage};
use convoke_proto::message::{Message, Stream, Token};
use driver::user::{
    NOBODY, agent_with_getent, as_user, slow_start, stop_half_born, with_session_keyring,
};
use driver::{Agent, agent_command, grace, host, sh};

fn not_started(stage: Stage, errno: i32, tried: &str) -> NotStarted {
    NotStarted {
        stage,
        errno,
        tried: vec![tried.into()],
    }
}

#[test]
fn a_process_is_that_user_in_every_respect() {
    let mut agent = Agent::start();
    let line = "id -u; id -g; echo $USER $LOGNAME; echo err >/dev/stderr; cd; pwd";
    let finished = agent.step_of(as_user(NOBODY, sh(line)));
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd
        .lines()
        .find(|line| line.starts_with("nobody:"))
        .unwrap();
    let fields: Vec<&str> = entry.split(':').collect();
    let home = if Path::new(fields[5]).is_dir() {
        fields[5]
    } else {
        "/"
    };
    let said = finished.stdout();
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some(fields[2]));
    assert_eq!(lines.next(), Some(fields[3]));
    assert_eq!(lines.next(), Some("nobody nobody"));
    assert_eq!(finished.text(2).lines().next(), Some("err"));
    assert!(lines.next().is_none_or(|pwd| pwd == home), "{said}");
    // By number, with what the request says on top.
    let start = Start {
        env: vec![("USER".into(), "other".into())],
        cwd: Some("/".into()),
        ..sh("id -u; echo $USER; pwd; grep Groups: /proc/self/status")
    };
    let said = agent.step_of(as_user(fields[2], start)).stdout();
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some(fields[2]));
    assert_eq!(lines.next(), Some("other"));
    assert_eq!(lines.next(), Some("/"));
    let groups: Vec<_> = lines.next().unwrap().split_whitespace().skip(1).collect();
    assert!(
        !groups.contains(&"0"),
        "a group of root was kept: {groups:?}"
    );
    agent.close();
}

#[test]
fn a_group_alone_leaves_the_user() {
    let mut agent = Agent::start();
    let start = Start {
        group: Some("65534".into()),
        ..sh("id -u; id -g; echo $HOME")
    };
    assert_eq!(agent.step_of(start).stdout(), "0\n65534\n/\n");
    agent.close();
}

#[test]
fn nobody_unknown_runs_anything() {
    let mut agent = Agent::start();
    let finished = agent.step_of(as_user("no-such-user", sh("true")));
    let expected = not_started(Stage::User, libc::ENOENT, "no-such-user");
    assert_eq!(*finished.not_started(), expected);
    let start = Start {
        group: Some("no-such-group".into()),
        ..as_user(NOBODY, sh("true"))
    };
    let expected = not_started(Stage::Group, libc::ENOENT, "no-such-group");
    assert_eq!(*agent.step_of(start).not_started(), expected);
    agent.close();
}

#[test]
fn only_root_becomes_somebody_else() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = Agent::run(host::unprivileged(place.path()));
    let finished = agent.step_of(as_user("root", sh("true")));
    let expected = not_started(Stage::User, libc::EPERM, "root");
    assert_eq!(*finished.not_started(), expected);
    let start = Start {
        group: Some("0".into()),
        ..sh("true")
    };
    let expected = not_started(Stage::Group, libc::EPERM, "0");
    assert_eq!(*agent.step_of(start).not_started(), expected);
    agent.hang_up();
    agent.wait();
}

#[test]
fn a_directory_is_entered_as_that_user() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let cwd: BString = place.path().to_str().unwrap().into();
    let start = Start {
        cwd: Some(cwd),
        ..sh("true")
    };
    let finished = agent.step_of(as_user(NOBODY, start));
    let why = finished.not_started();
    assert_eq!((why.stage, why.errno), (Stage::Cwd, libc::EACCES));
    agent.close();
}

#[test]
fn a_relative_directory_begins_at_the_login_home() {
    let mut agent = Agent::start();
    let start = Start {
        cwd: Some("tmp".into()),
        ..sh("pwd; echo $HOME")
    };
    let said = agent.step_of(as_user(NOBODY, start)).stdout();
    let mut lines = said.lines();
    // The login home is the root.
    assert_eq!(lines.next(), Some("/tmp"));
    assert_ne!(lines.next(), Some("/"));
    agent.close();
}

#[test]
fn what_came_before_the_start_is_not_lost() {
    let mut agent = Agent::start();
    let start = Start {
        stdin: Stdin::Stream,
        ..sh("cat; echo out; echo err >&2")
    };
    let channel = agent.start_step(as_user(NOBODY, start));
    agent.eof(channel, 0);
    agent.send(channel, &Message::Closed(Stream { stream: 1 }));
    let finished = agent.finish(channel);
    assert_eq!(
        (finished.stdout().as_str(), finished.text(2).as_str()),
        ("", "err\n")
    );
    agent.close();
}

#[test]
fn the_tree_of_another_user_is_ended() {
    let mut agent = Agent::start();
    let line = "trap '' TERM; (while :; do sleep 1; done) & echo ready; while :; do sleep 1; done";
    let start = Start {
        limits: grace(100),
        ..sh(line)
    };
    let channel = agent.start_step(as_user(NOBODY, start));
    let so_far = agent.read_until(channel, 1, "ready");
    agent.send(channel, &Message::Kill);
    let finished = agent.finish_with(channel, so_far);
    assert_eq!(finished.exit().cause, Cause::Request(Killed::Kill));
    assert_eq!(finished.exit().survivors, []);
    agent.close();
}

#[test]
fn a_start_is_cancelled_while_its_user_is_looked_up() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = agent_with_getent(
        place.path(),
        "echo $$ >>\"$(dirname \"$0\")/asked\"; exec sleep 1000",
    );
    let channel = agent.start_step(as_user("known-to-nobody", sh("true")));
    host::eventually("the name service is asked", || {
        place.path().join("asked").exists()
    });
    // The loop goes on meanwhile, and counts no helper among what a step left.
    agent.send(0, &Message::Ping(Token(1)));
    assert_eq!(agent.next_of(0), Incoming::Message(Message::Pong(Token(1))));
    let finished = agent.step_of(sh("sleep 0.01"));
    assert_eq!(finished.exit().left_running, 0);
    let killed = agent.start_step(Start {
        limits: grace(100),
        ..sh("trap '' TERM; echo ready; while :; do sleep 1; done")
    });
    let so_far = agent.read_until(killed, 1, "ready");
    agent.send(killed, &Message::Kill);
    assert_eq!(agent.finish_with(killed, so_far).exit().survivors, []);
    let asked = fs::read_to_string(place.path().join("asked")).unwrap();
    let helper: i32 = asked.lines().next().unwrap().parse().unwrap();
    assert!(host::is_alive(helper), "the helper was taken for a stray");
    agent.send(channel, &Message::Kill);
    let why = agent.finish(channel);
    assert_eq!(why.not_started().errno, libc::ECANCELED);
    agent.hang_up();
    agent.wait();
    // It was killed before that, and may be about to die.
    host::eventually("the helper is gone", || !host::is_alive(helper));
    host::assert_no_process_of(agent.link);
}

#[test]
fn who_stops_its_own_start_stops_nobody_else() {
    let mut agent = Agent::start();
    let start = Start {
        limits: Limits {
            total_ms: Some(3000),
            ..Limits::default()
        },
        ..slow_start()
    };
    let channel = agent.start_step(start);
    let child = stop_half_born(&agent);
    agent.send(0, &Message::Ping(Token(1)));
    assert_eq!(agent.next_of(0), Incoming::Message(Message::Pong(Token(1))));
    // A whole step meanwhile, and the end of a tree, which counts whatever is below the agent.
    assert_eq!(
        agent.step_of(sh("echo $$ >&2; exit 3")).exit().left_running,
        0
    );
    let killed = agent.start_step(Start {
        limits: grace(100),
        ..sh("trap '' TERM; echo ready; while :; do sleep 1; done")
    });
    let so_far = agent.read_until(killed, 1, "ready");
    agent.send(killed, &Message::Kill);
    assert_eq!(agent.finish_with(killed, so_far).exit().survivors, []);
    assert!(host::is_alive(child), "it was taken for a stray");
    let finished = agent.finish(channel);
    let expected = not_started(Stage::User, libc::ETIMEDOUT, NOBODY);
    assert_eq!(*finished.not_started(), expected);
    host::eventually("the child is gone", || !host::is_alive(child));
    agent.close();
}

#[test]
fn a_start_that_is_stopped_is_cancelled() {
    let mut agent = Agent::start();
    let channel = agent.start_step(slow_start());
    let child = stop_half_born(&agent);
    agent.send(channel, &Message::Kill);
    assert_eq!(agent.finish(channel).not_started().errno, libc::ECANCELED);
    host::eventually("the child is gone", || !host::is_alive(child));
    // At the end of the link too.
    agent.start_step(slow_start());
    let child = stop_half_born(&agent);
    agent.hang_up();
    agent.wait();
    assert!(!host::is_alive(child));
}

#[test]
fn looking_a_user_up_counts_for_the_limit() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = agent_with_getent(place.path(), "exec sleep 1000");
    let start = Start {
        limits: Limits {
            total_ms: Some(200),
            ..Limits::default()
        },
        ..as_user("known-to-nobody", sh("true"))
    };
    let finished = agent.step_of(start);
    let expected = not_started(Stage::User, libc::ETIMEDOUT, "known-to-nobody");
    assert_eq!(*finished.not_started(), expected);
    agent.hang_up();
    agent.wait();
}

#[test]
fn the_environment_of_root_stays_with_root() {
    let mut command = agent_command();
    command
        .env("SECRET", "of root")
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    let mut agent = Agent::run(command);
    let start = Start {
        env: vec![("OWN".into(), "of the request".into())],
        ..Start::new(["/usr/bin/env"])
    };
    let said = agent.step_of(as_user(NOBODY, start)).stdout();
    let mut names: Vec<_> = said
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    names.sort_unstable();
    let expected = [
        "CONVOKE_STEP",
        "HOME",
        "LC_ALL",
        "LOGNAME",
        "OWN",
        "PATH",
        "PWD",
        "SHELL",
        "TZ",
        "USER",
    ];
    assert_eq!(names, expected);
    agent.close();
}

#[test]
fn a_name_that_fits_no_answer_is_cut() {
    let place = tempfile::tempdir().unwrap();
    let mut agent = Agent::run(host::unprivileged(place.path()));
    let name = "n".repeat(200_000);
    let finished = agent.step_of(as_user(&name, sh("true")));
    let why = finished.not_started();
    assert_eq!((why.stage, why.errno), (Stage::User, libc::EPERM));
    assert!(why.tried[0].len() < name.len() && name.as_bytes().starts_with(&why.tried[0]));
    agent.hang_up();
    agent.wait();
}

#[test]
fn the_keys_of_root_stay_with_root() {
    if !Path::new("/proc/keys").exists() {
        return println!("skipped keys: this kernel keeps none");
    }
    let mut agent = Agent::run(with_session_keyring(agent_command(), c"keys of root"));
    let mut said = |start| agent.step_of(start).stdout();
    let show = || sh("cat /proc/keys");
    assert!(said(show()).contains("keys of root"), "root has its own");
    let seen = said(as_user(NOBODY, show()));
    assert!(
        seen.contains("keyring") && !seen.contains("keys of root"),
        "{seen}"
    );
    agent.close();
}
