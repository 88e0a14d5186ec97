//! Files that moved: each on stderr, for those who want to hear it.

use convoke::event::{Event, Kind, Stream};

use super::View;
use super::quote::quote;
use super::screen::{Broken, Screen};
use super::words;
use crate::config::{Output, Volume};

/// Names each file that is where it shall be.
pub(crate) struct Files {
    talk: Volume,
}

impl Files {
    pub(crate) fn new(output: &Output) -> Self {
        Files { talk: output.talk }
    }
}

impl View for Files {
    fn event(&mut self, event: Event, screen: &mut Screen) -> Result<(), Broken> {
        let Kind::Moved(moved) = &event.kind else {
            return Ok(());
        };
        if self.talk < Volume::Verbose {
            return Ok(());
        }
        let path = quote(&moved.path);
        let bytes = words::bytes(moved.bytes);
        let line = match (&moved.here, moved.replaced) {
            (Some(here), None) => {
                let here = quote(here.as_os_str().as_encoded_bytes());
                format!("{}: {path} is in {here}, {bytes}\n", event.host)
            }
            (_, Some(true)) => format!("{}: {path} was replaced, {bytes}\n", event.host),
            (_, _) => format!("{}: {path} is there, {bytes}\n", event.host),
        };
        let sink = screen.sink(Stream::Stderr)?;
        sink.buffer().extend_from_slice(line.as_bytes());
        Ok(sink.settle()?)
    }

    fn finish(&mut self, _: &mut Screen) -> Result<(), Broken> {
        Ok(())
    }
}
