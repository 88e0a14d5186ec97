//! Who may send how much.

use convoke_proto::credit::{Allowance, Budget, FIRST_WINDOW, MAX_WINDOW, SHORT_WINDOW, Window};
use convoke_proto::frame::MAX_DATA;
use proptest::collection::vec;
use proptest::prelude::*;

/// Both ends of one stream.
struct Pair {
    window: Window,
    sender: Allowance,
}

impl Pair {
    fn open(budget: &Budget) -> Self {
        let (window, bytes) = Window::open(budget);
        let mut sender = Allowance::default();
        assert!(sender.grant(bytes));
        Pair { window, sender }
    }

    /// Sends as much of `bytes` as the credit allows.
    fn send(&mut self, bytes: usize) {
        let bytes = bytes.min(self.sender.left());
        if bytes == 0 {
            return;
        }
        let ran_dry = self.sender.spend(bytes);
        assert!(self.window.receive(bytes));
        if ran_dry {
            assert!(self.window.receive(0));
        }
    }

    /// Consumes as much of `bytes` as has arrived; returns what was granted.
    fn consume(&mut self, bytes: usize) -> Option<u32> {
        let grant = self.window.consume(bytes.min(self.window.buffered()));
        if let Some(bytes) = grant {
            assert!(self.sender.grant(bytes));
        }
        grant
    }

    fn size(&self) -> usize {
        self.window.size()
    }
}

#[derive(Debug, Clone)]
enum Move {
    Open,
    Close(prop::sample::Index),
    Send(prop::sample::Index, usize),
    Consume(prop::sample::Index, usize),
}

fn bytes() -> impl Strategy<Value = usize> {
    prop_oneof![0..100_usize, 0..200_000_usize, Just(usize::MAX)]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let which = any::<prop::sample::Index>;
    let one = prop_oneof![
        1 => Just(Move::Open),
        1 => which().prop_map(Move::Close),
        6 => (which(), bytes()).prop_map(|(which, bytes)| Move::Send(which, bytes)),
        6 => (which(), bytes()).prop_map(|(which, bytes)| Move::Consume(which, bytes)),
    ];
    vec(one, 1..120)
}

proptest! {
    #[test]
    fn never_more_is_on_the_way_and_buffered_than_the_window_holds(moves in moves()) {
        let budget = Budget::new(16 * MAX_WINDOW);
        let mut pair = Pair::open(&budget);
        for one in moves {
            match one {
                Move::Send(_, bytes) => pair.send(bytes),
                Move::Consume(_, bytes) => { pair.consume(bytes); }
                Move::Open | Move::Close(_) => {}
            }
            prop_assert!(pair.sender.left() + pair.window.buffered() <= pair.size());
            prop_assert!(pair.size() <= MAX_WINDOW);
        }
    }

    #[test]
    fn all_windows_together_stay_within_the_budget_and_eight_kib_each_beyond_it(
        moves in moves(),
        total in 0..(4 * FIRST_WINDOW),
    ) {
        let budget = Budget::new(total);
        let mut pairs = vec![Pair::open(&budget)];
        for one in moves {
            match one {
                Move::Open => pairs.push(Pair::open(&budget)),
                Move::Close(which) if pairs.len() > 1 => {
                    pairs.swap_remove(which.index(pairs.len()));
                }
                Move::Close(_) => {}
                Move::Send(which, bytes) => which.get_mut(&mut pairs).send(bytes),
                Move::Consume(which, bytes) => { which.get_mut(&mut pairs).consume(bytes); }
            }
            let short = pairs.iter().filter(|pair| pair.size() == SHORT_WINDOW).count();
            let all: usize = pairs.iter().map(Pair::size).sum();
            prop_assert!(all <= total + short * SHORT_WINDOW);
            prop_assert_eq!(all - short * SHORT_WINDOW + budget.left(), total);
        }
        drop(pairs);
        prop_assert_eq!(budget.left(), total);
    }

    #[test]
    fn a_sender_whose_bytes_were_all_consumed_has_credit(
        moves in moves(),
        total in prop_oneof![Just(0), Just(FIRST_WINDOW), Just(MAX_WINDOW)],
    ) {
        let budget = Budget::new(total);
        let mut pair = Pair::open(&budget);
        for one in moves {
            match one {
                Move::Send(_, bytes) => pair.send(bytes),
                Move::Consume(_, bytes) => { pair.consume(bytes); }
                Move::Open | Move::Close(_) => {}
            }
            if pair.window.buffered() == 0 {
                prop_assert!(pair.sender.left() > 0);
            }
        }
    }

    #[test]
    fn a_window_grows_only_when_the_sender_ran_dry_and_most_was_consumed(moves in moves()) {
        let budget = Budget::new(16 * MAX_WINDOW);
        let mut pair = Pair::open(&budget);
        let mut ran_dry = false;
        for one in moves {
            let size = pair.size();
            match one {
                Move::Send(_, bytes) => {
                    pair.send(bytes);
                    ran_dry |= pair.sender.left() == 0;
                }
                Move::Consume(_, bytes) => {
                    let granted = pair.consume(bytes).is_some();
                    if pair.size() > size {
                        prop_assert!(ran_dry && granted && pair.window.buffered() <= size / 4);
                        prop_assert_eq!(pair.size(), 2 * size);
                        ran_dry = false;
                    }
                }
                Move::Open | Move::Close(_) => {}
            }
        }
    }
}

