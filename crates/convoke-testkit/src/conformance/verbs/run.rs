//! Commands.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use convoke::outcome::{Limit, Status};
use convoke::remote::VerbError;
use convoke::scope::Scope;
use convoke::verb::{Input, Run, Verb as _, Verbs as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::sync::oneshot;

use super::{Ground, checks, fails};

checks! {
    Anybody a_command_says_what_it_says
    Anybody words_arrive_byte_for_byte
    Anybody a_command_that_fails_is_an_error_with_both_streams
    Anybody a_command_without_input_finds_its_end_at_once
    Anybody input_of_any_kind_arrives
    Anybody part_of_an_input_is_never_taken_for_the_whole
    Anybody input_that_breaks_off_keeps_what_the_command_said
    Anybody much_output_is_kept_or_thrown_away_and_the_next_command_runs
    Anybody more_output_than_is_wanted_ends_the_command
    Anybody a_command_runs_where_and_how_it_is_told
    Anybody what_cannot_be_asked_for_is_told_by_its_field_and_nothing_runs
    Anybody a_program_that_does_not_exist_is_told_from_others
    Anybody a_limit_ends_a_command_and_keeps_what_it_said
    Anybody a_command_that_is_dropped_is_ended
    Anybody another_user_who_does_not_exist_is_told_by_the_field
    Root a_command_runs_as_another_user
    Ordinary only_root_runs_commands_as_others
}

async fn a_command_says_what_it_says(ground: &Ground) {
    let line = Run::line("printf 'out\\n\\377'; printf err >&2", [""; 0]);
    let said = ground.remote.ask(line).await.unwrap();
    assert_eq!(said.stdout, &b"out\n\xff"[..]);
    assert_eq!(said.stderr, "err");
    assert_eq!(said.exit.status, Status::Code(0));
}

async fn words_arrive_byte_for_byte(ground: &Ground) {
    let word: Vec<u8> = (1..=255).collect();
    let said = ground
        .remote
        .run([&b"printf"[..], b"%s|", &word, b"", b"$HOME"])
        .await;
    let expected = [&word[..], b"||$HOME|"].concat();
    assert_eq!(said.unwrap().stdout, expected);
    let line = Run::line("printf '%s|' \"$@\"", ["it's", "a b", ""]);
    assert_eq!(ground.remote.ask(line).await.unwrap().stdout, "it's|a b||");
}

async fn a_command_that_fails_is_an_error_with_both_streams(ground: &Ground) {
    let line = || Run::line("echo out; echo err >&2; exit 3", [""; 0]);
    let VerbError::Failed(completed) = ground.remote.ask(line()).await.unwrap_err() else {
        panic!("it has not failed");
    };
    assert_eq!(
        (completed.stdout, completed.stderr),
        ("out\n".into(), "err\n".into())
    );
    assert_eq!(completed.exit.status, Status::Code(3));
    let said = ground.remote.ask(line().unchecked()).await.unwrap();
    assert_eq!((said.exit.status, said.is_ok()), (Status::Code(3), false));
    let killed = Run::line("kill -9 $$", [""; 0]).unchecked();
    let killed = ground.remote.ask(killed).await.unwrap();
    assert_eq!(killed.exit.status, Status::Signal(9));
}

async fn a_command_without_input_finds_its_end_at_once(ground: &Ground) {
    let said = ground.remote.run(["cat"]).await.unwrap();
    assert_eq!(said.stdout, "");
}

async fn input_of_any_kind_arrives(ground: &Ground) {
    let cat = || Run::new(["cat"]);
    let remote = &ground.remote;
    let echoed = async |input: Input| remote.ask(cat().input(input)).await;
    assert_eq!(echoed("bytes".into()).await.unwrap().stdout, "bytes");
    assert_eq!(echoed("".into()).await.unwrap().stdout, "");
    let reader = tokio::io::repeat(b'x').take(3_000_000);
    let said = echoed(Input::reader(reader)).await.unwrap();
    assert_eq!(said.stdout.len(), 3_000_000);
    let broken = broken_reader();
    fails!(echoed(Input::reader(broken)).await, Input { .. });
    // Whoever does not read it to its end is not waited for.
    let head = Run::new(["head", "-c", "1"]).input(vec![b'y'; 3_000_000]);
    assert_eq!(remote.ask(head).await.unwrap().stdout, "y");
}

async fn part_of_an_input_is_never_taken_for_the_whole(ground: &Ground) {
    let remote = &ground.remote;
    let cat = || Run::line("cat; touch done", [""; 0]);
    let breaks_off = (&b"half"[..]).chain(broken_reader());
    let input = Input::reader(breaks_off);
    fails!(remote.ask(cat().input(input)).await, Input { .. });
    assert!(!remote.exists("done").await.unwrap());
    let once = cat().input(Input::reader(&b"once"[..]));
    assert_eq!(remote.ask(once.clone()).await.unwrap().stdout, "once");
    remote.remove("done").await.unwrap();
    // What is read cannot be read again: nothing is started.
    fails!(remote.ask(once).await, Input { .. });
    assert!(!remote.exists("done").await.unwrap());
}

async fn input_that_breaks_off_keeps_what_the_command_said(ground: &Ground) {
    let remote = &ground.remote;
    let (breaks, told) = oneshot::channel();
    let input = Input::reader((&b"half"[..]).chain(broken_when(told)));
    let line = "head -c 4; echo hm >&2; touch heard; exec cat";
    let asked = remote.ask(Run::line(line, [""; 0]).input(input));
    let heard = async {
        while !remote.exists("heard").await.unwrap() {}
        breaks.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(asked, heard);
    fails!(answer, Input { stdout, stderr, error }
        if stdout == "half" && stderr == "hm\n" && error.to_string() == "broken");
    remote.remove("heard").await.unwrap();
}

/// A reader that fails at once.
fn broken_reader() -> impl AsyncRead + Send + Unpin + 'static {
    broken_when(oneshot::channel().1)
}

/// A reader that fails when it is told, or cannot be any more.
fn broken_when(told: oneshot::Receiver<()>) -> impl AsyncRead + Send + Unpin + 'static {
    struct Broken(oneshot::Receiver<()>);
    impl AsyncRead for Broken {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let told = Pin::new(&mut self.0).poll(context);
            told.map(|_| Err(io::Error::other("broken")))
        }
    }
    Broken(told)
}

