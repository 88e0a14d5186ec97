//! One input for many readers.

use tokio::io::AsyncReadExt as _;

use super::*;

fn spool() -> (Spool, mpsc::Receiver<Unread>) {
    let (told, alarms) = mpsc::channel(1);
    let errors = Errors::Told(Alarm::new("stdin", told));
    (Spool::new(&std::env::temp_dir(), errors).unwrap(), alarms)
}

#[tokio::test]
async fn every_reader_gets_everything_at_its_own_pace() {
    let (spool, _alarms) = spool();
    let input: Vec<u8> = (0..1_000_000_u32).map(|at| (at >> 3) as u8).collect();
    let mut early = spool.open().unwrap();
    let mut slow = spool.open().unwrap();
    let mut byte = [0];
    let filling = {
        let (spool, input) = (spool.clone(), input.clone());
        tokio::task::spawn_blocking(move || spool.fill(&input[..]))
    };
    let mut first = Vec::new();
    early.read_to_end(&mut first).await.unwrap();
    filling.await.unwrap();
    assert!(first == input);
    slow.read_exact(&mut byte).await.unwrap();
    let mut rest = byte.to_vec();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(rest == input);
    let mut late = Vec::new();
    spool.open().unwrap().read_to_end(&mut late).await.unwrap();
    assert!(late == input);
}

/// Gives some bytes, then an error.
struct Failing(Option<&'static [u8]>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.take().ok_or_else(|| io::Error::other("broken"))?;
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[tokio::test]
async fn an_error_is_no_end_of_input() {
    let (spool, mut alarms) = spool();
    spool.fill(Failing(Some(b"part")));
    let mut reader = spool.open().unwrap();
    let mut part = [0; 4];
    reader.read_exact(&mut part).await.unwrap();
    assert_eq!(&part, b"part");
    assert_eq!(alarms.recv().await.unwrap().error.to_string(), "broken");
    let end = reader.read_u8();
    tokio::pin!(end);
    assert!(
        std::future::poll_fn(|cx| Poll::Ready(end.as_mut().poll(cx)))
            .await
            .is_pending()
    );
}

#[tokio::test]
async fn an_error_may_be_for_all_who_read() {
    let errors = Errors::Given("stdin".to_owned());
    let spool = Spool::new(&std::env::temp_dir(), errors).unwrap();
    let mut early = spool.open().unwrap();
    let mut part = Vec::new();
    let filled = spool.clone();
    let filling = tokio::task::spawn_blocking(move || filled.fill(Failing(Some(b"part"))));
    let early = early.read_to_end(&mut part).await;
    filling.await.unwrap();
    let late = spool.open().unwrap().read_to_end(&mut part).await;
    for ended in [early, late] {
        assert_eq!(ended.unwrap_err().to_string(), "stdin here: broken");
    }
    assert_eq!(part, b"partpart");
}
