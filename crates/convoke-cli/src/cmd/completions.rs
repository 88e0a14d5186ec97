//! `convoke completions`: what a shell has to know to complete our command lines.

use clap::{Arg, CommandFactory as _};
use clap_complete::{Shell as Generator, generate};

use super::print;
use crate::args::{Args, Shell};

/// What bash needs besides: the generator sees neither where the command begins nor `--option=value`.
const BASH_LINE: &str = include_str!("completions/line.bash");

/// Prints the completions, and returns the exit code.
pub(crate) fn run(shell: Shell) -> u8 {
    print(text(shell).as_bytes())
}

fn text(shell: Shell) -> String {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut text = Vec::new();
    generate(generator, &mut Args::command(), "convoke", &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    match shell {
        Shell::Bash => {
            BASH_LINE.replace("@VALUED@", &valued())
                + &text.replace("-F _convoke ", "-F _convoke_line ")
        }
        Shell::Zsh | Shell::Fish => text,
    }
}

/// The options of `run` that take a value, each between blanks.
fn valued() -> String {
    let mut command = Args::command();
    command.build();
    let run = command.find_subcommand("run");
    let arguments = run.into_iter().flat_map(|run| run.get_opts());
    let names = |argument: &Arg| {
        let long = argument.get_long().map(|long| format!(" --{long}"));
        let short = argument.get_short().map(|short| format!(" -{short}"));
        [long, short].into_iter().flatten().collect::<String>()
    };
    arguments.map(names).collect::<String>() + " "
}
