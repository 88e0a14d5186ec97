//! What the tests of views share: events, and a screen to look at.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use convoke::event::{Event, Kind, RunId, Step, Stream};
use convoke::outcome::{Exited, Outcome, Status};

use super::View;
use super::screen::Screen;
use crate::config::{Output, OutputForm, Paper, PaperKind, Safety, Volume};

/// A file without colour.
pub(crate) const FILE: Paper = Paper {
    kind: PaperKind::File,
    is_coloured: false,
};

/// A terminal without colour.
pub(crate) const TERMINAL: Paper = Paper {
    kind: PaperKind::Terminal,
    is_coloured: false,
};

/// Output to two of the same kind.
pub(crate) fn output(paper: Paper) -> Output {
    Output {
        form: OutputForm::Plain,
        safety: Safety::Escaped,
        stdout: paper,
        stderr: paper,
        talk: Volume::Normal,
        temporary: std::env::temp_dir(),
        outdir: None,
    }
}

/// An event.
pub(crate) fn event(host: &str, kind: Kind) -> Event {
    Event {
        run: RunId::new([0; 8]),
        host: host.into(),
        step: Step::first(),
        seq: 0,
        at: UNIX_EPOCH,
        kind,
    }
}

/// A piece of stdout.
pub(crate) fn out(host: &str, data: &[u8]) -> Event {
    let (stream, data) = (Stream::Stdout, Bytes::copy_from_slice(data));
    event(host, Kind::Output { stream, data })
}

/// A piece of stderr.
pub(crate) fn err(host: &str, data: &[u8]) -> Event {
    let (stream, data) = (Stream::Stderr, Bytes::copy_from_slice(data));
    event(host, Kind::Output { stream, data })
}

/// The end of a command with an exit code.
pub(crate) fn ended(host: &str, code: u8) -> Event {
    event(host, Kind::Ended(exited(code)))
}

/// The outcome of a command with an exit code.
pub(crate) fn exited(code: u8) -> Outcome {
    Outcome::Exited(Exited {
        status: Status::Code(code),
        left_running: 0,
        stream_cut: false,
        survivors: Vec::new(),
    })
}

/// The names of hosts.
pub(crate) fn hosts(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

/// What a view writes to stdout and stderr.
pub(crate) fn shown(
    mut view: impl View,
    events: impl IntoIterator<Item = Event>,
) -> (Vec<u8>, Vec<u8>) {
    let (mut screen, out, err) = Screen::in_memory();
    for event in events {
        view.event(event, &mut screen).unwrap();
    }
    view.finish(&mut screen).unwrap();
    screen.flush().unwrap();
    (out.bytes(), err.bytes())
}