async fn much_output_is_kept_or_thrown_away_and_the_next_command_runs(ground: &Ground) {
    let much = || Run::new(["head", "-c", "20000000", "/dev/zero"]);
    let kept = ground.remote.ask(much()).await.unwrap();
    assert_eq!(kept.stdout.len(), 20_000_000);
    let thrown = ground.remote.ask(much().uncaptured()).await.unwrap();
    assert_eq!((thrown.stdout, thrown.stderr), ("".into(), "".into()));
    assert_eq!(ground.said("echo next").await, "next");
}

async fn more_output_than_is_wanted_ends_the_command(ground: &Ground) {
    let endless = Run::new(["yes"])
        .at_most(100_000)
        .grace(Duration::from_secs(1));
    fails!(ground.remote.ask(endless).await, TooLong { what } if what == "yes");
    let enough = Run::new(["echo", "12345"]).at_most(6);
    assert_eq!(ground.remote.ask(enough).await.unwrap().stdout, "12345\n");
}

async fn a_command_runs_where_and_how_it_is_told(ground: &Ground) {
    let remote = &ground.remote;
    remote.mkdir("a b").await.unwrap();
    let run = Run::line("pwd -P; umask; echo \"$ONE|$TWO\"", [""; 0]);
    let run = run
        .cwd("a b")
        .umask(0o27)
        .env("ONE", "it's")
        .env("TWO", "a\nb");
    let said = remote.ask(run).await.unwrap();
    let there = ground.said("cd 'a b' && pwd -P").await;
    assert_eq!(said.stdout, format!("{there}\n0027\nit's|a\nb\n"));
    let home = remote
        .within(&Scope::new().cwd("/"))
        .run(["pwd"])
        .await
        .unwrap();
    assert_eq!(home.stdout, "/\n");
}

