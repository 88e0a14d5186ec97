//! `convoke man`: the manual pages, from the same words as the help.

use std::fmt::Write as _;
use std::io;

use clap::{Arg, Command, CommandFactory as _};

use super::print;
use crate::args::Args;
use crate::exit;

/// Prints the page of a verb, or of the whole program, and returns the exit code.
pub(crate) fn run(verb: Option<&str>) -> u8 {
    let mut command = Args::command();
    command.build();
    let page = match verb {
        None => Some(command),
        Some(verb) => command
            .find_subcommand(verb)
            .map(|page| page.clone().display_name(format!("convoke-{verb}"))),
    };
    // The names of verbs were checked, and a vector takes everything.
    match page.map(render) {
        Some(Ok(text)) => print(&text),
        _ => exit::BUG,
    }
}

fn render(command: Command) -> io::Result<Vec<u8>> {
    let more = command.get_after_help().map(ToString::to_string);
    let usage = usage(&mut command.clone());
    let operands = operands(&command);
    let command = command.mut_args(|argument| match argument.is_positional() {
        true => argument.hide(true),
        false => argument,
    });
    let has_verbs = command.has_subcommands();
    let name = command.get_display_name().unwrap_or("convoke").to_owned();
    let page = clap_mangen::Man::new(command)
        .title(name)
        .source(concat!("convoke ", env!("CARGO_PKG_VERSION")))
        .manual("Convoke");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    text.extend_from_slice(format!(".SH SYNOPSIS\n{}", verbatim(&usage)).as_bytes());
    page.render_description_section(&mut text)?;
    text.extend_from_slice(operands.as_bytes());
    page.render_options_section(&mut text)?;
    if has_verbs {
        page.render_subcommands_section(&mut text)?;
    }
    text.extend_from_slice(sections(&more.unwrap_or_default()).as_bytes());
    Ok(text)
}

/// How a command is used, one way a line.
fn usage(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    usage.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// The words that are no options, in their order; the generator has them in another.
fn operands(command: &Command) -> String {
    let mut operands: Vec<&Arg> = command.get_positionals().collect();
    operands.sort_by_key(|operand| operand.get_index());
    let mut text = String::new();
    for operand in operands {
        let help = operand.get_help().map(ToString::to_string);
        let name = guarded(&operand.to_string());
        let help = guarded(&help.unwrap_or_default());
        // Writing to a string cannot fail.
        let _ = write!(text, ".TP\n{name}\n{help}\n");
        let values = operand.get_possible_values();
        let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        if !values.is_empty() {
            let _ = write!(text, ".br\nPossible values: {}\n", values.join(", "));
        }
    }
    match text.is_empty() {
        true => text,
        false => format!(".SH ARGUMENTS\n{text}"),
    }
}

/// The text after a help as sections: one begins with each line that ends with a colon and is not indented.
fn sections(text: &str) -> String {
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut heading = Some("NOTES".to_owned());
    for line in text.lines() {
        match line.strip_suffix(':') {
            Some(title) if !line.starts_with(' ') => {
                out += &section(heading.take(), &std::mem::take(&mut paragraph));
                heading = Some(title.to_uppercase());
            }
            _ => {
                paragraph.push_str(line);
                paragraph.push('\n');
            }
        }
    }
    out + &section(heading, &paragraph)
}

fn section(heading: Option<String>, text: &str) -> String {
    match (heading, text.trim_end()) {
        (Some(heading), text) if !text.is_empty() => {
            format!(".SH \"{heading}\"\n{}", verbatim(text))
        }
        _ => String::new(),
    }
}

/// Lines that stay as they are.
fn verbatim(text: &str) -> String {
    let mut out = String::from(".nf\n");
    for line in text.lines() {
        out += &guarded(line);
        out.push('\n');
    }
    out + ".fi\n"
}

/// A line in which nothing is a request.
fn guarded(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    // A line that begins like a request would be one.
    match line.starts_with(['.', '\'']) {
        true => format!("\\&{line}"),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_help_becomes_sections_that_keep_their_lines() {
        let text = "Free words.\n\nExamples:\n  a --b\n.c\n\nExit codes:\n  0  \\x";
        let expected = ".SH \"NOTES\"\n.nf\nFree words.\n.fi\n.SH \"EXAMPLES\"\n.nf\n  a \\-\\-b\n\\&.c\n.fi\n\
                        .SH \"EXIT CODES\"\n.nf\n  0  \\ex\n.fi\n";
        assert_eq!(sections(text), expected);
    }
}