#[test]
fn a_stream_starts_at_32_kib() {
    let (window, granted) = Window::open(&Budget::new(MAX_WINDOW));
    assert_eq!((window.size(), granted), (32 * 1024, 32 * 1024));
}

#[test]
fn a_stream_that_is_kept_up_with_doubles_to_4_mib() {
    let mut pair = Pair::open(&Budget::new(2 * MAX_WINDOW));
    let mut sizes = vec![pair.size()];
    for _ in 0..10 {
        pair.send(usize::MAX);
        pair.consume(usize::MAX);
        sizes.push(pair.size());
    }
    let doubled = (0..11).map(|n| (FIRST_WINDOW << n).min(MAX_WINDOW));
    assert!(doubled.eq(sizes));
}

/// Sends all that the credit allows in frames, whose bytes are consumed as they come; the grants arrive only then.
fn round_trip(pair: &mut Pair) {
    let mut on_their_way = Vec::new();
    while pair.sender.left() > 0 {
        pair.send(MAX_DATA);
        on_their_way.extend(pair.window.consume(pair.window.buffered()));
    }
    assert!(!on_their_way.is_empty(), "nobody says that there is room");
    for grant in on_their_way {
        assert!(pair.sender.grant(grant));
    }
}

#[test]
fn a_stream_over_a_long_way_doubles_to_4_mib() {
    let mut pair = Pair::open(&Budget::new(2 * MAX_WINDOW));
    for _ in 0..16 {
        round_trip(&mut pair);
    }
    assert_eq!(pair.size(), MAX_WINDOW);
}

#[test]
fn a_sender_that_never_runs_out_keeps_the_first_window() {
    for chunk in [1, 512, 4096, 8192, 10_000] {
        let mut pair = Pair::open(&Budget::new(2 * MAX_WINDOW));
        // Each grant reaches it before it has used what it had.
        for _ in 0..200_000 / chunk + 1_000 {
            pair.send(chunk);
            pair.consume(usize::MAX);
        }
        assert_eq!(pair.size(), FIRST_WINDOW, "{chunk}");
    }
}

#[test]
fn a_stream_born_with_a_short_budget_has_8_kib_until_there_is_room() {
    let budget = Budget::new(FIRST_WINDOW + 1);
    let before = Pair::open(&budget);
    let mut pair = Pair::open(&budget);
    for _ in 0..10 {
        pair.send(usize::MAX);
        pair.consume(usize::MAX);
        assert_eq!(pair.size(), SHORT_WINDOW);
    }
    assert_eq!(budget.left(), 1);
    drop(before);
    for _ in 0..10 {
        pair.send(usize::MAX);
        pair.consume(usize::MAX);
        assert_eq!(pair.size(), FIRST_WINDOW);
    }
    drop(pair);
    assert_eq!(budget.left(), FIRST_WINDOW + 1);
}

#[test]
fn a_stream_does_not_grow_beyond_the_budget() {
    let budget = Budget::new(FIRST_WINDOW + FIRST_WINDOW / 2);
    let mut pair = Pair::open(&budget);
    pair.send(usize::MAX);
    pair.consume(usize::MAX);
    assert_eq!(pair.size(), FIRST_WINDOW);
}

#[test]
fn more_bytes_than_were_granted_are_refused() {
    let (mut window, granted) = Window::open(&Budget::new(MAX_WINDOW));
    assert!(window.receive(granted as usize));
    assert!(!window.receive(1));
}

#[test]
fn credit_beyond_any_window_is_refused() {
    let mut sender = Allowance::default();
    assert!(sender.grant(MAX_WINDOW as u32));
    assert!(!sender.grant(1));
    assert!(!Allowance::default().grant(u32::MAX));
}

#[test]
fn small_consumption_costs_few_grants() {
    let mut pair = Pair::open(&Budget::new(MAX_WINDOW));
    let grants = (0..FIRST_WINDOW).filter(|_| {
        pair.send(1);
        pair.consume(1).is_some()
    });
    assert_eq!(grants.count(), 2);
}
