//! An outbound stream of a process: from its pipe to the link, and when it is over.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use convoke_proto::frame::MAX_DATA;
use rustix::event::PollFlags;
use rustix::io::{Errno, ioctl_fionread, read};
use rustix::pipe::fcntl_setpipe_size;

use super::pace::Pace;
use crate::serve::Serve;

/// How much may wait for the wire before children are no longer read, in bytes: four full frames, so
/// that one write carries many and memory stays small.
pub const MAX_WAITING: usize = 256 * 1024;

/// A stream that was empty this long after the end of its process is left to whoever still holds it.
const EMPTY_FOR: Duration = Duration::from_millis(250);

/// A writer that never stops is cut this long after the end of its process, …
const READ_FOR: Duration = Duration::from_secs(2);

/// … and, unless its pipe was empty once, after this many bytes: no pipe holds more, so what was in it at
/// the end has arrived.
const READ_BYTES: usize = PIPE_SIZE;

/// The size that a pipe with much traffic gets, in bytes: what a user may set without privilege.
const PIPE_SIZE: usize = 1024 * 1024;

/// A stream that brought this many bytes, several pipes full, is likely to bring many more.
const MUCH: usize = 512 * 1024;

/// How many frames one stream may send before others have their turn.
const TURN: usize = 4;

/// One outbound stream.
#[derive(Debug)]
pub struct Output {
    number: u8,
    pipe: OwnedFd,
    state: State,
    drain: Option<Drain>,
    pace: Pace,
    /// How much it brought until its pipe was enlarged.
    brought_bytes: usize,
    enlarged: Enlarged,
    /// Nobody writes any more, but there is data and no credit: polling would only spin.
    hung_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The controller wants no more of it: read and thrown away, without credit.
    Unwanted,
    /// Said to be over while somebody still holds it.
    Released {
        cut: bool,
    },
    Ended,
}

/// Whether a pipe holds more than it was born with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enlarged {
    NotYet,
    Yes,
    Refused,
}

impl Output {
    /// The stream `number`, whose bytes come out of the non-blocking `pipe`.
    pub fn new(number: u8, pipe: OwnedFd) -> Self {
        Output {
            number,
            pipe,
            state: State::Open,
            drain: None,
            pace: Pace::default(),
            brought_bytes: 0,
            enlarged: Enlarged::NotYet,
            hung_up: false,
        }
    }

