//! What hands type as for another program, and what would mean something else here.

use std::ffi::OsString;

use super::pages::VERBS;
use crate::error::Usage;

/// What ls(1) is usually asked for beside `-l`, in letters of which none is a name by itself.
const OF_LS: &str = "1AFRSacdhinrtu";

/// Refuses the letters of ls(1) around `-l`: that takes a login, which would be the letters behind it, as in `-la`,
/// or the next word, as in `-al`. A login with a space before it is one.
pub(super) fn check(words: &[OsString]) -> Result<(), Usage> {
    let ours = words.iter().skip(1).take_while(|word| *word != "--");
    let mut ours = ours.filter_map(|word| word.to_str());
    if ours.find(|word| VERBS.contains(word)) != Some("ls") {
        return Ok(());
    }
    match ours.find(|word| is_of_ls(word)) {
        Some(word) => Err(Usage::new(format!(
            "-l is whom to log in as, and {word:?} names nobody"
        ))
        .hint("the long form is --long, and -a shows all names; a login is written as `-l USER`")),
        None => Ok(()),
    }
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
