//! The worker's loop: waits for everything at once, does the system calls, and leaves to other threads what
//! may wait for a disk.

mod append;
mod crew;
mod linger;
mod steps;
mod tasks;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke_proto::hello::{LinkId, Liveness};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::errand::Errands;
use crate::guard::WorkerEnd;
use crate::order::Login;
use crate::process::{MAX_WAITING, Process};
use crate::register::{Goodbye, Record, Register};
use crate::serve::{Effect, Serve};
use crate::signals::Signals;
use crate::spawn::Spawner;
use crate::tree::Reserve;
use crate::verbs::Verbs;

use crew::Crew;
use tasks::{Queue, Task};

pub use wire::{Wire, close_inherited, let_go_of_standard_descriptors, touch_own_file};

/// The wire is no longer read while more than this waits to be sent, in bytes: replies to a peer that
/// does not read them must not grow for ever. Above what children may fill, so that a slow reader can
/// still kill.
const MAX_REPLIES: usize = 2 * MAX_WAITING;

/// How long news that nobody acts on waits for company.
const COMPANY: Duration = Duration::from_millis(2);

/// This host's platform, as the hello names it.
const PLATFORM: &str = match cfg!(target_arch = "aarch64") {
    true => "aarch64-linux",
    false => "x86_64-linux",
};

/// The worker: the link, its steps, and everything they share.
#[derive(Debug)]
pub struct Worker {
    /// None once the link is closed.
    wire: Option<Wire>,
    serve: Serve,
    link: LinkId,
    heard: Instant,
    give_up: Option<Duration>,
    in_good_order: bool,
    signals: Signals,
    guard: WorkerEnd,
    register: Register,
    errands: Arc<Errands>,
    verbs: Arc<Verbs>,
    spawner: Spawner,
    processes: BTreeMap<u32, Process>,
    /// Pipes that somebody still holds although their stream is over.
    held: Vec<Option<OwnedFd>>,
    /// Until when they are left alone.
    held_rest: Option<Instant>,
    /// Whether no process is left below us, dead or alive.
    childless: bool,
    spare: Box<[u8]>,
    reserve: Reserve,
    /// Until when news waits for company.
    held_until: Option<Instant>,
    crew: Arc<Crew>,
    tasks: BTreeMap<u32, Task>,
    /// How many bytes of files are being read, which will wait for the wire.
    reading_bytes: usize,
    /// How many files are open, or about to be, for the controller or to be sent.
    open_files: usize,
    queue: Queue,
    /// Tasks that could go on if less waited for the wire.
    crowded: BTreeSet<u32>,
    /// Which of them comes next.
    next_crowded: u32,
    /// After the link: until when tasks are waited for.
    farewell: Option<Instant>,
}

/// What the loop waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    WireIn,
    WireOut,
    Signals,
    Guard,
    Bell,
    Output(u32, usize),
    Input(u32, usize),
    Held(usize),
}

impl Worker {
    /// A worker on `wire`; nothing happens before [`Worker::run`].
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn new(wire: Wire, signals: Signals, guard: WorkerEnd) -> io::Result<Self> {
        Spawner::raise_descriptor_limit();
        let errands = Arc::<Errands>::default();
        let verbs = Verbs::new(Login::of_this_process(), Arc::clone(&errands));
        let verbs = Arc::new(verbs);
        Ok(Worker {
            wire: Some(wire),
            serve: Serve::new(PLATFORM),
            link: LinkId([0; 16]),
            heard: Instant::now(),
            // Until the hello says otherwise: a controller may vanish before it.
            give_up: Some(Duration::from_millis(Liveness::default().give_up_ms.into())),
            in_good_order: true,
            signals,
            guard,
            register: Register::default(),
            errands,
            verbs: Arc::clone(&verbs),
            spawner: Spawner::new(),
            processes: BTreeMap::new(),
            held: Vec::new(),
            held_rest: None,
            childless: true,
            spare: vec![0; wire::CHUNK].into(),
            reserve: Reserve::new(),
            held_until: None,
            crew: Arc::new(Crew::new(verbs)?),
            tasks: BTreeMap::new(),
            reading_bytes: 0,
            open_files: 0,
            queue: Queue::default(),
            crowded: BTreeSet::new(),
            next_crowded: 0,
            farewell: None,
        })
    }