async fn what_cannot_be_asked_for_is_told_by_its_field_and_nothing_runs(ground: &Ground) {
    let remote = &ground.remote;
    let touch = || Run::new(["touch", "ran"]);
    let ask = async |run: Run| remote.ask(run).await;
    fails!(remote.run([""; 0]).await, Usage { field: "argv", .. });
    fails!(remote.run([""]).await, Usage { field: "argv", .. });
    fails!(
        remote.run(["echo", "\0"]).await,
        Usage { field: "argv", .. }
    );
    fails!(ask(touch().umask(0o1000)).await, Usage { field: "umask", value, .. } if value == "0o1000");
    fails!(ask(touch().env("", "x")).await, Usage { field: "env", .. });
    fails!(
        ask(touch().env("A=B", "x")).await,
        Usage { field: "env", .. }
    );
    fails!(
        ask(touch().env("A", "\0")).await,
        Usage { field: "env", .. }
    );
    let missing = ground.at("missing");
    fails!(ask(touch().cwd("missing")).await, Usage { field: "cwd", value, .. } if value == missing);
    assert!(!remote.exists("ran").await.unwrap());
    assert_eq!(ground.said("echo fine").await, "fine");
}

async fn another_user_who_does_not_exist_is_told_by_the_field(ground: &Ground) {
    let remote = &ground.remote;
    let touch = || Run::new(["touch", "ran"]);
    // Whoever may not become anybody is not told who there is.
    let blamed = async |run: Run| match remote.ask(run).await {
        Err(VerbError::Usage { field, value, .. }) => (field, value),
        Err(VerbError::NotRoot { field, name }) => (field, name),
        other => panic!("{other:?}"),
    };
    let user = blamed(touch().user("no-such-user")).await;
    assert_eq!(user, ("user", "no-such-user".into()));
    let group = blamed(touch().group("no-such-group")).await;
    assert_eq!(group, ("group", "no-such-group".into()));
    assert!(!remote.exists("ran").await.unwrap());
    assert_eq!(ground.said("echo fine").await, "fine");
}

async fn a_program_that_does_not_exist_is_told_from_others(ground: &Ground) {
    let remote = &ground.remote;
    let answer = remote.run(["no-such-program"]).await;
    fails!(answer, NoProgram { name, .. } if name == "no-such-program");
    remote.upload("file", "text").await.unwrap();
    fails!(remote.run([ground.at("file")]).await, Permission { path, errno: 13, .. } if path == ground.at("file"));
}

async fn a_limit_ends_a_command_and_keeps_what_it_said(ground: &Ground) {
    let line = || Run::line("echo out; echo err >&2; exec sleep 1000", [""; 0]);
    let short = Duration::from_millis(300);
    for (run, limit) in [
        (line().timeout(short), Limit::Total),
        (line().idle_timeout(short), Limit::Idle),
    ] {
        let answer = ground.remote.ask(run).await;
        let Err(VerbError::TimedOut(cut)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!((cut.stdout, cut.stderr), ("out\n".into(), "err\n".into()));
        assert_eq!(cut.timed_out.limit, limit);
    }
}

async fn a_command_that_is_dropped_is_ended(ground: &Ground) {
    let remote = &ground.remote;
    let run = Run::line(
        "echo $$ > pid.new; mv pid.new pid; exec sleep 1000",
        [""; 0],
    );
    tokio::select! {
        done = run.on(remote) => panic!("{done:?}"),
        () = async {
            while !remote.exists("pid").await.unwrap() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    let pid = remote.read("pid").await.unwrap().to_string();
    let lives = format!("kill -0 {} 2>/dev/null && echo yes; true", pid.trim());
    while ground.said(&lives).await == "yes" {
        tokio::task::yield_now().await;
    }
}

async fn a_command_runs_as_another_user(ground: &Ground) {
    let remote = &ground.remote;
    let nobody = remote.query_user("nobody").await.unwrap();
    let id = || Run::line("id -un; id -g", [""; 0]).cwd("/");
    let by_name = remote.ask(id().user("nobody")).await.unwrap();
    assert_eq!(by_name.stdout, format!("nobody\n{}\n", nobody.gid));
    let by_number = id().user(nobody.uid.to_string()).group("0");
    assert_eq!(remote.ask(by_number).await.unwrap().stdout, "nobody\n0\n");
    let within = remote.within(&Scope::new().user("nobody").cwd("/"));
    assert_eq!(within.run(["id", "-un"]).await.unwrap().stdout, "nobody\n");
    // The directory of the check is root's alone.
    fails!(
        remote.ask(Run::new(["ls"]).user("nobody")).await,
        Usage { field: "cwd", .. }
    );
}

async fn only_root_runs_commands_as_others(ground: &Ground) {
    let answer = ground.remote.ask(Run::new(["id"]).user("root")).await;
    fails!(answer, NotRoot { field: "user", name } if name == "root");
}
