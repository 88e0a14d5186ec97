//! An inbound stream of a process: from the link to its pipe.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::io::{Errno, write};

use crate::serve::{Inbound, Serve};

/// One inbound stream.
#[derive(Debug)]
pub struct Input {
    number: u8,
    /// None once it is closed.
    pipe: Option<OwnedFd>,
}

impl Input {
    /// The stream `number`, whose bytes go into the non-blocking `pipe`.
    pub fn new(number: u8, pipe: OwnedFd) -> Self {
        Input {
            number,
            pipe: Some(pipe),
        }
    }

    /// The stream's number.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// What to wait for: room when bytes wait, else only that the process closes it.
    pub fn interest(&self, channel: u32, serve: &Serve) -> Option<(&OwnedFd, PollFlags)> {
        let flags = match serve.inbound(channel, self.number) {
            Inbound::Bytes(_) => PollFlags::OUT,
            _ => PollFlags::empty(),
        };
        self.pipe.as_ref().map(|pipe| (pipe, flags))
    }

    /// Writes what waits and fits; closes the pipe at the end of the stream.
    pub fn pump(&mut self, channel: u32, serve: &mut Serve) {
        while let Some(pipe) = &self.pipe {
            let written = match serve.inbound(channel, self.number) {
                Inbound::Bytes(bytes) => write(pipe, bytes),
                Inbound::Nothing => return,
                Inbound::Ended => {
                    self.pipe = None;
                    return;
                }
            };
            match written {
                Ok(count) => serve.consumed(channel, self.number, count),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => self.close(channel, serve),
            }
        }
    }

    /// Nobody reads it any more: not an error, but the controller may stop sending.
    pub fn close(&mut self, channel: u32, serve: &mut Serve) {
        if self.pipe.take().is_some() {
            serve.refuse_input(channel, self.number);
        }
    }
}
