//! An open channel: the credit of its streams, and what arrived for whoever works on it.

use bytes::Bytes;
use convoke_proto::command::{Direction, Start, Stdin};
use convoke_proto::credit::{Allowance, Budget, Window};

use super::waiting::Waiting;

/// The streams of one channel.
#[derive(Debug)]
pub(super) struct Channel {
    outputs: Vec<Output>,
    inputs: Vec<Input>,
    /// What its request weighs while it waits.
    weight: usize,
    /// Whether nothing is left to do on it.
    is_idle: bool,
}

/// A stream to the controller.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) number: u8,
    pub(super) allowance: Allowance,
}

/// A stream from the controller.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) number: u8,
    /// None until the request was granted: nothing may be sent to what may not begin.
    window: Option<Window>,
    waiting: Waiting,
    ended: bool,
    refused: bool,
}

impl Channel {
    /// The streams that a valid start request asks for.
    pub(super) fn of_process(request: &Start) -> Self {
        let extra = |direction| {
            let of_direction =
                move |s: &&convoke_proto::command::ExtraStream| s.direction == direction;
            request.extra.iter().filter(of_direction).map(|s| s.number)
        };
        let stdin = (request.stdin == Stdin::Stream).then_some(0);
        Self::new(
            [1, 2].into_iter().chain(extra(Direction::Out)),
            stdin.into_iter().chain(extra(Direction::In)),
        )
    }

    /// One with these streams to and from the controller.
    pub(super) fn new(
        outputs: impl IntoIterator<Item = u8>,
        inputs: impl IntoIterator<Item = u8>,
    ) -> Self {
        Channel {
            outputs: outputs.into_iter().map(Output::new).collect(),
            inputs: inputs.into_iter().map(Input::new).collect(),
            weight: 0,
            is_idle: false,
        }
    }

    /// The same with a request of this weight.
    pub(super) fn weighing(self, weight: usize) -> Self {
        Channel { weight, ..self }
    }

    /// What its request weighs; nothing from here on.
    pub(super) fn unload(&mut self) -> usize {
        core::mem::take(&mut self.weight)
    }

    /// Whether nothing is left to do on it unless another channel asks for it.
    pub(super) fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Nothing is left to do on it unless another channel asks for it.
    pub(super) fn rest(&mut self) {
        self.is_idle = true;
    }

    pub(super) fn output(&self, number: u8) -> Option<&Output> {
        self.outputs.iter().find(|output| output.number == number)
    }

    pub(super) fn output_mut(&mut self, number: u8) -> Option<&mut Output> {
        self.outputs
            .iter_mut()
            .find(|output| output.number == number)
    }

    pub(super) fn input(&self, number: u8) -> Option<&Input> {
        self.inputs.iter().find(|input| input.number == number)
    }

    pub(super) fn input_mut(&mut self, number: u8) -> Option<&mut Input> {
        self.inputs.iter_mut().find(|input| input.number == number)
    }

    pub(super) fn inputs(&mut self) -> &mut [Input] {
        &mut self.inputs
    }
}

impl Output {
    fn new(number: u8) -> Self {
        Output {
            number,
            allowance: Allowance::default(),
        }
    }
}

impl Input {
    fn new(number: u8) -> Self {
        Input {
            number,
            window: None,
            waiting: Waiting::default(),
            ended: false,
            refused: false,
        }
    }

    /// Opens the stream and returns the credit to grant at once.
    pub(super) fn open(&mut self, budget: &Budget) -> u32 {
        let (window, credit) = Window::open(budget);
        self.window = Some(window);
        credit
    }

    /// Takes bytes that arrived; `false` when nobody granted them.
    pub(super) fn receive(&mut self, body: Bytes) -> bool {
        let granted = match &mut self.window {
            Some(window) => window.receive(body.len()),
            None => body.is_empty(),
        };
        if granted && !self.refused {
            self.waiting.push(body);
        }
        granted
    }

    /// Notes that no more bytes come; `false` when that was said before.
    pub(super) fn end(&mut self) -> bool {
        !core::mem::replace(&mut self.ended, true)
    }

    /// Whether the sender said that no more bytes come.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The first of the bytes that the process has not taken yet; none when there are none.
    pub(super) fn waiting(&self) -> &[u8] {
        self.waiting.first()
    }

    /// Notes that the process took `count` of the waiting bytes; returns the credit to grant, if any.
    pub(super) fn consume(&mut self, count: usize) -> Option<u32> {
        let count = self.waiting.consume(count);
        self.free(count)
    }

    /// Takes all that waits; it stays part of what is buffered.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        core::mem::take(&mut self.waiting).into_pieces()
    }

    /// Notes that `count` bytes are no longer buffered; returns the credit to grant, if any.
    pub(super) fn free(&mut self, count: usize) -> Option<u32> {
        let credit = self.window.as_mut()?.consume(count)?;
        (!self.ended).then_some(credit)
    }

    /// The process takes no more: what waits and what still comes is thrown away.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
        self.waiting = Waiting::default();
    }
}
