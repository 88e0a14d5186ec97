//! A host whose key is not known is introduced to the operator (`StrictHostKeyChecking ask`).

use super::asking::Asking;
use super::contact::Caller;
use super::sight::{Sight, Standing};
use crate::ask::{Topic, Visible};
use crate::ssh::printable::printable;
use crate::ssh::rules::Strictness;
use crate::ssh::terms::Terms;
use crate::trail::Remark;

/// How often an answer that is none is taken for a slip.
const SLIPS: u32 = 3;

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// It is none.
    Slip,
}

/// Shows the key of a server that is not known to the operator, where ssh would; whether it is taken
/// for right. Then it is known, at least in this run.
pub(super) async fn introduce(sight: &Sight, terms: &Terms, caller: Caller<'_>) -> bool {
    let asking = Asking::new(caller.ask, caller.hop, &terms.login);
    if terms.rules.strictness != Strictness::Ask || !is_right(sight, &asking).await {
        return false;
    }
    if let Err(error) = sight.trust() {
        // ssh goes on, too.
        let text = format!("failed to add the host key to known hosts: {error}");
        caller.trail.remark(Remark::Warning(text));
    }
    true
}

/// Asks whether the key that a host has shown is its own.
async fn is_right(sight: &Sight, asking: &Asking<'_>) -> bool {
    if !matches!(sight.standing(), Standing::New) {
        return false;
    }
    let (kind, fingerprint) = (sight.kind(), sight.fingerprint());
    let name = printable(&sight.names().join(", "));
    for wrong in 0..SLIPS {
        if !asking.answers(Topic::HostKey, wrong) {
            return false;
        }
        let what = format!(
            "The host {name} is not known. Its {kind} key has the fingerprint {fingerprint}.\n\
             Connect to it and remember the key (yes/no/[fingerprint])"
        );
        let seen = (Topic::HostKey, Visible::Yes);
        let Some(answer) = asking.ask(seen, what, wrong).await else {
            return false;
        };
        match meaning(&answer, &fingerprint) {
            Answer::Yes => return true,
            Answer::No => return false,
            Answer::Slip => {}
        }
    }
    false
}

/// Whole words only, as for ssh: a `y` is not enough.
fn meaning(answer: &str, fingerprint: &str) -> Answer {
    match answer.trim() {
        answer if answer.eq_ignore_ascii_case("yes") || answer == fingerprint => Answer::Yes,
        answer if answer.eq_ignore_ascii_case("no") => Answer::No,
        _ => Answer::Slip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_word_or_the_fingerprint_is_an_answer() {
        for (answer, expected) in [
            ("yes", Answer::Yes),
            (" YES ", Answer::Yes),
            ("SHA256:abc", Answer::Yes),
            ("no", Answer::No),
            ("y", Answer::Slip),
            ("SHA256:ab", Answer::Slip),
            ("sha256:abc", Answer::Slip),
            ("", Answer::Slip),
        ] {
            assert_eq!(meaning(answer, "SHA256:abc"), expected, "{answer:?}");
        }
    }
}