    /// The stream's number.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Whether the controller was told that no more bytes come.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended | State::Released { .. })
    }

    /// Whether nobody can write to it any more.
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether it ever brought anything or is waited for: new credit may be of use at once.
    pub fn has_begun(&self) -> bool {
        self.brought_bytes > 0 || self.hung_up || self.drain.is_some()
    }

    /// Whether it was cut in the middle of what somebody wrote.
    pub fn was_cut(&self) -> bool {
        self.state == State::Released { cut: true }
    }

    /// The pipe, when somebody still holds its other end: it must be read on, or a write would kill them.
    pub fn into_held_pipe(self) -> Option<OwnedFd> {
        (self.state != State::Ended).then_some(self.pipe)
    }

    /// The controller wants no more of it.
    pub fn discard(&mut self) {
        if self.state == State::Open {
            self.state = State::Unwanted;
        }
    }

    /// What to wait for; `None` when nothing can happen before credit or room comes.
    pub fn interest(&self, channel: u32, serve: &Serve) -> Option<(&OwnedFd, PollFlags)> {
        let flags = match self.state {
            State::Ended | State::Released { .. } => return None,
            _ if self.pace.rests_until().is_some() => return None,
            _ if self.may_read(channel, serve) => PollFlags::IN,
            _ if self.hung_up => return None,
            _ => PollFlags::empty(),
        };
        Some((&self.pipe, flags))
    }

    /// Reads what there is and may be sent; returns how many bytes that were.
    pub fn pump(
        &mut self,
        channel: u32,
        serve: &mut Serve,
        spare: &mut [u8],
        now: Instant,
    ) -> usize {
        let mut total = 0;
        for _ in 0..TURN {
            if self.is_over() {
                break;
            }
            if !self.may_read(channel, serve) {
                self.blocked(channel, serve, now);
                break;
            }
            let room = serve.credit(channel, self.number).min(MAX_DATA);
            match self.read(channel, serve, spare) {
                Ok(0) => self.end(channel, serve),
                Ok(count) => {
                    total += count;
                    self.note_read(count, now);
                    // A short read has emptied the pipe: more comes together if it is given time.
                    if count < room && self.drain.is_none() {
                        self.emptied(now);
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if let Some(drain) = &mut self.drain {
                        drain.found_empty(now);
                    }
                    self.emptied(now);
                    break;
                }
                Err(_) => self.end(channel, serve),
            }
        }
        total
    }

    /// Whether bytes wait in the pipe that may not be sent.
    pub fn is_held_back(&self, channel: u32, serve: &Serve) -> bool {
        self.state == State::Open && !self.may_read(channel, serve) && self.has_bytes()
    }

    /// Another stream of the process has ended, so that most likely the process is just ending: news of
    /// that wakes us in a moment, and then all streams are read at once.
    pub fn await_exit(&mut self, now: Instant) {
        if self.drain.is_none() && !self.is_over() {
            self.pace.rest(now);
        }
    }

    /// The process has ended: from here on an empty stream or an endless writer ends it.
    pub fn begin_drain(&mut self) {
        self.drain.get_or_insert_default();
        self.pace.wake(None);
    }

    /// Ends a stream that was empty for long, or that is written to for ever.
    pub fn tick(&mut self, channel: u32, serve: &mut Serve, now: Instant) {
        let verdict = self.drain.as_ref().and_then(|drain| drain.verdict(now));
        if let Some(cut) = verdict.filter(|_| !self.is_over()) {
            self.release(channel, serve, cut);
        }
    }

    /// When [`Output::tick`] may have something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.drain.as_ref().filter(|_| !self.is_over())?.deadline()
    }

    /// Until when its pipe is left alone.
    pub fn rests_until(&self) -> Option<Instant> {
        self.pace.rests_until()
    }

    /// Reads its pipe again when its rest is over.
    pub fn wake(&mut self, now: Instant) {
        self.pace.wake(Some(now));
    }

    /// Ends the stream for the controller at once, wherever it stands.
    pub fn release(&mut self, channel: u32, serve: &mut Serve, cut: bool) {
        if !self.is_over() {
            self.state = State::Released { cut };
            serve.end_output(channel, self.number);
        }
    }

    fn may_read(&self, channel: u32, serve: &Serve) -> bool {
        self.state == State::Unwanted
            || (serve.outgoing().len() < MAX_WAITING && serve.credit(channel, self.number) > 0)
    }

    fn read(&mut self, channel: u32, serve: &mut Serve, spare: &mut [u8]) -> Result<usize, Errno> {
        match self.state {
            State::Unwanted => read(&self.pipe, spare),
            _ => serve.send(channel, self.number, |room| read(&self.pipe, room)),
        }
    }

    fn note_read(&mut self, count: usize, now: Instant) {
        if self.brought_bytes < MUCH {
            self.brought_bytes += count;
            if self.brought_bytes >= MUCH {
                self.enlarge();
            }
        }
        if let Some(drain) = &mut self.drain {
            drain.found_bytes(count, now);
        }
    }

    /// A busy pipe is left alone for a moment, if it holds what comes meanwhile. Not once its process
    /// has ended: then the clocks run.
    fn emptied(&mut self, now: Instant) {
        self.pace.emptied(now);
        if self.pace.is_busy() && self.drain.is_none() && self.enlarge() == Enlarged::Yes {
            self.pace.rest(now);
        }
    }

    fn enlarge(&mut self) -> Enlarged {
        if self.enlarged == Enlarged::NotYet {
            // Refused where the host's users may have less: then it stays as it was.
            self.enlarged = match fcntl_setpipe_size(&self.pipe, PIPE_SIZE) {
                Ok(_) => Enlarged::Yes,
                Err(_) => Enlarged::Refused,
            };
        }
        self.enlarged
    }

    /// Without credit only the end can be noticed, and only when nothing comes before it.
    fn blocked(&mut self, channel: u32, serve: &mut Serve, now: Instant) {
        if let Some(drain) = &mut self.drain {
            drain.found_blocked(now);
        }
        self.hung_up = self.writers_are_gone();
        if self.hung_up && !self.has_bytes() {
            self.end(channel, serve);
        }
    }

    fn writers_are_gone(&self) -> bool {
        let mut polled = [rustix::event::PollFd::new(&self.pipe, PollFlags::empty())];
        let at_once = rustix::event::Timespec::default();
        let _ = rustix::event::poll(&mut polled, Some(&at_once));
        polled
            .iter()
            .any(|polled| polled.revents().contains(PollFlags::HUP))
    }

    /// Whether bytes wait in the pipe.
    pub fn has_bytes(&self) -> bool {
        ioctl_fionread(&self.pipe).is_ok_and(|count| count > 0)
    }

    fn end(&mut self, channel: u32, serve: &mut Serve) {
        self.state = State::Ended;
        serve.end_output(channel, self.number);
    }
}

