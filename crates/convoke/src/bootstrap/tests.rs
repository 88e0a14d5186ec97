//! The conversation, with a script of our own at the other end.

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::outcome::UnreachableKind;

/// More than any pipe here is given; nothing blocks.
const ROOMY: usize = 1 << 20;

fn agents() -> Agents {
    Agents::new(vec![
        Agent::from_bytes("x86_64-linux", b"an agent").unwrap(),
    ])
}

fn nonce() -> Nonce {
    Nonce::new([0x5a; 16])
}

/// A line of the script.
fn line(text: &str) -> Vec<u8> {
    format!("{} {text}\n", nonce().as_str()).into_bytes()
}

/// A host that says these pieces, each of them a read of its own, and ends.
fn host(pieces: &[&[u8]]) -> Box<dyn AsyncRead + Unpin> {
    let end: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
    pieces.iter().rev().fold(end, |later, piece| {
        Box::new(std::io::Cursor::new(piece.to_vec()).chain(later))
    })
}

/// Holds the whole conversation.
async fn exchange<R, W>(reader: &mut R, writer: &mut W) -> Result<Greeting, BootstrapError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let answer = answer(reader, &agents(), &nonce()).await?;
    deliver(answer, reader, writer, &agents()).await
}

async fn answer_to(pieces: &[&[u8]]) -> Result<Answer, BootstrapError> {
    answer(&mut host(pieces), &agents(), &nonce()).await
}

/// The greeting of a host that has the agent, and all that the agent says.
async fn greeting_of(pieces: &[&[u8]]) -> Greeting {
    let mut reader = host(pieces);
    let mut writer = tokio::io::sink();
    let greeting = exchange(&mut reader, &mut writer).await;
    let mut greeting = greeting.unwrap();
    let mut later = Vec::new();
    reader.read_to_end(&mut later).await.unwrap();
    greeting.rest.extend_from_slice(&later);
    greeting
}

/// Both ends of a connection whose host asked for the agent.
async fn asked(form: &str) -> (DuplexStream, DuplexStream, Answer) {
    let (mut ours, mut theirs) = duplex(ROOMY);
    let need = line(&format!("need x86_64-linux {form}"));
    theirs.write_all(&need).await.unwrap();
    let answer = answer(&mut ours, &agents(), &nonce()).await.unwrap();
    (ours, theirs, answer)
}

async fn delivered(mut ours: DuplexStream, answer: Answer) -> Result<Greeting, BootstrapError> {
    let (mut reader, mut writer) = tokio::io::split(&mut ours);
    deliver(answer, &mut reader, &mut writer, &agents()).await
}

#[tokio::test]
async fn what_follows_the_answer_belongs_to_the_wire() {
    let mut said = line("have x86_64-linux");
    said.extend_from_slice(b"\0wire\n");
    let greeting = greeting_of(&[&said]).await;
    assert_eq!(greeting.origin, AgentOrigin::Cached);
    assert_eq!(greeting.platform, "x86_64-linux");
    assert_eq!(&greeting.rest[..], b"\0wire\n");
}

#[tokio::test]
async fn a_line_that_only_looks_like_an_answer_is_noise() {
    let very_long = line(&"x".repeat(5000));
    for noise in [
        line("never"),
        line("have"),
        line("have two words"),
        line("need x86_64-linux"),
        line("need x86_64-linux lzma"),
        line("ready"),
        line("bad 0"),
        line("nowhere everywhere"),
        very_long,
        format!("{} ", nonce().as_str()).into_bytes(),
        nonce().as_str().as_bytes().to_vec(),
        b"\xff\xfe\0".to_vec(),
    ] {
        let greeting = greeting_of(&[&noise, &line("have x86_64-linux"), b"wire"]).await;
        assert_eq!(&greeting.rest[..], b"wire", "{noise:?}");
    }
}

#[tokio::test]
async fn a_line_of_the_script_that_never_ends_is_no_shell() {
    let mut said = line("have x86_64-linux");
    said.pop();
    let error = answer_to(&[&said]).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::NoShell);
}

