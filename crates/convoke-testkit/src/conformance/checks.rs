//! The checks, one function each.

use std::pin::{Pin, pin};
use std::task::Poll;

use convoke_connect::connector::{Ending, Pipes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Bench;

/// One thing that is true of every connector.
#[derive(Clone, Copy)]
pub struct Check {
    /// The claim, as the name of a test.
    pub name: &'static str,
    /// What it takes.
    pub needs: Needs,
    pub(super) run: for<'a> fn(&'a Bench<'_>) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// What a check takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A far end that copies its input.
    Cat,
    /// A far end with a shell.
    Shell,
    /// A shell, and a connector that can tell every way in which a command ends.
    Endings,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

macro_rules! checks {
    ($($needs:ident $name:ident)*) => {
        /// All checks, the simplest first.
        pub const CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            needs: Needs::$needs,
            run: |bench| Box::pin($name(bench)),
        }),*];
    };
}

checks! {
    Cat what_is_written_arrives_and_the_answer_comes_back
    Cat the_end_of_input_reaches_the_command
    Cat bytes_arrive_unchanged
    Cat much_in_both_directions_at_once_does_not_get_stuck
    Cat many_connections_at_once_do_not_mix
    Cat dropped_pipes_leave_nothing
    Cat a_dropped_attempt_leaves_nothing
    Cat a_close_that_is_dropped_leaves_nothing
    Shell stderr_comes_apart_from_stdout
    Shell the_exit_code_is_reported
    Shell an_ending_is_told_truly_or_not_at_all
    Shell the_command_line_arrives_as_it_was_given
    Endings a_code_of_255_is_reported
    Endings a_signal_is_reported_as_one
}

/// How much goes both ways: more than all buffers on the way together hold.
const MUCH: usize = 8 * 1024 * 1024;

/// How many connections are open at once.
const MANY: usize = 40;

/// Everything that the command says until the end of its stdout.
async fn output(pipes: &mut Pipes) -> Vec<u8> {
    let mut output = Vec::new();
    pipes.reader.read_to_end(&mut output).await.unwrap();
    output
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
    let ending = close.close().await;
    drop(stderr);
    ending
}

/// Ends the command's input; the rest stays open.
async fn end_input(pipes: &mut Pipes) {
    pipes.writer.shutdown().await.unwrap();
    pipes.writer = Box::new(tokio::io::sink());
}

async fn what_is_written_arrives_and_the_answer_comes_back(bench: &Bench<'_>) {
    let mut pipes = bench.open("cat").await.unwrap();
    for text in [b"first", b"again"] {
        pipes.writer.write_all(text).await.unwrap();
        let mut answer = [0; 5];
        pipes.reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *text);
    }
}

async fn the_end_of_input_reaches_the_command(bench: &Bench<'_>) {
    let mut pipes = bench.open("cat").await.unwrap();
    pipes.writer.write_all(b"all").await.unwrap();
    end_input(&mut pipes).await;
    assert_eq!(output(&mut pipes).await, b"all");
    assert_eq!(close(pipes).await, Ending::Exited { code: 0 });
}

async fn bytes_arrive_unchanged(bench: &Bench<'_>) {
    let mut pipes = bench.open("cat").await.unwrap();
    let all: Vec<u8> = (0..=255).collect();
    pipes.writer.write_all(&all).await.unwrap();
    end_input(&mut pipes).await;
    assert_eq!(output(&mut pipes).await, all);
}

async fn much_in_both_directions_at_once_does_not_get_stuck(bench: &Bench<'_>) {
    let Pipes {
        mut reader,
        mut writer,
        stderr,
        close,
        ..
    } = bench.open("cat").await.unwrap();
    let sent: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
    let writing = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
        drop(writer);
    };
    let mut came = Vec::with_capacity(MUCH);
    let (read, ()) = tokio::join!(reader.read_to_end(&mut came), writing);
    read.unwrap();
    assert!(came == sent, "{} of {MUCH} bytes came", came.len());
    drop((reader, stderr));
    assert_eq!(close.close().await, Ending::Exited { code: 0 });
}