    /// Serves the link until it is closed and every running step is ended, and then what released
    /// processes still write; whether the link was closed in good order.
    pub fn run(self) -> bool {
        let crew = Arc::clone(&self.crew);
        let mut worker = crew.work(Box::new(self));
        let in_good_order = worker.in_good_order;
        let pipes: Vec<OwnedFd> = std::mem::take(&mut worker.held)
            .into_iter()
            .flatten()
            .collect();
        worker.tell(Record::Goodbye(Goodbye {
            in_good_order,
            lingers: !pipes.is_empty(),
        }));
        let Worker {
            guard,
            signals,
            errands,
            mut spare,
            ..
        } = *worker;
        drop(guard);
        linger::linger(pipes, &signals, &errands, &mut spare);
        in_good_order
    }

    /// Whether there is anything left to do.
    fn goes_on(&self) -> bool {
        self.wire.is_some()
            || !self.processes.is_empty()
            || (!self.tasks.is_empty() && self.waits_for_tasks(Instant::now()))
    }

    /// Waits until something happens, unless something is to be done meanwhile, and does all that it
    /// asks for.
    fn turn(&mut self, is_busy: bool) {
        let ready = self.wait(is_busy);
        let now = Instant::now();
        for (source, flags) in ready {
            self.handle(source, flags, now);
        }
        self.check_silence(now);
        self.give_up_starts(now);
        self.tick(now);
        self.finish_steps(now);
        self.send();
        self.pump_crowded();
        if self.serve.is_finished() {
            self.close(None, now);
        }
        if self.wire.is_none() {
            // The write may have found the link closed, which ends the wait for streams.
            self.finish_steps(now);
        }
        self.held.retain(Option::is_some);
        self.held_rest = self.held_rest.filter(|until| *until > now);
    }

