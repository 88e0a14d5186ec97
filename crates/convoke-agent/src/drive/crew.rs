//! The worker's threads: one of them has the loop, the others do what may wait for a disk.
//!
//! A short operation must cost little more than an empty request, and a hand-over to another thread and
//! back costs two wake-ups, which is as much again. So the thread that has the loop does a job itself. It
//! lays the loop down meanwhile, and one idle thread watches: when the loop lies there for longer than a
//! [`TICK`], that one picks it up and goes on with it, and the thread that is stuck brings its report when
//! it is done. Until a disk makes somebody wait, nobody is woken for anything; and the loop is never left
//! alone for more than two ticks, which are [longer](SLOW_TICK) where all jobs have been short for a while.
//!
//! Nothing of this exists before the first job. The watcher looks at its clock only for as long as jobs
//! are done; when none was for a while, every thread sleeps.
//!
//! Measured by `benches/operate.rs`.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use super::Worker;
use crate::job::{Files, Job, Report};
use crate::verbs::Verbs;

/// The most threads, the one with the loop included: as many jobs as this, less one, may wait for disks
/// at once.
const MAX_THREADS: usize = 8;

/// How many of them may be with jobs that wait for a disk as long as that pleases: one has the loop, and one
/// is left for what must not wait behind those.
const MAX_LONG: usize = MAX_THREADS - 2;

/// The stack of a thread in bytes, of which the kernel gives what is used: little but for the digests of an
/// unoptimised build.
const STACK: usize = 1024 * 1024;

/// How often the watcher looks whether the loop lies still.
const TICK: Duration = Duration::from_millis(1);

/// How often it looks once many jobs were done and none was ever slow: each look costs a wake-up.
const SLOW_TICK: Duration = Duration::from_millis(8);

/// After how many ticks with none but short jobs that is so.
const TRUST: u32 = 32;

/// After how many ticks without any job it sleeps until the next.
const CALM: u32 = 20;

/// How long short jobs are done one after the other before the loop has its turn.
const BUSY: Duration = Duration::from_micros(300);

/// What all threads share.
#[derive(Debug)]
pub(super) struct Crew {
    verbs: Arc<Verbs>,
    files: Files,
    board: Mutex<Board>,
    /// Rung when a report is there for whoever has the loop.
    bell: OwnedFd,
    /// Where idle threads sleep, but for the watcher.
    rest: Condvar,
    /// Where the watcher sleeps.
    lookout: Condvar,
    /// Where the first thread waits for the end.
    ashore: Condvar,
}

#[derive(Debug)]
struct Board {
    jobs: VecDeque<(u32, Job)>,
    /// How many jobs are under way that are not short.
    long: usize,
    reports: Vec<(u32, Report)>,
    helm: Helm,
    watch: Watch,
    /// How often the loop was laid down.
    lent: u64,
    threads: usize,
    /// How many of them have nothing to do, the watcher included.
    idle: usize,
}

/// Where the loop is.
#[derive(Debug)]
enum Helm {
    /// With a thread.
    Taken,
    /// Laid down; whoever is first may take it.
    Free(Box<Worker>),
    /// It has ended, and is here until the first thread takes it.
    Over(Option<Box<Worker>>),
}

/// Who looks after a loop that was laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    Nobody,
    /// The next idle thread that wakes.
    Next,
    Awake,
    Asleep,
}

impl Crew {
    /// A crew without threads, for jobs done with `verbs`.
    pub(super) fn new(verbs: Arc<Verbs>) -> io::Result<Self> {
        Ok(Crew {
            verbs,
            files: Files::default(),
            board: Mutex::new(Board {
                jobs: VecDeque::new(),
                long: 0,
                reports: Vec::new(),
                helm: Helm::Taken,
                watch: Watch::Nobody,
                lent: 0,
                threads: 0,
                idle: 0,
            }),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            rest: Condvar::new(),
            lookout: Condvar::new(),
            ashore: Condvar::new(),
        })
    }

    /// Readable when there are reports.
    pub(super) fn bell(&self) -> &OwnedFd {
        &self.bell
    }