async fn many_connections_at_once_do_not_mix(bench: &Bench<'_>) {
    let mut open = Vec::new();
    for number in 0..MANY {
        let mut pipes = bench.open("cat").await.unwrap();
        let text = format!("number {number}");
        pipes.writer.write_all(text.as_bytes()).await.unwrap();
        open.push((text, pipes));
    }
    for (text, mut pipes) in open {
        end_input(&mut pipes).await;
        assert_eq!(output(&mut pipes).await, text.as_bytes());
    }
}

async fn dropped_pipes_leave_nothing(bench: &Bench<'_>) {
    let pipes = bench.open("exec cat").await.unwrap();
    drop(pipes);
}

async fn a_dropped_attempt_leaves_nothing(bench: &Bench<'_>) {
    let mut attempt = Box::pin(bench.open("exec cat"));
    let polled = std::future::poll_fn(|context| Poll::Ready(attempt.as_mut().poll(context)));
    drop(polled.await);
}

async fn a_close_that_is_dropped_leaves_nothing(bench: &Bench<'_>) {
    let pipes = bench.open("exec cat").await.unwrap();
    let mut closing = pin!(close(pipes));
    std::future::poll_fn(|context| {
        let _ = closing.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

async fn stderr_comes_apart_from_stdout(bench: &Bench<'_>) {
    let mut pipes = bench.open("echo out; echo err >&2").await.unwrap();
    let mut stderr = Vec::new();
    assert_eq!(output(&mut pipes).await, b"out\n");
    pipes.stderr.read_to_end(&mut stderr).await.unwrap();
    // The connector's own noise may be around it.
    let mut lines = stderr.split(|byte| *byte == b'\n');
    assert!(lines.any(|line| line == b"err"), "{stderr:?}");
}

async fn the_exit_code_is_reported(bench: &Bench<'_>) {
    for code in [0, 1, 7, 254] {
        let mut pipes = bench.open(&format!("exit {code}")).await.unwrap();
        assert_eq!(output(&mut pipes).await, b"");
        assert_eq!(close(pipes).await, Ending::Exited { code });
    }
}

async fn an_ending_is_told_truly_or_not_at_all(bench: &Bench<'_>) {
    for (command, truth) in [
        ("exit 255", Ending::Exited { code: 255 }),
        ("kill -9 $$", Ending::Killed { signal: 9 }),
    ] {
        let mut pipes = bench.open(command).await.unwrap();
        assert_eq!(output(&mut pipes).await, b"");
        let told = close(pipes).await;
        let is_honest = told == truth || matches!(told, Ending::Unknown { .. });
        assert!(is_honest, "{command}: {told:?}");
    }
}

async fn a_code_of_255_is_reported(bench: &Bench<'_>) {
    let mut pipes = bench.open("exit 255").await.unwrap();
    assert_eq!(output(&mut pipes).await, b"");
    assert_eq!(close(pipes).await, Ending::Exited { code: 255 });
}

async fn a_signal_is_reported_as_one(bench: &Bench<'_>) {
    let mut pipes = bench.open("kill -9 $$").await.unwrap();
    assert_eq!(output(&mut pipes).await, b"");
    assert_eq!(close(pipes).await, Ending::Killed { signal: 9 });
}

async fn the_command_line_arrives_as_it_was_given(bench: &Bench<'_>) {
    let printable: String = (' '..='~').filter(|c| *c != '\'').collect();
    let text = format!("{printable}\t\u{e9}\u{4e2d}  $HOME `x` $(x) \\n !");
    let command = format!("printf %s '{text}'");
    let mut pipes = bench.open(&command).await.unwrap();
    assert_eq!(output(&mut pipes).await, text.as_bytes());
}