    fn wait(&mut self, is_busy: bool) -> Vec<(Source, PollFlags)> {
        let timeout = match is_busy {
            true => Some(Timespec::default()),
            false => self.timeout(),
        };
        let (mut polled, sources) = self.interests();
        if poll(&mut polled, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        let happened = sources.into_iter().zip(polled.iter().map(PollFd::revents));
        happened.filter(|(_, flags)| !flags.is_empty()).collect()
    }

    fn timeout(&self) -> Option<Timespec> {
        let steps = self.processes.values().filter_map(Process::deadline);
        let silence = self
            .wire
            .as_ref()
            .and(self.give_up)
            .map(|give_up| self.heard + give_up);
        let pauses = self.held_until.into_iter().chain(self.held_rest);
        let now = Instant::now();
        // Once it is past, only what must not be left half done is waited for.
        let farewell = self.farewell.filter(|until| *until > now);
        let pauses = pauses.chain(farewell.filter(|_| !self.tasks.is_empty()));
        let starts = self.tasks.values().filter_map(Task::gives_up_at);
        let next = steps.chain(silence).chain(pauses).chain(starts).min()?;
        Timespec::try_from(next.saturating_duration_since(now)).ok()
    }

    fn interests(&self) -> (Vec<PollFd<'_>>, Vec<Source>) {
        let mut interests = Vec::with_capacity(8 + 2 * self.processes.len());
        interests.push((self.signals.fd(), PollFlags::IN, Source::Signals));
        if !self.tasks.is_empty() {
            interests.push((self.crew.bell(), PollFlags::IN, Source::Bell));
        }
        if let Some(wire) = &self.wire {
            let waiting = self.serve.outgoing().len();
            if waiting < MAX_REPLIES {
                interests.push((wire.input(), PollFlags::IN, Source::WireIn));
            }
            let flags = if waiting > 0 && self.held_until.is_none() {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            interests.push((wire.output(), flags, Source::WireOut));
            interests.push((self.guard.guard(), PollFlags::empty(), Source::Guard));
        }
        for (channel, process) in &self.processes {
            for (index, output) in process.outputs.iter().enumerate() {
                let interest = output.interest(*channel, &self.serve);
                interests.extend(
                    interest.map(|(fd, flags)| (fd, flags, Source::Output(*channel, index))),
                );
            }
            for (index, input) in process.inputs.iter().enumerate() {
                let interest = input.interest(*channel, &self.serve);
                interests.extend(
                    interest.map(|(fd, flags)| (fd, flags, Source::Input(*channel, index))),
                );
            }
        }
        let held = self.held.iter().flatten().enumerate();
        let held = held.filter(|_| self.held_rest.is_none());
        interests.extend(held.map(|(index, pipe)| (pipe, PollFlags::IN, Source::Held(index))));
        let polled = interests
            .iter()
            .map(|(fd, flags, _)| PollFd::new(*fd, *flags))
            .collect();
        (
            polled,
            interests.into_iter().map(|(_, _, source)| source).collect(),
        )
    }

    fn handle(&mut self, source: Source, flags: PollFlags, now: Instant) {
        match source {
            Source::WireIn => self.receive(now),
            Source::WireOut if flags.intersects(PollFlags::ERR | PollFlags::HUP) => {
                self.close(None, now)
            }
            Source::WireOut => {}
            Source::Signals => self.take_signals(now),
            Source::Guard => self.close(Some("the guard is gone"), now),
            Source::Bell => {
                let reports = self.crew.take_reports();
                reports
                    .into_iter()
                    .for_each(|(channel, report)| self.take_report(channel, report));
            }
            Source::Output(channel, index) => self.pump_output(channel, index, now),
            Source::Input(channel, index) => self.pump_input(channel, index, flags),
            Source::Held(index) => self.discard_held(index, now),
        }
    }

    fn receive(&mut self, now: Instant) {
        let Some(wire) = &mut self.wire else {
            return;
        };
        match wire.read_to(&mut self.serve) {
            Ok(0) => return,
            Ok(_) => {}
            Err(wire::Broken) => return self.close(None, now),
        }
        self.heard = now;
        let fed = self.serve.take_frames();
        while let Some(effect) = self.serve.next_effect() {
            self.carry_out(effect, now);
        }
        if let Err(violation) = fed {
            self.send();
            self.in_good_order = false;
            self.close(Some(&violation.to_string()), now);
        }
    }

    fn carry_out(&mut self, effect: Effect, now: Instant) {
        match effect {
            Effect::Greeted { link, give_up } => {
                self.link = link;
                self.give_up = Some(give_up);
                self.tell(Record::Link(link));
                // Before anything is started: without our hello nobody must think that it was.
                self.send();
            }
            Effect::Start { channel, request } => self.start(channel, request),
            Effect::Operate {
                channel,
                operations,
            } => self.operate(channel, operations),
            Effect::Put { channel, file } => self.put(channel, file),
            Effect::Get { channel, request } => self.get(channel, request),
            Effect::Open { channel, request } => self.open_file(channel, request),
            Effect::Kill { channel } => self.kill(channel, now),
            Effect::Credit { channel, stream } => self.credited(channel, stream, now),
            Effect::Discard { channel, stream } => self.discard(channel, stream),
            Effect::Input { channel, stream } => self.input_arrived(channel, stream),
            Effect::Close(violation) => {
                self.send();
                self.in_good_order = false;
                self.close(Some(&violation.to_string()), now);
            }
        }
    }

    fn take_signals(&mut self, now: Instant) {
        let arrived = self.signals.take();
        if arrived.end {
            self.close(Some("asked to end by a signal"), now);
        }
        if arrived.child {
            self.reap(now);
        }
    }

    fn check_silence(&mut self, now: Instant) {
        let silent_for = now.saturating_duration_since(self.heard);
        if self.wire.is_some() && self.give_up.is_some_and(|give_up| silent_for >= give_up) {
            self.close(Some("the controller has been silent for too long"), now);
        }
    }

    /// Sends what waits, as far as it goes.
    fn send(&mut self) {
        if self.serve.can_wait() && !self.serve.outgoing().is_empty() && self.wire.is_some() {
            let now = Instant::now();
            if now < *self.held_until.get_or_insert(now + COMPANY) {
                return;
            }
        }
        self.held_until = None;
        let waiting = self.serve.outgoing();
        let Some(wire) = self.wire.as_mut().filter(|_| !waiting.is_empty()) else {
            return;
        };
        match wire.write(waiting) {
            Ok(count) => self.serve.sent(count),
            Err(wire::Broken) => self.close(None, Instant::now()),
        }
    }

    /// Acts as at a closed link: running trees are ended, the rest is let go.
    fn close(&mut self, cause: Option<&str>, now: Instant) {
        if self.wire.take().is_none() {
            return;
        }
        if let Some(cause) = cause {
            wire::complain(cause);
        }
        self.serve.shut();
        self.abandon_steps(now);
        self.abandon_tasks(now);
    }

    fn tell(&mut self, record: Record) {
        self.register.apply(record);
        self.guard.tell(record);
    }

    /// Throws away what a released process writes, until nobody can write any more.
    fn discard_held(&mut self, index: usize, now: Instant) {
        if let Some(place) = self.held.get_mut(index) {
            *place = place
                .take()
                .filter(|pipe| !linger::is_over(pipe, &mut self.spare));
            self.held_rest = Some(now + linger::REST);
        }
    }
}