    /// The files that are open for operations.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// Asks for a job; its report comes with the channel.
    pub(super) fn ask(&self, channel: u32, job: Job) {
        self.board().jobs.push_back((channel, job));
    }

    /// Takes the reports of jobs that other threads did.
    pub(super) fn take_reports(&self) -> Vec<(u32, Report)> {
        let mut count = [0; 8];
        // Before the look: what comes after it rings again.
        let _ = rustix::io::read(&self.bell, &mut count);
        std::mem::take(&mut self.board().reports)
    }

    /// Works until there is nothing more to do.
    pub(super) fn work(self: &Arc<Self>, mut worker: Box<Worker>) -> Box<Worker> {
        while worker.goes_on() {
            if !self.board().jobs.is_empty() {
                return self.sail(worker);
            }
            worker.turn(false);
        }
        worker
    }

    /// Hands the loop to the crew, and waits until it comes back.
    ///
    /// This thread does no jobs, so that the process can end whatever disk keeps one from ending.
    fn sail(self: &Arc<Self>, worker: Box<Worker>) -> Box<Worker> {
        let mut board = self.board();
        board.helm = Helm::Free(worker);
        if !self.hire(&mut board) {
            // A host that has no thread for us: then the loop waits for disks.
            board = self.take_turn(board);
        }
        loop {
            if let Helm::Over(worker) = &mut board.helm
                && let Some(worker) = worker.take()
            {
                return worker;
            }
            board = wait(&self.ashore, board);
        }
    }

    /// Adds a thread, which counts as idle; whether there is one more.
    fn hire(self: &Arc<Self>, board: &mut Board) -> bool {
        if board.threads >= MAX_THREADS {
            return false;
        }
        let crew = Arc::clone(self);
        let builder = thread::Builder::new().stack_size(STACK);
        let is_hired = builder.spawn(move || crew.serve()).is_ok();
        if is_hired {
            board.threads += 1;
            board.idle += 1;
        }
        is_hired
    }

    /// The life of a thread: it has the loop when that was left alone, and does jobs as long as there
    /// are any, then watches or rests.
    fn serve(self: &Arc<Self>) {
        let mut board = self.board();
        while !board.is_over() {
            // The first one finds the loop free.
            if board.lent > 0 {
                board = self.idle(board);
            }
            board.idle -= 1;
            board = self.take_turn(board);
            while let Some((channel, job)) = board.next_job() {
                drop(board);
                let is_long = !job.is_short();
                let report = job.run(&self.verbs, &self.files);
                board = self.board();
                board.long -= usize::from(is_long);
                self.hand_in(&mut board, channel, report);
            }
            board.idle += 1;
        }
    }

