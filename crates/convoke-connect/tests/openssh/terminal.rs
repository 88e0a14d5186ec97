//! ssh on the operator's terminal.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use convoke_connect::connector::Ending;
use convoke_connect::terminal::Terminal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::AsyncReadExt as _;

use crate::stub::{Stub, all};

/// Set in the process that has a terminal.
const INNER: &str = "CONVOKE_TEST_ON_A_TERMINAL";

#[tokio::test]
async fn without_a_terminal_of_ours_ssh_is_started_in_batch_mode() {
    let stub = Stub::new("");
    let not_ours = Terminal::new(File::open("/dev/null").unwrap().into());
    let pipes = stub.open_on("web1", Some(&not_ours)).await.unwrap();
    assert!(pipes.lent.is_none());
    all(pipes.reader).await;
    assert_eq!(pipes.close.close().await, Ending::Exited { code: 0 });
    assert!(stub.argv().contains(&"BatchMode=yes".to_owned()));
}

#[tokio::test]
async fn an_ssh_on_the_terminal_may_ask_there_and_an_interrupt_of_it_is_told() {
    if std::env::var_os(INNER).is_some() {
        on_the_terminal().await;
    } else {
        run_again_on_a_terminal();
    }
}

/// Runs this test once more as the leader of a session on a new terminal, and presses Ctrl-C when
/// its ssh is up.
fn run_again_on_a_terminal() {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
    };
    let mut inner = Command::new("setsid")
        .arg("--ctty")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("terminal::an_ssh_on_the_terminal_may_ask_there_and_an_interrupt_of_it_is_told")
        .env(INNER, "yes")
        .stdin(open().unwrap())
        .stdout(Stdio::from(open().unwrap()))
        .stderr(Stdio::from(open().unwrap()))
        .spawn()
        .unwrap();
    let mut terminal = File::from(terminal);
    let mut shown = Vec::new();
    let mut piece = [0; 1024];
    let mut pressed = false;
    // Ends with an error when everybody has closed the terminal.
    while let Ok(read @ 1..) = terminal.read(&mut piece) {
        shown.extend_from_slice(&piece[..read]);
        if !pressed && String::from_utf8_lossy(&shown).contains("ssh is up") {
            terminal.write_all(b"\x03").unwrap();
            pressed = true;
        }
    }
    let ended = inner.wait().unwrap();
    assert!(
        ended.success() && pressed,
        "{}",
        String::from_utf8_lossy(&shown)
    );
}

async fn on_the_terminal() {
    let stub = Stub::new("echo up; exec sleep 1000");
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut screen = tty.unwrap();
    let terminal = Terminal::new(screen.try_clone().unwrap().into());
    let mut pipes = stub.open_on("web1", Some(&terminal)).await.unwrap();
    assert!(pipes.lent.is_some());
    pipes.reader.read_u8().await.unwrap();
    assert!(!stub.argv().contains(&"BatchMode=yes".to_owned()));
    // The way to the server is limited, the operator is not.
    assert!(stub.argv().contains(&"ConnectTimeout=20".to_owned()));

    let noted = stub.note("session");
    let noted: Vec<_> = noted.split_whitespace().collect();
    let ours = rustix::process::getsid(None).unwrap();
    let session = ours.as_raw_nonzero().to_string();
    assert_eq!((noted[0], noted[2]), (noted[1], session.as_str()));

    screen.write_all(b"ssh is up\n").unwrap();
    assert_eq!(pipes.close.close().await, Ending::Killed { signal: 2 });
    drop(pipes.lent);
    let foreground = rustix::termios::tcgetpgrp(&screen).unwrap();
    assert_eq!(foreground, rustix::process::getpgrp(), "it was taken back");
}
