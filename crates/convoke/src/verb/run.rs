//! One command on a host, from its words to what it said and how it ended.

use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use convoke_proto::command::{Leftovers, Limits, Shell};

use crate::cancel::Cancel;
use crate::outcome::Outcome;
use crate::process::{self, Capture, Captured, Command, Ending, Input, Program};
use crate::remote::{Completed, CutShort, Remote, VerbError};
use crate::scope::Scope;

use super::{Verb, field};

/// How much output is kept unless somebody says otherwise, both streams together.
const CAPTURED: usize = 256 * 1024 * 1024;

/// The highest file mode mask.
const MAX_UMASK: u16 = 0o777;

/// One command, whose output is kept, and which has to exit with 0.
///
/// The words arrive byte for byte: no shell reads them. Without input its stdin is `/dev/null`. Dropping the
/// future ends the command, with all processes that came of it.
///
/// ```
/// # use convoke::remote::{Remote, VerbError};
/// use std::time::Duration;
/// use convoke::verb::{Run, Verbs};
///
/// # async fn show(remote: &Remote) -> Result<(), VerbError> {
/// let sort = Run::new(["sort", "-r"]).input("a\nb\n").env("LC_ALL", "C").timeout(Duration::from_secs(5));
/// assert_eq!(remote.ask(sort).await?.stdout, "b\na\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Run {
    argv: Vec<BString>,
    shell: Shell,
    scope: Scope,
    input: Input,
    limits: Limits,
    leftovers: Leftovers,
    capture: Capture,
    check: Check,
}

/// Whether an exit with anything but 0 is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Yes,
    No,
}

impl Run {
    /// A program and its arguments.
    pub fn new<A: Into<BString>>(argv: impl IntoIterator<Item = A>) -> Self {
        Run {
            argv: argv.into_iter().map(Into::into).collect(),
            shell: Shell::None,
            scope: Scope::new(),
            input: Input::None,
            limits: Limits::default(),
            leftovers: Leftovers::Release,
            capture: Capture::UpTo(CAPTURED),
            check: Check::Yes,
        }
    }

    /// A line for the host's `/bin/sh`, with its `$1`, `$2`, …, which need no quoting; no implicit `-e`.
    pub fn line<A: Into<BString>>(
        line: impl Into<BString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self::new(Command::shell(line, arguments).start.argv)
    }

    /// Through the login shell: the profile is read first.
    #[must_use]
    pub fn login(self) -> Self {
        Run {
            shell: Shell::Login,
            ..self
        }
    }

    /// What it reads on stdin: bytes, or [`Input::reader`], or a source for many hosts. Input that cannot be read
    /// to its end is [`VerbError::Input`], and the command is ended, or never started.
    #[must_use]
    pub fn input(self, input: impl Into<Input>) -> Self {
        Run {
            input: input.into(),
            ..self
        }
    }

    /// Where it runs; a relative directory begins at that of the scope.
    #[must_use]
    pub fn cwd(self, directory: impl Into<BString>) -> Self {
        self.scoped(|scope| scope.cwd(directory))
    }

    /// A variable, on top of those of the scope.
    #[must_use]
    pub fn env(self, name: impl Into<BString>, value: impl Into<BString>) -> Self {
        self.scoped(|scope| scope.env(name, value))
    }

    /// Its file mode mask, `0` to `0o777`.
    #[must_use]
    pub fn umask(self, mask: u16) -> Self {
        self.scoped(|scope| scope.umask(mask))
    }

    /// Who it runs as, by name or number, with all groups of that user. Takes a login as root.
    #[must_use]
    pub fn user(self, user: impl Into<BString>) -> Self {
        self.scoped(|scope| scope.user(user))
    }

    /// Its primary group, by name or number, instead of that of its user.
    #[must_use]
    pub fn group(self, group: impl Into<BString>) -> Self {
        self.scoped(|scope| scope.group(group))
    }

