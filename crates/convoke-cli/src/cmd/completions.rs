//! `convoke completions`: what a shell has to know to complete our command lines.

use clap::CommandFactory as _;
use clap_complete::{Shell as Generator, generate};

use super::print;
use crate::args::{Args, Shell};

/// Prints the completions, and returns the exit code.
pub(crate) fn run(shell: Shell) -> u8 {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut text = Vec::new();
    generate(generator, &mut Args::command(), "convoke", &mut text);
    print(&text)
}
