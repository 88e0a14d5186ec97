//! What we know about the process we run in: the only place that asks.

mod closed;

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use convoke::connect::terminal::Terminal;

use super::Stdin;
use crate::args::Color;

/// What we know about the process we run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Whether stdin was closed when we were started.
    pub(crate) is_stdin_closed: bool,
    /// Whether stdout was closed when we were started.
    pub(crate) is_stdout_closed: bool,
    /// Whether stdin is a terminal.
    pub(crate) is_stdin_terminal: bool,
    /// Whether stdout is a terminal.
    pub(crate) is_stdout_terminal: bool,
    /// Whether stderr is a terminal.
    pub(crate) is_stderr_terminal: bool,
    /// `NO_COLOR` is set and not empty: see <https://no-color.org>.
    pub(crate) refuses_colour: bool,
    /// `CLICOLOR_FORCE` is set and neither empty nor 0: see <https://bixense.com/clicolors>.
    pub(crate) forces_colour: bool,
    /// The terminal understands no escape sequences.
    pub(crate) is_dumb: bool,
    /// Where temporary files go.
    pub(crate) temporary: PathBuf,
    /// The umask: permission bits that no new file gets.
    pub(crate) mask: u16,
}

/// What an output stream leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paper {
    /// What it is.
    pub(crate) kind: PaperKind,
    /// Whether we colour what we write there.
    pub(crate) is_coloured: bool,
}

/// What an output stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaperKind {
    /// A terminal that understands the usual escape sequences.
    Terminal,
    /// A terminal that may understand none.
    DumbTerminal,
    /// A file, a pipe, …
    File,
}

impl Environment {
    /// Asks this process.
    pub(crate) fn of_this_process() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Environment {
            is_stdin_closed: closed::was_stdin_closed(),
            is_stdout_closed: closed::was_stdout_closed(),
            is_stdin_terminal: std::io::stdin().is_terminal(),
            is_stdout_terminal: std::io::stdout().is_terminal(),
            is_stderr_terminal: std::io::stderr().is_terminal(),
            refuses_colour: variable("NO_COLOR").is_some(),
            forces_colour: variable("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            is_dumb: variable("TERM").is_none_or(|value| value == "dumb"),
            temporary: std::env::temp_dir(),
            mask: umask(),
        }
    }

    /// The terminal that a program of ours may ask questions on: there is one, somebody reads what it says
    /// there, and it is ours alone: a pager after us in the pipeline would be stopped when it touches the terminal while
    /// somebody else has it.
    pub(crate) fn terminal(&self) -> Option<Terminal> {
        if !self.is_all_terminal() {
            return None;
        }
        Some(Terminal::new(our_terminal()?.into()))
    }

    /// The terminal that we may ask questions on ourselves, wherever our streams lead: there is one, and it is ours now.
    /// Not while what is typed there is `stdin` of several `hosts`, since that is read from the beginning.
    pub(crate) fn operator(&self, stdin: Stdin, hosts: usize) -> Option<File> {
        let is_typed = stdin == Stdin::Sent && self.is_stdin_terminal;
        match is_typed && hosts > 1 {
            true => None,
            false => our_terminal(),
        }
    }

    /// Whether stdin, stdout and stderr are terminals.
    fn is_all_terminal(&self) -> bool {
        self.is_stdin_terminal && self.is_stdout_terminal && self.is_stderr_terminal
    }

    /// What stdout leads to.
    pub(crate) fn stdout(&self, color: Color) -> Paper {
        self.paper(color, self.is_stdout_terminal)
    }

    /// What stderr leads to.
    pub(crate) fn stderr(&self, color: Color) -> Paper {
        self.paper(color, self.is_stderr_terminal)
    }

    fn paper(&self, color: Color, is_terminal: bool) -> Paper {
        Paper {
            kind: match (is_terminal, self.is_dumb) {
                (true, false) => PaperKind::Terminal,
                (true, true) => PaperKind::DumbTerminal,
                (false, _) => PaperKind::File,
            },
            is_coloured: color.applies(self, is_terminal),
        }
    }
}

impl Color {
    /// Whether something is coloured that is or is not a terminal.
    fn applies(self, here: &Environment, is_terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if here.refuses_colour => false,
            Color::Auto if here.forces_colour => true,
            Color::Auto => is_terminal && !here.is_dumb,
        }
    }
}

/// Our umask as the kernel tells it without setting it; where it does not, files are ours alone.
fn umask() -> u16 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    let mask = mask.and_then(|mask| u16::from_str_radix(mask.trim(), 8).ok());
    mask.unwrap_or(0o077)
}

/// The terminal that controls us, if we are not in the background.
fn our_terminal() -> Option<File> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    terminal.ok().filter(|terminal| {
        let ours = rustix::process::getpgrp();
        rustix::termios::tcgetpgrp(terminal).is_ok_and(|group| group == ours)
    })
}

impl Paper {
    /// Whether somebody looks at it while it is written.
    pub(crate) fn is_terminal(self) -> bool {
        self.kind != PaperKind::File
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_lent_only_when_no_pipe_leads_to_or_from_us() {
        let here = |stdin, stdout, stderr| Environment {
            is_stdin_terminal: stdin,
            is_stdout_terminal: stdout,
            is_stderr_terminal: stderr,
            ..Environment::of_this_process()
        };
        assert!(here(true, true, true).is_all_terminal());
        for (stdin, stdout, stderr) in [
            (false, true, true),
            (true, false, true),
            (true, true, false),
        ] {
            assert!(!here(stdin, stdout, stderr).is_all_terminal());
        }
    }
}