    /// The host ends it so long after its start.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.total_ms = Some(milliseconds(limit));
        self
    }

    /// The host ends it after so long without output.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.limits.idle_ms = Some(milliseconds(limit));
        self
    }

    /// The time between TERM and KILL whenever it is ended; 10 s without.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.limits.grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        self
    }

    /// What it leaves running is ended, which is otherwise counted.
    #[must_use]
    pub fn kill_leftovers(self) -> Self {
        Run {
            leftovers: Leftovers::Kill,
            ..self
        }
    }

    /// Its output is read and thrown away.
    #[must_use]
    pub fn uncaptured(self) -> Self {
        Run {
            capture: Capture::Nothing,
            ..self
        }
    }

    /// How many bytes of output are kept at most, both streams together; 256 MiB without. A command that says
    /// more is ended, which is [`VerbError::TooLong`].
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        Run {
            capture: Capture::UpTo(bytes),
            ..self
        }
    }

    /// However it exits, that is no error.
    #[must_use]
    pub fn unchecked(self) -> Self {
        Run {
            check: Check::No,
            ..self
        }
    }

    fn scoped(self, set: impl FnOnce(Scope) -> Scope) -> Self {
        Run {
            scope: set(self.scope),
            ..self
        }
    }

    /// What is asked for, once every field can be.
    pub(super) fn program(&self, outer: &Scope) -> Result<Program, VerbError> {
        let scope = outer.with(&self.scope);
        let Some(name) = self.argv.first() else {
            return Err(VerbError::usage("argv", "", "it is empty"));
        };
        field::given("argv", name)?;
        for word in &self.argv {
            field::whole("argv", word)?;
        }
        for (name, value) in scope.variables() {
            field::given("env", name)?;
            field::whole("env", value)?;
            if name.contains(&b'=') {
                let why = "the name of a variable holds an equals sign";
                return Err(VerbError::usage("env", name.clone(), why));
            }
        }
        let (user, group) = scope.identity();
        for (field, name) in [("user", user), ("group", group)] {
            if let Some(name) = name {
                field::given(field, name)?;
            }
        }
        if let Some(directory) = scope.directory() {
            field::given("cwd", directory)?;
        }
        let umask = field::at_most("umask", scope.mask(), MAX_UMASK, "it is beyond 0o777")?;
        Ok(Program {
            argv: self.argv.clone(),
            shell: self.shell,
            cwd: scope.directory().map(BString::from),
            env: scope.variables().to_vec(),
            umask,
            limits: self.limits,
            leftovers: self.leftovers,
            user: user.cloned(),
            group: group.cloned(),
        })
    }

    /// What an outcome means, with what the command has said.
    fn verdict(&self, outcome: Outcome, said: Captured) -> Result<Completed, VerbError> {
        let what = self.argv.first().cloned().unwrap_or_default();
        let Captured { stdout, stderr, .. } = said;
        match outcome {
            _ if said.is_overfull => Err(VerbError::TooLong { what }),
            Outcome::Exited(exit) => {
                let completed = Completed {
                    stdout,
                    stderr,
                    exit,
                };
                match self.check == Check::No || completed.is_ok() {
                    true => Ok(completed),
                    false => Err(VerbError::Failed(Box::new(completed))),
                }
            }
            Outcome::TimedOut(timed_out) => Err(VerbError::TimedOut(Box::new(CutShort {
                stdout,
                stderr,
                timed_out,
            }))),
            Outcome::NotStarted(reason) => Err(VerbError::not_started(reason, &what)),
            Outcome::Cancelled(_) => Err(VerbError::Cancelled),
            _ => Err(VerbError::unreadable()),
        }
    }
}

impl Verb for Run {
    type Output = Completed;

    async fn on(&self, remote: &Remote) -> Result<Completed, VerbError> {
        let start = self.program(remote.scope())?;
        let input = self.input.clone();
        let command = Command { start, input };
        let cancel = Cancel::new();
        let mut said = Captured::new(self.capture, &cancel);
        let ending = match process::start(remote.link(), &command, &cancel).await? {
            Ok(running) => running.finish(&mut said).await?,
            Err(ending) => ending,
        };
        match ending {
            Ending::Outcome(outcome) => self.verdict(outcome, said),
            Ending::Unread(error) => Err(VerbError::Input {
                error: Arc::new(error),
                stdout: said.stdout,
                stderr: said.stderr,
            }),
        }
    }
}

/// At least one: a limit of nothing would be none.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}