#[tokio::test]
async fn the_answer_counts_at_the_very_end_of_the_noise_and_not_behind_it() {
    let limit = 64 * 1024;
    let have = line("have x86_64-linux");
    for (len, is_found) in [(limit, true), (limit + 2 * READ_SIZE, false)] {
        let noise = vec![b'x'; len];
        let found = answer_to(&[&noise, &have]).await;
        assert_eq!(found.is_ok(), is_found, "{len}");
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_answer_and_nothing_but_the_agent_after_it() {
    for (form, expected) in [
        ("gz", agents().find("x86_64-linux").unwrap().gzip().to_vec()),
        ("raw", b"an agent".to_vec()),
    ] {
        let (mut ours, mut theirs) = duplex(ROOMY);
        let host = tokio::spawn(async move {
            let mut early = [0];
            let nothing_comes = std::future::poll_fn(|context| {
                let mut early = tokio::io::ReadBuf::new(&mut early);
                let read = std::pin::Pin::new(&mut theirs).poll_read(context, &mut early);
                std::task::Poll::Ready(read.is_pending())
            });
            assert!(nothing_comes.await);
            let need = line(&format!("need x86_64-linux {form}"));
            theirs.write_all(&need).await.unwrap();
            let mut received = vec![0; expected.len()];
            theirs.read_exact(&mut received).await.unwrap();
            assert_eq!(received, expected);
            theirs.write_all(&line("ready")).await.unwrap();
            theirs.write_all(b"wire").await.unwrap();
            let mut more = Vec::new();
            theirs.read_to_end(&mut more).await.unwrap();
            assert_eq!(more, b"");
        });
        let greeting = {
            let (mut reader, mut writer) = tokio::io::split(&mut ours);
            exchange(&mut reader, &mut writer).await.unwrap()
        };
        assert_eq!(greeting.origin, AgentOrigin::Sent);
        drop(ours);
        host.await.unwrap();
    }
}

#[tokio::test]
async fn a_host_that_gives_up_in_the_middle_is_heard_while_we_write() {
    // A pipe that is never read, and too small for the agent.
    let (mut writer, _unread) = duplex(4);
    let (mut ours, mut theirs) = duplex(ROOMY);
    theirs
        .write_all(&line("need x86_64-linux raw"))
        .await
        .unwrap();
    theirs.write_all(&line("bad 3")).await.unwrap();
    let error = exchange(&mut ours, &mut writer).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::Upload);
    assert!(error.text.contains("3 bytes were stored"), "{error}");
}

#[tokio::test]
async fn a_failed_write_is_the_cause_when_the_host_says_nothing() {
    let (ours, theirs, answer) = asked("gz").await;
    drop(theirs);
    let error = delivered(ours, answer).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::Upload);
}

#[tokio::test]
async fn a_script_that_asks_twice_is_refused() {
    let (ours, mut theirs, answer) = asked("gz").await;
    let need = line("need x86_64-linux gz");
    theirs.write_all(&need).await.unwrap();
    let error = delivered(ours, answer).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::Upload);
}

#[tokio::test]
async fn an_agent_that_we_lack_is_not_sent() {
    let error = answer_to(&[&line("need vax-linux gz")]).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::NoAgent);
}

#[tokio::test]
async fn what_a_host_calls_itself_cannot_drive_a_terminal() {
    let error = answer_to(&[&line("unknown Linux \x1b]0;pwned\x07")])
        .await
        .unwrap_err();
    assert!(!error.text.contains('\x1b'), "{error}");
}

proptest! {
    #[test]
    fn the_answer_is_found_behind_any_noise_however_it_is_cut(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        half in 0..33_usize,
        cuts in proptest::collection::vec(0..400_usize, 0..6),
    ) {
        let mut said = noise;
        // Noise may even end with a part of the nonce.
        said.extend_from_slice(nonce().as_str().as_bytes().get(..half).unwrap_or_default());
        said.extend(line("have x86_64-linux"));
        said.extend_from_slice(b"wire");
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(said.len())).collect();
        cuts.extend([0, said.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &said[cut[0]..cut[1]]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let greeting = runtime.block_on(greeting_of(&pieces));
        prop_assert_eq!(&greeting.rest[..], b"wire");
    }
}
