//! What hands type as for another program, and what would mean something else here.

use std::ffi::OsString;

use super::pages::VERBS;
use crate::error::Usage;

/// What ls(1) is usually asked for beside `-l`. It knows more letters, but `-lroot` and `-lbob` are logins.
const OF_LS: &str = "1AFGHLRSUXZacdhinrtu";

/// Refuses `-l` as for ls(1), where it takes nothing. Here it takes a login, which would be the letters behind it, as
/// in `-la`, or the next word, as in `-al`. A login with a space before it is one.
pub(super) fn check(words: &[OsString]) -> Result<(), Usage> {
    let ours = words.iter().skip(1).take_while(|word| *word != "--");
    let mut ours = ours.filter_map(|word| word.to_str()).peekable();
    if ours.find(|word| VERBS.contains(word)) != Some("ls") {
        return Ok(());
    }
    while let Some(word) = ours.next() {
        let is_alone = word == "-l" && ours.peek().is_none_or(|next| next.starts_with('-'));
        if is_alone || is_of_ls(word) {
            return Err(Usage::new(format!(
                "-l is whom to log in as, and {word:?} reads like letters of ls(1)"
            ))
            .hint(
                "the long form is --long, and -a shows all names; a login is written as `-l USER`",
            ));
        }
    }
    Ok(())
}

/// Whether a word is `-l` with letters of ls(1) beside it, and nothing else.
fn is_of_ls(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or_default();
    letters.len() > 1
        && letters.contains('l')
        && letters
            .chars()
            .all(|letter| letter == 'l' || OF_LS.contains(letter))
}