    /// Takes the loop, if it was laid down, and has it as long as possible.
    fn take_turn<'a>(
        self: &'a Arc<Self>,
        mut board: MutexGuard<'a, Board>,
    ) -> MutexGuard<'a, Board> {
        if let Some(worker) = board.take_helm() {
            drop(board);
            self.lead(worker);
            board = self.board();
        }
        board
    }

    /// Waits until the loop was left alone, or all is over.
    fn idle<'a>(&'a self, mut board: MutexGuard<'a, Board>) -> MutexGuard<'a, Board> {
        while board.watch != Watch::Next && !board.is_over() {
            board = wait(&self.rest, board);
        }
        board.watch = Watch::Awake;
        let (mut seen, mut calm, mut trust) = (board.lent, 0, 0);
        while !board.is_over() {
            if calm >= CALM {
                board.watch = Watch::Asleep;
                while board.watch == Watch::Asleep && !board.is_over() {
                    board = wait(&self.lookout, board);
                }
                (seen, calm) = (board.lent, 0);
            }
            let tick = if trust < TRUST { TICK } else { SLOW_TICK };
            let waited = self.lookout.wait_timeout(board, tick);
            board = waited.unwrap_or_else(PoisonError::into_inner).0;
            match (board.lent == seen, &board.helm) {
                (true, Helm::Free(_)) => break,
                (true, _) => calm += 1,
                (false, _) => (seen, calm, trust) = (board.lent, 0, trust.saturating_add(1)),
            }
        }
        board.watch = Watch::Nobody;
        board
    }

    /// Has the loop, until it ends or somebody else took it.
    fn lead(self: &Arc<Self>, mut worker: Box<Worker>) {
        loop {
            worker = match self.do_jobs(worker) {
                Some(worker) => worker,
                None => return,
            };
            worker.send();
            worker.pump_crowded();
            if !worker.goes_on() {
                return self.end(worker);
            }
            // Also those that were asked for just now: a broken wire takes everything back.
            worker.turn(self.can_do_jobs());
        }
    }

    /// Whether there is a job that [`Crew::do_jobs`] would do now.
    fn can_do_jobs(self: &Arc<Self>) -> bool {
        let mut board = self.board();
        board.place_of_next().is_some() && self.is_watched(&mut board)
    }

    /// Does jobs for a moment. `None` when one took long and the loop is gone.
    fn do_jobs(self: &Arc<Self>, mut worker: Box<Worker>) -> Option<Box<Worker>> {
        let mut until = None;
        loop {
            let (channel, job) = match self.lend(worker) {
                Ok(job) => job,
                Err(worker) => return Some(worker),
            };
            let until = *until.get_or_insert_with(|| Instant::now() + BUSY);
            let is_long = !job.is_short();
            let report = job.run(&self.verbs, &self.files);
            let mut board = self.board();
            board.long -= usize::from(is_long);
            let Some(back) = board.take_helm() else {
                self.hand_in(&mut board, channel, report);
                return None;
            };
            drop(board);
            worker = back;
            worker.take_report(channel, report);
            if Instant::now() >= until {
                return Some(worker);
            }
        }
    }

    /// Lays the loop down and takes a job, if there is one and somebody to watch.
    fn lend(self: &Arc<Self>, worker: Box<Worker>) -> Result<(u32, Job), Box<Worker>> {
        let mut board = self.board();
        if board.place_of_next().is_none() || !self.is_watched(&mut board) {
            return Err(worker);
        }
        let Some(job) = board.next_job() else {
            return Err(worker);
        };
        board.helm = Helm::Free(worker);
        board.lent += 1;
        match board.watch {
            Watch::Nobody => {
                board.watch = Watch::Next;
                self.rest.notify_one();
            }
            Watch::Asleep => {
                board.watch = Watch::Awake;
                self.lookout.notify_one();
            }
            Watch::Next | Watch::Awake => {}
        }
        Ok(job)
    }

    /// Whether somebody can look after the loop, or nobody ever could.
    fn is_watched(self: &Arc<Self>, board: &mut Board) -> bool {
        board.idle > 0 || self.hire(board) || board.threads <= 1
    }

    fn hand_in(&self, board: &mut Board, channel: u32, report: Report) {
        board.reports.push((channel, report));
        if board.reports.len() == 1 {
            // Full only when it has rung already.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    fn end(&self, worker: Box<Worker>) {
        self.board().helm = Helm::Over(Some(worker));
        self.rest.notify_all();
        self.lookout.notify_all();
        self.ashore.notify_all();
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    /// Where the next job stands that may be done now.
    fn place_of_next(&self) -> Option<usize> {
        let may_begin = |(_, job): &(u32, Job)| self.long < MAX_LONG || job.is_short();
        self.jobs.iter().position(may_begin)
    }

    fn next_job(&mut self) -> Option<(u32, Job)> {
        let (channel, job) = self.jobs.remove(self.place_of_next()?)?;
        self.long += usize::from(!job.is_short());
        Some((channel, job))
    }

    /// The loop, if it was laid down.
    fn take_helm(&mut self) -> Option<Box<Worker>> {
        match std::mem::replace(&mut self.helm, Helm::Taken) {
            Helm::Free(worker) => Some(worker),
            other => {
                self.helm = other;
                None
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.helm, Helm::Over(_))
    }
}

fn wait<'a>(place: &Condvar, board: MutexGuard<'a, Board>) -> MutexGuard<'a, Board> {
    place.wait(board).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
