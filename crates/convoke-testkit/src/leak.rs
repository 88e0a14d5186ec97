//! What a test left behind: descriptors, children, marked processes, tasks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// How long an ended thing may take to disappear: a killed process on a busy machine, a task whose
/// pipe was closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it looks meanwhile.
const PAUSE: Duration = Duration::from_millis(2);

/// The variable that marks everything a test starts.
const VARIABLE: &str = "CONVOKE_TEST";

/// What there was before a test began. [`Leaks::end`] finds what is there beyond it.
///
/// Descriptors, children and tasks are those of the whole process, so a test that uses it must have
/// the process for itself: run with `cargo nextest`, which gives one to every test. Descriptors are
/// compared by number and target, and those of the runtime itself are opened before the comparison.
#[derive(Debug)]
#[must_use = "what is left behind is found by `end`"]
pub struct Leaks {
    mark: String,
    descriptors: BTreeMap<String, String>,
    children: Vec<u32>,
    tasks: usize,
}

impl Leaks {
    /// Notes what there is. Within a runtime it also counts its tasks.
    pub fn begin() -> Self {
        open_what_the_runtime_keeps();
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        Leaks {
            mark: format!("{:016x}", u64::from_ne_bytes(random)),
            descriptors: descriptors(),
            children: children(),
            tasks: tasks(),
        }
    }

    /// A variable for the environment of everything that the test starts. Processes that carry it are
    /// found wherever they have gone: detached, in another session, adopted by init.
    pub fn mark(&self) -> (OsString, OsString) {
        (VARIABLE.into(), self.mark.clone().into())
    }

    /// The processes that carry the mark, by number, with their command lines.
    pub fn marked(&self) -> Vec<(u32, String)> {
        marked(&self.mark)
    }

    /// Waits until there is nothing beyond what there was.
    ///
    /// # Panics
    /// When something is left after ten seconds, naming all of it.
    pub async fn end(self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Other tasks end only when they are run; a paused clock must not move meanwhile.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {left:#?}");
            std::thread::sleep(PAUSE);
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (number, target) in descriptors() {
            if self.descriptors.get(&number) != Some(&target) {
                left.push(format!("descriptor {number}: {target}"));
            }
        }
        for child in children() {
            if !self.children.contains(&child) {
                left.push(format!("child {child}: {}", command_line(child)));
            }
        }
        for (pid, command) in self.marked() {
            left.push(format!("process {pid}: {command}"));
        }
        let tasks = tasks();
        if tasks > self.tasks {
            left.push(format!("{} tasks", tasks - self.tasks));
        }
        left
    }
}

/// The descriptors by which tokio hears of ended children are opened at the first child and stay.
fn open_what_the_runtime_keeps() {
    if Handle::try_current().is_ok() {
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child());
    }
}

fn tasks() -> usize {
    Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
}

fn descriptors() -> BTreeMap<String, String> {
    let listed = fs::read_dir("/proc/self/fd").unwrap();
    let entries = listed.filter_map(Result::ok).filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        let number = entry.file_name().into_string().ok()?;
        Some((number, target.to_string_lossy().into_owned()))
    });
    // The descriptor of the listing itself.
    let own = format!("/proc/{}/fd", std::process::id());
    entries.filter(|(_, target)| *target != own).collect()
}

/// Our children, those that ended and were not waited for among them.
fn children() -> Vec<u32> {
    let own = std::process::id();
    processes()
        .into_iter()
        .filter(|pid| parent(*pid) == Some(own))
        .collect()
}

pub(crate) fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

pub(crate) fn processes() -> Vec<u32> {
    let listed = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let names = listed.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

fn marked(mark: &str) -> Vec<(u32, String)> {
    let carries = |pid: &u32| environment_holds(*pid, VARIABLE, mark);
    let carriers = processes().into_iter().filter(carries);
    carriers.map(|pid| (pid, command_line(pid))).collect()
}

/// Whether a process was given this variable; never one that we may not look into.
pub(crate) fn environment_holds(pid: u32, name: &str, value: &str) -> bool {
    let variable = format!("{name}={value}");
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|one| one == variable.as_bytes())
}

pub(crate) fn command_line(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = words.split(|byte| *byte == 0);
    let words: Vec<_> = words
        .map(|word| std::ffi::OsStr::from_bytes(word).to_string_lossy())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[tokio::test]
    async fn nothing_is_found_where_nothing_is_left() {
        let leaks = Leaks::begin();
        Command::new("true").status().unwrap();
        tokio::spawn(async {}).await.unwrap();
        leaks.end().await;
    }

    #[tokio::test]
    async fn a_descriptor_that_stays_open_is_found() {
        let leaks = Leaks::begin();
        let _open = fs::File::open("/dev/null").unwrap();
        let left = leaks.left();
        assert!(left[0].contains("/dev/null"), "{left:?}");
    }

    #[tokio::test]
    async fn a_child_that_ended_and_was_not_waited_for_is_found() {
        let leaks = Leaks::begin();
        let mut child = Command::new("true").stdout(Stdio::null()).spawn().unwrap();
        let left = leaks.left();
        child.wait().unwrap();
        assert!(left[0].starts_with("child"), "{left:?}");
        leaks.end().await;
    }

    #[tokio::test]
    async fn a_process_that_went_away_is_found_by_its_mark() {
        let leaks = Leaks::begin();
        let (name, value) = leaks.mark();
        let mut shell = Command::new("sh");
        shell.args(["-c", "setsid sleep 1000 >/dev/null 2>&1 &"]);
        shell.env(name, value).status().unwrap();
        let left = leaks.left();
        for (pid, _) in leaks.marked() {
            Command::new("kill").arg(pid.to_string()).status().unwrap();
        }
        assert!(
            left.iter().any(|one| one.starts_with("process")),
            "{left:?}"
        );
        leaks.end().await;
    }

    #[tokio::test]
    async fn a_task_that_goes_on_is_found() {
        let leaks = Leaks::begin();
        let task = tokio::spawn(std::future::pending::<()>());
        assert_eq!(leaks.left(), ["1 tasks"]);
        task.abort();
        leaks.end().await;
    }
}
