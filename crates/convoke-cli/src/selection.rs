//! From a host expression to hosts: fetches what the expression needs, then evaluates it.

use std::io::Read;

use convoke::inventory::{Error, Expr, HostList, Need, Supplied};

use crate::config::{Empty, Selection, Stdin};
use crate::error::{Usage, in_words};

/// How much text a host list may have: a million names of a usual length, three times over.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// The hosts that a selection names, in its order.
///
/// Reads the files that it needs, and stdin to its end when it needs that.
///
/// # Errors
/// The expression is wrong, a file cannot be read, stdin is wanted twice, or nothing is selected and
/// that is not allowed.
pub(crate) fn hosts(selection: &Selection, stdin: Stdin) -> Result<HostList, Usage> {
    let wrong = |error: Error| in_our_words(&selection.expr, &error);
    let expr = Expr::parse(&selection.expr).map_err(wrong)?;
    expr.check_without_inventory().map_err(wrong)?;
    let mut supplied = Supplied::nothing();
    for need in expr.needs() {
        match need {
            Need::File(path) => supplied.file(&path, &file(&path)?).map_err(wrong)?,
            Need::Stdin if stdin == Stdin::Sent => {
                return Err(Usage::new("stdin cannot be both a host list and input")
                    .hint("read the hosts from a file with ^FILE, or send no stdin"));
            }
            Need::Stdin => {
                let text = text(std::io::stdin().lock(), "stdin")?;
                supplied.stdin(&text).map_err(wrong)?;
            }
        }
    }
    let hosts = expr.evaluate(&supplied).map_err(wrong)?;
    if hosts.is_empty() && selection.empty == Empty::Refused {
        return Err(
            Usage::new(format!("no host selected by {:?}", selection.expr))
                .hint("with --allow-empty that is no error"),
        );
    }
    Ok(hosts)
}

fn file(path: &str) -> Result<String, Usage> {
    let what = format!("host file {path:?}");
    let file = std::fs::File::open(path)
        .map_err(|error| Usage::new(format!("failed to read the {what}: {}", in_words(&error))))?;
    text(file, &what)
}

fn text(from: impl Read, what: &str) -> Result<String, Usage> {
    let mut bytes = Vec::new();
    from.take(MAX_TEXT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Usage::new(format!("failed to read {what}: {}", in_words(&error))))?;
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(Usage::new(format!(
            "{what} is larger than 64 MiB, too large for a host list"
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Usage::new(format!("line {line} of {what} is not UTF-8"))
    })
}

fn in_our_words(expr: &str, error: &Error) -> Usage {
    let mut what = match error {
        Error::InFile { .. } => error.to_string(),
        _ => format!("host expression {:?}: {error}", shortened(expr)),
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        what = format!("{what}: {cause}");
        source = cause.source();
    }
    Usage {
        what,
        hint: error.hint().map(str::to_owned),
    }
}

/// How much of an expression an error quotes; the error itself quotes the place.
const QUOTED_CHARS: usize = 120;

fn shortened(expr: &str) -> std::borrow::Cow<'_, str> {
    match expr.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &expr[..end]).into(),
        None => expr.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(expr: &str, empty: Empty, stdin: Stdin) -> Result<String, Usage> {
        let selection = Selection {
            expr: expr.to_owned(),
            empty,
        };
        hosts(&selection, stdin).map(|hosts| hosts.join(" "))
    }

    #[test]
    fn a_selection_keeps_the_order_of_its_expression() {
        let selected = select("web[2-3],web1,web2", Empty::Refused, Stdin::Unread);
        assert_eq!(selected.unwrap(), "web2 web3 web1");
    }

    #[test]
    fn nothing_selected_is_an_error_unless_allowed() {
        let error = select("web1!web1", Empty::Refused, Stdin::Unread).unwrap_err();
        assert_eq!(error.what, "no host selected by \"web1!web1\"");
        let selected = select("web1!web1", Empty::Allowed, Stdin::Unread);
        assert_eq!(selected.unwrap(), "");
    }

    #[test]
    fn stdin_is_not_read_twice() {
        let error = select("-", Empty::Refused, Stdin::Sent).unwrap_err();
        assert_eq!(error.what, "stdin cannot be both a host list and input");
    }

    #[test]
    fn a_wrong_expression_is_quoted_with_its_place() {
        let error = select("web[3-1]", Empty::Refused, Stdin::Unread).unwrap_err();
        let what = "host expression \"web[3-1]\": range \"3-1\" at byte 4 runs backwards";
        assert_eq!(error.what, what);
        assert!(error.hint.is_some());
    }

    #[test]
    fn a_wrong_line_of_a_file_is_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"web1\nweb2 web3\n").unwrap();
        let path = file.path().to_str().unwrap();
        let error = select(&format!("^{path}"), Empty::Refused, Stdin::Unread).unwrap_err();
        assert!(
            error.what.starts_with(&format!("line 2 of {path:?}: ")),
            "{}",
            error.what
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = select("^/nonexistent/x", Empty::Refused, Stdin::Unread).unwrap_err();
        assert!(
            error
                .what
                .starts_with("failed to read the host file \"/nonexistent/x\": ")
        );
    }
}
