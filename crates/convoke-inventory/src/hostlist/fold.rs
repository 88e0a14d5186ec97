//! Folding a list back to the shortest usual text, `r[1-2]n[1-4]`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::series::Cut;
use crate::rangeset::{Interval, MAX_DIGITS, RangeSet, number_in};

/// The most numbers in a name that folding looks at; names with more fold in the number they are cut at only.
///
/// Names of hosts have up to four. The work grows with this number times the names.
const MAX_AXES: usize = 8;

/// How often all axes are gone through in search of what still folds. Twice finds nearly all.
const MAX_ROUNDS: usize = 4;

/// A block of names of one shape: for each number in it the set of values, every combination of which is meant.
type Block = Vec<RangeSet>;

/// Folds series of names, each with the numbers that are meant.
pub(super) fn fold<'a>(series: impl Iterator<Item = (Cut<'a>, RangeSet)>) -> String {
    let mut shapes: BTreeMap<String, Vec<Block>> = BTreeMap::new();
    for (cut, own) in series {
        let (shape, block) = shape(&cut, own);
        shapes.entry(shape).or_default().push(block);
    }
    let mut folded = Vec::new();
    for (shape, blocks) in shapes {
        let mut blocks = fewest(blocks);
        blocks.sort_by_cached_key(order);
        folded.extend(blocks.iter().map(|block| text(&shape, block)));
    }
    folded.join(",")
}

/// Returns the text of a series with `%s` for every number and `%%` for every `%`, and the numbers.
///
/// Shapes sort as ClusterShell sorts its patterns, which is why they look the same.
fn shape(cut: &Cut<'_>, own: RangeSet) -> (String, Block) {
    let mut shape = String::with_capacity(cut.prefix.len() + cut.suffix.len() + 8);
    let mut block = Vec::new();
    let all = cut.number.digits > 0 && numbers(cut.prefix) + numbers(cut.suffix) < MAX_AXES;
    push_shape(cut.prefix, all, &mut shape, &mut block);
    if cut.number.digits > 0 {
        shape.push_str("%s");
        block.push(own);
        push_shape(cut.suffix, all, &mut shape, &mut block);
    }
    (shape, block)
}

fn numbers(text: &str) -> usize {
    text.split(|found: char| !found.is_ascii_digit())
        .filter(|digits| (1..=MAX_DIGITS).contains(&digits.len()))
        .count()
}

fn push_shape(text: &str, all: bool, shape: &mut String, block: &mut Block) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest
            .find(|found: char| !found.is_ascii_digit())
            .unwrap_or(rest.len());
        let (taken, after) = rest.split_at(if digits == 0 {
            first.len_utf8()
        } else {
            digits
        });
        match number_in(taken).filter(|_| all) {
            Some(number) => {
                shape.push_str("%s");
                block.push(RangeSet::from_iter([number]));
            }
            None if taken == "%" => shape.push_str("%%"),
            None => shape.push_str(taken),
        }
        rest = after;
    }
}

/// Puts blocks of one shape together to as few as going through the axes one by one finds.
fn fewest(mut blocks: Vec<Block>) -> Vec<Block> {
    let axes = blocks.first().map_or(0, Vec::len);
    for _ in 0..MAX_ROUNDS {
        let before = blocks.len();
        for axis in (0..axes).rev() {
            let first = blocks.first().and_then(|block| block.get(axis)).cloned();
            // Blocks that are the same on an axis cannot differ on that axis only.
            if blocks.iter().any(|block| block.get(axis) != first.as_ref()) {
                blocks = merged(blocks, axis);
            }
        }
        if blocks.len() == before {
            break;
        }
    }
    blocks
}

/// Puts those blocks together that differ on one axis only.
fn merged(blocks: Vec<Block>, axis: usize) -> Vec<Block> {
    let mut alike: HashMap<Block, Vec<Interval>> = HashMap::with_capacity(blocks.len());
    for mut block in blocks {
        let own = block.remove(axis);
        alike.entry(block).or_default().extend(own.intervals());
    }
    alike
        .into_iter()
        .map(|(mut block, intervals)| {
            block.insert(axis, intervals.into_iter().collect());
            block
        })
        .collect()
}

/// What blocks of one shape are sorted by, as ClusterShell does: larger ones first, then axis by axis.
fn order(block: &Block) -> (Reverse<u64>, Vec<AxisOrder>) {
    let names = block.iter().map(RangeSet::len).fold(1, u64::saturating_mul);
    let axes = block.iter().map(|axis| AxisOrder {
        size: Reverse(axis.len()),
        first: axis
            .intervals()
            .first()
            .map(|first| (first.digits, first.low)),
        last: axis.intervals().last().map(|last| (last.digits, last.high)),
    });
    (Reverse(names), axes.collect())
}

/// What an axis is sorted by: the most values first, then the lowest first value, then the lowest last one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct AxisOrder {
    size: Reverse<u64>,
    first: Option<(u8, u64)>,
    last: Option<(u8, u64)>,
}

fn text(shape: &str, block: &Block) -> String {
    let mut text = String::with_capacity(shape.len());
    let mut axes = block.iter();
    let mut shape = shape.chars();
    while let Some(found) = shape.next() {
        match (found, (found == '%').then(|| shape.next()).flatten()) {
            (_, Some('s')) => {
                let axis = axes.next().map(|axis| (axis.len(), axis.to_string()));
                match axis {
                    Some((1, number)) => text.push_str(&number),
                    Some((_, numbers)) => text.extend(["[", &numbers, "]"]),
                    None => {}
                }
            }
            (found, _) => text.push(found),
        }
    }
    text
}
