//! Distinct results as what differs from the one that most hosts have.
//!
//! That one is a block as ever. Of each other result there is a line with its hosts, their number, and in what it
//! differs; then the changed lines of its stdout between some that are not, behind two blanks and `-`, `+` or a
//! blank. Its stderr, if that differs, is shown whole.

use std::time::Duration;

use convoke::event::Stream;
use similar::{ChangeTag, DiffOp, TextDiff};

use super::super::escape::Escaping;
use super::super::lines::Lines;
use super::super::screen::{Broken, Screen};
use super::super::words;
use super::pile::Kept;
use super::{Answer, Gathered, prefix};

/// The most output that is compared line by line: what differs in more is not seen by reading it.
const LARGEST_BYTES: usize = 4 << 20;

/// The most lines that are compared: each costs memory beside its text.
const MOST_LINES: usize = 100_000;

/// How many lines that are equal stand around those that are not.
const CONTEXT: usize = 3;

/// How long the shortest difference of two results is looked for; then one that is right is enough.
const PATIENCE: Duration = Duration::from_millis(500);

impl Gathered {
    /// Shows results, which are in host order.
    pub(super) fn show_differences(
        &self,
        results: &[Answer],
        screen: &mut Screen,
    ) -> Result<(), Broken> {
        // Of several with as many hosts the one that comes first.
        let size = |place: &usize| results[*place].members.len();
        let Some(place) = (0..results.len()).rev().max_by_key(size) else {
            return Ok(());
        };
        let majority = &results[place];
        self.show(majority, screen)?;
        let known = self.text(&majority.stdout)?;
        let others = results.iter().enumerate().filter(|(at, _)| *at != place);
        others
            .map(|(_, other)| other)
            .try_for_each(|other| self.show_difference(majority, known.as_deref(), other, screen))
    }

    fn show_difference(
        &self,
        majority: &Answer,
        known: Option<&[u8]>,
        other: &Answer,
        screen: &mut Screen,
    ) -> Result<(), Broken> {
        let (out, err) = (
            other.digests.0 != majority.digests.0,
            other.digests.1 != majority.digests.1,
        );
        let text = match (out, known) {
            (true, Some(_)) => self.text(&other.stdout)?,
            _ => None,
        };
        let outcome = |result: &Answer| words::outcome(&result.outcome, &self.limits);
        let mut facts = Vec::new();
        if !other.outcome.is_ok() || outcome(other) != outcome(majority) {
            facts.push(outcome(other));
        }
        facts.push(match (out, &text) {
            (false, _) => "same stdout".to_owned(),
            (true, _) if other.stdout.is_empty() => "no stdout".to_owned(),
            (true, Some(_)) => "stdout differs".to_owned(),
            (true, None) => format!(
                "stdout differs ({} bytes, shown whole)",
                other.stdout.bytes()
            ),
        });
        match (err, other.stderr.is_empty()) {
            (false, _) => {}
            (true, true) => facts.push("no stderr".to_owned()),
            (true, false) => facts.push("stderr differs".to_owned()),
        }
        let title = self.title(other, &facts, self.output.stdout);
        screen
            .sink(Stream::Stdout)?
            .buffer()
            .extend_from_slice(&title);
        match (out, known, text) {
            (true, Some(known), Some(text)) if !text.is_empty() => {
                self.show_changes(known, &text, screen)?
            }
            (true, _, None) => self.show_stdout(other, screen)?,
            _ => {}
        }
        match err {
            true => self.show_stderr(other, screen),
            false => Ok(()),
        }
    }

    fn show_changes<'a>(
        &self,
        known: &'a [u8],
        text: &'a [u8],
        screen: &mut Screen,
    ) -> Result<(), Broken> {
        let sink = screen.sink(Stream::Stdout)?;
        let escaping = Escaping::of_lines(self.output.stdout, self.output.safety);
        // Lines as everywhere here: the library would end them at carriage returns, too.
        let split = |text: &'a [u8]| -> Vec<&'a [u8]> {
            text.split_inclusive(|byte| *byte == b'\n').collect()
        };
        let (known, text) = (split(known), split(text));
        let diff = TextDiff::configure()
            .timeout(PATIENCE)
            .diff_slices(&known, &text);
        for hunk in diff.grouped_ops(CONTEXT) {
            let header = format!("  {}\n", header(&hunk));
            sink.buffer().extend_from_slice(header.as_bytes());
            for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
                let sign = match change.tag() {
                    ChangeTag::Delete => "-",
                    ChangeTag::Insert => "+",
                    ChangeTag::Equal => " ",
                };
                let prefix = prefix(&format!("  {sign}"), &format!("+ {sign}"));
                let mut lines = Lines::new(prefix, escaping);
                lines.take(change.value(), sink)?;
                lines.finish(sink)?;
                if !change.value().ends_with(b"\n") {
                    sink.buffer()
                        .extend_from_slice(b"  \\ no newline at the end\n");
                }
            }
        }
        Ok(sink.settle()?)
    }

    /// What is kept, if it is not too much to be compared.
    fn text(&self, kept: &Kept) -> Result<Option<Vec<u8>>, Broken> {
        if kept.bytes() > LARGEST_BYTES {
            return Ok(None);
        }
        let mut text = Vec::with_capacity(kept.bytes());
        self.store.read(kept, |bytes| {
            text.extend_from_slice(bytes);
            Ok(())
        })?;
        let lines = memchr::memchr_iter(b'\n', &text).count();
        Ok((lines <= MOST_LINES).then_some(text))
    }
}

/// Where the lines of a hunk are in both texts: `@@ -1,4 +1,5 @@`.
fn header(hunk: &[DiffOp]) -> String {
    let range = |of: fn(&DiffOp) -> std::ops::Range<usize>| {
        let start = hunk.first().map_or(0, |op| of(op).start);
        let end = hunk.last().map_or(0, |op| of(op).end);
        // Lines are counted from 1; what is empty stands after the line before it.
        let first = if start == end { start } else { start + 1 };
        format!("{first},{}", end - start)
    };
    format!(
        "@@ -{} +{} @@",
        range(DiffOp::old_range),
        range(DiffOp::new_range)
    )
}
