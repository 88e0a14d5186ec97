//! What commands read.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use convoke::action::Action;
use convoke::cancel::Cancel;
use convoke::event::Stream;
use convoke::host::Work;
use convoke::process::{Command, Input, Program, Reader, Source};
use convoke::proto::command::{Leftovers, Limits, Shell, Start, Stdin};
use convoke::proto::message::{Message, Stream as Number};
use convoke_testkit::memory::{Emulated, Memory, Said, Script};

use tokio::io::AsyncWriteExt as _;

use super::{everywhere, hosts, run};

fn fed(count: usize, input: &Bytes) -> Action {
    let command = Command {
        input: Input::Bytes(input.clone()),
        ..Command::new(["cat"])
    };
    Action::everywhere(hosts(count), Work::Process(command))
}

fn cat() -> Memory {
    Memory::new(Script::emulated(Emulated::new(|_, stdin| Said {
        stdout: stdin.to_vec(),
        ..Said::default()
    })))
}

#[tokio::test(start_paused = true)]
async fn every_host_gets_all_of_the_input() {
    let input: Bytes = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let ran = run(&cat(), fed(3, &input), &Cancel::new()).await;
    for host in ["memory:h1", "memory:h2", "memory:h3"] {
        assert!(ran.output(host, Stream::Stdout) == input);
    }
}

/// Gives a byte at a time.
#[derive(Debug)]
struct Bytewise(Bytes);

impl Source for Bytewise {
    fn open(&self) -> io::Result<Reader> {
        let (reader, mut writer) = tokio::io::duplex(1);
        let bytes = self.0.clone();
        tokio::spawn(async move { writer.write_all(&bytes).await });
        Ok(Box::new(reader))
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_that_comes_byte_by_byte_arrives_whole() {
    let input = Bytes::from(b"0123456789".repeat(1_000));
    let command = Command {
        input: Input::Source(Arc::new(Bytewise(input.clone()))),
        ..Command::new(["cat"])
    };
    let action = Action::everywhere(hosts(2), Work::Process(command));
    let ran = run(&cat(), action, &Cancel::new()).await;
    for host in ["memory:h1", "memory:h2"] {
        assert!(ran.output(host, Stream::Stdout) == input);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_input_is_an_input_that_ends() {
    let memory = Memory::new(
        Script::new()
            .have()
            .hello()
            .started(42)
            .until_stdin_ends()
            .exit(0),
    );
    let ran = run(&memory, fed(1, &Bytes::new()), &Cancel::new()).await;
    assert_eq!(ran.words(), ["exited"]);
    assert!(memory.record("h1").stdin.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_command_without_input_has_no_stdin() {
    let memory = Memory::new(Script::exits(0));
    run(&memory, everywhere(1), &Cancel::new()).await;
    assert_eq!(memory.record("h1").starts[0].stdin, Stdin::Null);
}

#[tokio::test(start_paused = true)]
async fn everything_that_a_caller_may_choose_arrives() {
    let program = Program {
        argv: vec!["prog".into(), "one".into()],
        shell: Shell::Login,
        cwd: Some("/srv".into()),
        env: vec![("A".into(), "1".into())],
        umask: Some(0o77),
        limits: Limits {
            total_ms: Some(1),
            idle_ms: Some(2),
            grace_ms: 3,
        },
        leftovers: Leftovers::Kill,
        user: Some("app".into()),
        group: Some("staff".into()),
    };
    let command = Command {
        start: program.clone(),
        input: Input::Bytes(Bytes::new()),
    };
    let memory = Memory::new(Script::exits(0));
    let action = Action::everywhere(hosts(1), Work::Process(command));
    run(&memory, action, &Cancel::new()).await;
    let asked = Start {
        shell: program.shell,
        cwd: program.cwd,
        env: program.env,
        umask: program.umask,
        stdin: Stdin::Stream,
        limits: program.limits,
        leftovers: program.leftovers,
        user: program.user,
        group: program.group,
        ..Start::new(program.argv)
    };
    assert_eq!(memory.record("h1").starts, [asked]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_takes_no_more_input_is_no_failure() {
    let closed = Message::Closed(Number { stream: 0 });
    let script = Script::new().have().hello().started(42).say(closed).exit(0);
    let input = Bytes::from(vec![b'x'; 10_000_000]);
    let ran = run(&Memory::new(script), fed(2, &input), &Cancel::new()).await;
    assert_eq!(ran.words(), ["exited", "exited"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_ends_without_reading_its_input_is_no_failure() {
    let input = Bytes::from(vec![b'x'; 10_000_000]);
    let ran = run(
        &Memory::new(Script::exits(0)),
        fed(2, &input),
        &Cancel::new(),
    )
    .await;
    assert_eq!(ran.words(), ["exited", "exited"]);
}