/// What is known of a stream since its process ended.
#[derive(Debug, Default)]
struct Drain {
    began: Option<Instant>,
    read_bytes: usize,
    seen_empty: bool,
    /// Since when it is empty, as far as that could be seen: not while it may not be read.
    empty_since: Option<Instant>,
}

impl Drain {
    fn found_bytes(&mut self, count: usize, now: Instant) {
        self.began.get_or_insert(now);
        self.read_bytes += count;
        self.empty_since = None;
    }

    fn found_empty(&mut self, now: Instant) {
        self.began.get_or_insert(now);
        self.seen_empty = true;
        self.empty_since.get_or_insert(now);
    }

    fn found_blocked(&mut self, now: Instant) {
        self.began.get_or_insert(now);
        self.empty_since = None;
    }

    /// Whether it is over by now, and if so whether in the middle of what somebody wrote.
    fn verdict(&self, now: Instant) -> Option<bool> {
        let is_past = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if is_past(self.empty_at()) {
            return Some(false);
        }
        is_past(self.cut_at()).then_some(true)
    }

    fn deadline(&self) -> Option<Instant> {
        self.cut_at().into_iter().chain(self.empty_at()).min()
    }

    fn empty_at(&self) -> Option<Instant> {
        Some(self.empty_since? + EMPTY_FOR)
    }

    /// Once it was empty, or a whole pipe was read, everything from before the end has arrived: what
    /// comes later is nobody's output, and is not waited for, however slowly the rest is taken.
    fn cut_at(&self) -> Option<Instant> {
        let all_arrived = self.seen_empty || self.read_bytes > READ_BYTES;
        self.began
            .filter(|_| all_arrived)
            .map(|began| began + READ_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_stream_that_stays_empty_is_released_after_250_ms() {
        let start = Instant::now();
        let mut drain = Drain::default();
        drain.found_empty(start);
        assert_eq!(drain.verdict(start + ms(249)), None);
        assert_eq!(drain.deadline(), Some(start + ms(250)));
        assert_eq!(drain.verdict(start + ms(250)), Some(false));
    }

    #[test]
    fn a_stream_is_not_empty_while_it_may_not_be_read() {
        let start = Instant::now();
        let mut drain = Drain::default();
        drain.found_empty(start);
        drain.found_blocked(start + ms(100));
        assert_eq!(drain.deadline(), Some(start + ms(2_000)));
        assert_eq!(drain.verdict(start + ms(1_999)), None);
    }

    #[test]
    fn a_dripping_writer_is_cut_after_two_seconds_of_reading() {
        let start = Instant::now();
        let mut drain = Drain::default();
        for tick in 0..20 {
            drain.found_bytes(1, start + ms(tick * 100));
            drain.found_empty(start + ms(tick * 100));
        }
        drain.found_bytes(1, start + ms(1_999));
        assert_eq!(drain.verdict(start + ms(1_999)), None);
        assert_eq!(drain.verdict(start + ms(2_000)), Some(true));
    }

    #[test]
    fn a_pipe_that_was_never_empty_is_read_for_a_whole_pipe() {
        let start = Instant::now();
        let mut drain = Drain::default();
        drain.found_bytes(READ_BYTES, start);
        assert_eq!(drain.verdict(start + ms(60_000)), None);
        drain.found_bytes(1, start + ms(60_000));
        assert_eq!(drain.verdict(start + ms(60_000)), Some(true));
    }

    #[test]
    fn a_flood_is_cut_in_time_also_while_its_reader_is_slow() {
        let start = Instant::now();
        let mut drain = Drain::default();
        for turn in 0..20 {
            drain.found_bytes(READ_BYTES / 10, start + ms(turn * 100));
            drain.found_blocked(start + ms(turn * 100));
        }
        assert_eq!(drain.verdict(start + ms(1_999)), None);
        assert_eq!(drain.verdict(start + ms(2_000)), Some(true));
    }
}
