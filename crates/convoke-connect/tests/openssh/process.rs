//! The running ssh: its session, its end, and what it leaves behind.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::time::Duration;

use convoke_connect::connector::{Connector as _, Ending, Pipes};
use convoke_connect::error::{Again, ConnectErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::stub::{Stub, all};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The numbers that the stub noted: its process, group and session.
fn session(stub: &Stub) -> Vec<String> {
    stub.note("session")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

async fn close(pipes: Pipes) -> Ending {
    let Pipes {
        reader,
        writer,
        stderr,
        close,
        ..
    } = pipes;
    drop((reader, writer));
    let ending = timeout(PATIENCE, close.close()).await.unwrap();
    drop(stderr);
    ending
}

/// Waits until a process is gone.
async fn gone(pid: &str) {
    let there = || std::path::Path::new("/proc").join(pid).exists();
    let wait = async {
        while there() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn ssh_leads_a_session_without_a_terminal() {
    for path in ["/usr/bin:/bin", "/without/the/setsid/program"] {
        let mut stub = Stub::new("");
        let path = format!("{}:{path}", stub.file("bin").display());
        stub.surroundings
            .environment
            .retain(|(key, _)| key != "PATH");
        stub.surroundings
            .environment
            .push(("PATH".into(), path.into()));
        let mut pipes = stub.open("web1").await.unwrap();
        all(&mut pipes.reader).await;
        let session = session(&stub);
        let [process, group, leader, terminal] = session.as_slice() else {
            panic!("{session:?}");
        };
        assert!(process == group && group == leader, "{session:?}");
        assert_eq!(terminal, "?");
    }
}

#[tokio::test]
async fn ssh_speaks_of_itself_only_when_the_connection_broke() {
    for (code, expected) in [
        (0, "banner\n"),
        (7, "banner\n"),
        (255, "banner\nAuthenticated to y\n"),
    ] {
        let said = "debug1: Server host key: x\\nAuthenticated to y\\nbanner\\n";
        let stub = Stub::new(&format!("printf '{said}' >&2; exit {code}"));
        let mut pipes = stub.open("web1").await.unwrap();
        assert_eq!(all(&mut pipes.stderr).await, expected, "{code}");
    }
}

#[tokio::test]
async fn ssh_that_went_well_does_not_speak_of_itself_after_the_close_either() {
    let stub = Stub::new("printf 'debug1: Server host key: x\\nbanner\\n' >&2; exit 7");
    let pipes = stub.open("web1").await.unwrap();
    drop((pipes.reader, pipes.writer));
    assert_eq!(pipes.close.close().await, Ending::Exited { code: 7 });
    assert_eq!(all(pipes.stderr).await, "banner\n");
}

#[tokio::test]
async fn an_attempt_that_is_dropped_at_once_leaves_nothing() {
    let stub = Stub::new("exec sleep 1000");
    for _ in 0..20 {
        drop(stub.open("web1").await.unwrap());
    }
    let mark = format!("STUB={}", stub.file("").display());
    let mark = mark.trim_end_matches('/').to_owned();
    let left = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let environments =
            processes.filter_map(|one| std::fs::read(one.path().join("environ")).ok());
        let mut marked =
            environments.filter(|one| one.split(|b| *b == 0).any(|v| v == mark.as_bytes()));
        marked.next().is_some()
    };
    let wait = async {
        while left() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn the_pipes_carry_input_and_output() {
    let stub = Stub::new("cat; echo err >&2; exit 7");
    let mut pipes = stub.open("web1").await.unwrap();
    pipes.writer.write_all(b"hello").await.unwrap();
    pipes.writer.shutdown().await.unwrap();
    pipes.writer = Box::new(tokio::io::sink());
    assert_eq!(all(&mut pipes.reader).await, "hello");
    assert_eq!(all(&mut pipes.stderr).await, "err\n");
    assert_eq!(close(pipes).await, Ending::Exited { code: 7 });
}

#[tokio::test]
async fn the_end_of_ssh_says_little_of_the_command() {
    for (act, expected) in [
        ("exit 0", Some(Ending::Exited { code: 0 })),
        ("exit 254", Some(Ending::Exited { code: 254 })),
        ("exit 255", None),
        ("kill -9 $$", None),
        ("kill -2 $$", None),
    ] {
        let ending = close(Stub::new(act).open("web1").await.unwrap()).await;
        match expected {
            Some(expected) => assert_eq!(ending, expected, "{act}"),
            None => assert!(
                matches!(ending, Ending::Unknown { .. }),
                "{act}: {ending:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_process_that_ssh_leaves_behind_keeps_no_stream_open() {
    let stub =
        Stub::new("setsid sleep 1000 & echo $! > $STUB/left; echo out; echo err >&2; exit 3");
    let mut pipes = stub.open("web1").await.unwrap();
    let both = async { tokio::join!(all(&mut pipes.reader), all(&mut pipes.stderr)) };
    let (out, err) = timeout(PATIENCE, both).await.unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    assert_eq!(close(pipes).await, Ending::Exited { code: 3 });
    let left = stub.note("left").trim().parse().unwrap();
    let left = rustix::process::Pid::from_raw(left).unwrap();
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn nothing_is_lost_when_ssh_ends_before_its_output_was_read() {
    let lines: String = (1..=9000).map(|n| format!("{n}\n")).collect();
    let stub = Stub::new("seq 1 9000; setsid sleep 1000 & echo $! > $STUB/left");
    for _ in 0..5 {
        let mut pipes = stub.open("web1").await.unwrap();
        // The other stream ends with ssh, so everything is in the pipe by then.
        assert_eq!(timeout(PATIENCE, all(&mut pipes.stderr)).await.unwrap(), "");
        assert_eq!(
            timeout(PATIENCE, all(&mut pipes.reader)).await.unwrap(),
            lines
        );
        let left = stub.note("left").trim().parse().unwrap();
        let left = rustix::process::Pid::from_raw(left).unwrap();
        rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
    }
}

#[tokio::test]
async fn dropped_pipes_end_ssh_and_what_it_started() {
    let stub = Stub::new("sleep 1000 & echo $!; wait");
    let mut pipes = stub.open("web1").await.unwrap();
    let mut line = [0; 32];
    let read = pipes.reader.read(&mut line).await.unwrap();
    let proxy = String::from_utf8_lossy(&line[..read]).trim().to_owned();
    drop(pipes);
    gone(&proxy).await;
    gone(&session(&stub)[0]).await;
}

#[tokio::test]
async fn a_dropped_close_ends_ssh() {
    let stub = Stub::new("echo up; exec sleep 1000");
    let mut pipes = stub.open("web1").await.unwrap();
    pipes.reader.read_u8().await.unwrap();
    let closing = timeout(Duration::from_millis(20), pipes.close.close());
    assert!(closing.await.is_err());
    gone(&session(&stub)[0]).await;
}

#[tokio::test]
async fn the_words_of_a_failing_ssh_become_an_error() {
    for (words, kind, again) in [
        (
            r"debug1: Connecting to web1 [::1] port 22.\r\nssh: connect to host web1 port 22: Connection refused",
            ConnectErrorKind::Refused,
            Again::MayHelp,
        ),
        (
            r"debug1: Connecting to web1 [::1] port 22.\r\ndebug1: Local version string SSH-2.0-x\r\nConnection closed by 10.0.0.7 port 22",
            ConnectErrorKind::Closed,
            Again::MayHelp,
        ),
        (
            r"debug1: SSH2_MSG_SERVICE_ACCEPT received\r\nConnection closed by 10.0.0.7 port 22",
            ConnectErrorKind::Closed,
            Again::Pointless,
        ),
        (
            r"root@web1: Permission denied (publickey).",
            ConnectErrorKind::Authentication,
            Again::Pointless,
        ),
        (
            r"debug1: Server host key: ssh-ed25519 SHA256:a\r\nHost key verification failed.",
            ConnectErrorKind::HostKeyUnknown,
            Again::Pointless,
        ),
    ] {
        let stub = Stub::new(&format!("printf '{words}\\r\\n' >&2; exit 255"));
        let mut pipes = stub.open("web1").await.unwrap();
        let noise = all(&mut pipes.stderr).await;
        let ending = close(pipes).await;
        let endpoint = "web1".parse().unwrap();
        let error = stub
            .connector
            .diagnose(&endpoint, Some(&ending), noise.as_bytes());
        let error = error.unwrap_or_else(|| panic!("{words}: {noise:?}"));
        assert_eq!((error.kind, error.again), (kind, again), "{words}");
    }
}

#[tokio::test]
async fn a_good_connection_makes_no_noise_before_its_end() {
    let stub = Stub::new(
        "printf 'debug1: Local version string x\\r\\nAuthenticated to web1 ([::1]:22).\\r\\n' >&2; \
         echo far >&2; echo up; cat",
    );
    let mut pipes = stub.open("web1").await.unwrap();
    let mut noise = [0; 256];
    let read = pipes.stderr.read(&mut noise).await.unwrap();
    assert_eq!(&noise[..read], b"far\n");
}
