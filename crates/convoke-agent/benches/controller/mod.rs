//! A small blocking controller: one link to the agent that is measured, the bench's own build or the one that
//! `CONVOKE_AGENT` names.
#![allow(dead_code)] // Every bench uses its own part.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness, PROTOCOL};
use convoke_proto::message::{Credit, Message};

/// A link that has begun.
pub(crate) struct Link {
    child: Child,
    decoder: Decoder,
    chunk: Vec<u8>,
    /// That of the latest request.
    pub(crate) channel: u32,
}

impl Link {
    pub(crate) fn open() -> Self {
        let binary = std::env::var_os("CONVOKE_AGENT")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_convoke-agent").into());
        let child = Command::new(binary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut link = Link {
            child,
            decoder: Decoder::new(),
            chunk: vec![0; 256 * 1024],
            channel: 0,
        };
        let hello = Hello {
            protocol: PROTOCOL,
            capabilities: Capabilities::default(),
            platform: "bench".into(),
            link: LinkId([7; 16]),
            liveness: Liveness::default(),
        };
        link.send(&[(0, Message::Hello(hello))]);
        link.next();
        link
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub(crate) fn send(&mut self, messages: &[(u32, Message)]) {
        let mut bytes = Vec::new();
        for (channel, message) in messages {
            message.encode(*channel, &mut bytes).unwrap();
        }
        self.write(&bytes);
    }

    /// Lets the agent send so much more on a stream of the latest request.
    pub(crate) fn credit(&mut self, stream: u8, bytes: usize) {
        let bytes = bytes as u32;
        let credit = Message::Credit(Credit { stream, bytes });
        self.send(&[(self.channel, credit)]);
    }

    pub(crate) fn next(&mut self) -> Incoming {
        loop {
            if let Some((_, incoming)) = self.decoder.next().unwrap() {
                return incoming;
            }
            let count = self.read().len();
            self.decoder.feed(&self.chunk[..count]);
        }
    }

    /// The next bytes, whatever they are. Not after a [`Link::next`] that left some behind.
    pub(crate) fn read(&mut self) -> &[u8] {
        let output = self.child.stdout.as_mut().unwrap();
        let count = output.read(&mut self.chunk).unwrap();
        assert!(count > 0, "the agent ended");
        &self.chunk[..count]
    }

    pub(crate) fn noop(&mut self) {
        self.channel += 1;
        self.send(&[(self.channel, Message::Noop)]);
        self.next();
    }

    /// The number of the process that works.
    pub(crate) fn worker(&self) -> String {
        let guard = self.child.id().to_string();
        let is_of_guard = |pid: &String| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(1));
            parent == Some(&guard)
        };
        let mut names = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.find(is_of_guard).unwrap()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
