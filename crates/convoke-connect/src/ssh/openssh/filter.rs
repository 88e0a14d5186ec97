//! Takes ssh's own account of how it goes (`debug1: …`) out of its stderr, and keeps what tells why it
//! failed.

/// How much of a line is looked at: the commands that ssh repeats are long.
const LOOKED_AT: usize = 512;

/// How ssh's lines begin that are of no use to people.
const CHATTER: [&str; 6] = [
    "debug1: ",
    "Authenticated to ",
    "Authenticated using ",
    "Transferred: sent ",
    "Bytes per second: sent ",
    "Pseudo-terminal will not be allocated ",
];

/// How those begin that say how far ssh came and whom it met. Of each kind one line is kept: a server
/// can have any number of some written.
const TELLING: [(&str, Kept); 10] = [
    ("debug1: Executing proxy ", Kept::First),
    ("debug1: Connecting to ", Kept::Last),
    ("debug1: Connection established.", Kept::Last),
    ("debug1: Remote protocol version ", Kept::First),
    ("debug1: Local version string ", Kept::First),
    (
        "debug1: kex_exchange_identification: banner line ",
        Kept::First,
    ),
    ("debug1: ssh_exchange_identification: ", Kept::First),
    ("debug1: Server host key: ", Kept::Last),
    ("debug1: SSH2_MSG_SERVICE_ACCEPT received", Kept::First),
    ("Authenticated to ", Kept::Last),
];

/// Which line of a kind is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    First,
    /// Of several addresses, or servers, the last one is the one that it is about.
    Last,
}

/// A filter over ssh's stderr while its log level is ours.
///
/// What is not ssh's chatter passes at once, also unfinished lines. At the end of a connection that
/// broke follow the telling lines, for [`super::diagnose`].
#[derive(Debug, Default)]
pub(super) struct Filter {
    state: State,
    line: Vec<u8>,
    /// The kinds and the lines, in the order of these.
    telling: Vec<(usize, Vec<u8>)>,
}

/// What becomes of the line that is being read.
#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// It may still become chatter.
    #[default]
    Undecided,
    Passes,
    Chatter,
}

impl Filter {
    /// Takes more of ssh's stderr; what passes is added to `out`.
    pub(super) fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for piece in input.split_inclusive(|byte| *byte == b'\n') {
            self.piece(piece, out);
            if piece.ends_with(b"\n") {
                self.end_line(out);
            }
        }
    }

    /// Ends the input of an ssh that went well.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_line(out);
    }

    /// Ends the input of an ssh whose connection broke.
    pub(super) fn finish_telling(&mut self, out: &mut Vec<u8>) {
        let unfinished = self.state == State::Passes || !self.line.is_empty();
        self.end_line(out);
        // Once in, how ssh came there tells nothing any more.
        let is_in = |(_, line): &(usize, Vec<u8>)| line.starts_with(b"Authenticated to ");
        if self.telling.iter().any(is_in) {
            self.telling.retain(is_in);
        }
        if unfinished && !self.telling.is_empty() {
            out.push(b'\n');
        }
        for (_, line) in self.telling.drain(..) {
            out.extend(line);
            out.push(b'\n');
        }
    }

    /// Takes a piece of one line.
    fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match self.state {
            State::Passes => out.extend(piece),
            State::Chatter => self.keep(piece),
            State::Undecided => {
                self.line.extend(piece);
                if CHATTER
                    .iter()
                    .any(|one| self.line.starts_with(one.as_bytes()))
                {
                    self.state = State::Chatter;
                    self.line.truncate(LOOKED_AT);
                } else if !CHATTER
                    .iter()
                    .any(|one| one.as_bytes().starts_with(&self.line))
                {
                    self.state = State::Passes;
                    out.append(&mut self.line);
                }
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LOOKED_AT.saturating_sub(self.line.len());
        self.line.extend(piece.iter().take(room));
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.state) {
            State::Undecided => out.append(&mut self.line),
            State::Passes => {}
            State::Chatter => {
                let line = std::mem::take(&mut self.line);
                self.tell(line.trim_ascii_end());
            }
        }
    }

    fn tell(&mut self, line: &[u8]) {
        let is_one = |(begin, _): &(&str, Kept)| line.starts_with(begin.as_bytes());
        let Some(kind) = TELLING.iter().position(is_one) else {
            return;
        };
        if let Some(at) = self.telling.iter().position(|(one, _)| *one == kind) {
            if TELLING[kind].1 == Kept::First {
                return;
            }
            self.telling.remove(at);
        }
        self.telling.push((kind, line.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(pieces: &[&str]) -> String {
        let mut filter = Filter::default();
        let mut out = Vec::new();
        for piece in pieces {
            filter.feed(piece.as_bytes(), &mut out);
        }
        filter.finish_telling(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn chatter_is_dropped_wherever_the_pieces_end() {
        let text = "one\r\ndebug1: Reading configuration data x\r\ndebug: two\ndebug1: x\nthree";
        for at in 0..text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(filtered(&[left, right]), "one\r\ndebug: two\nthree", "{at}");
        }
    }

    #[test]
    fn telling_lines_come_at_the_end() {
        let text = "debug1: Local version string SSH-2.0-x\r\ndebug1: Server host key: ssh-ed25519 \
                    SHA256:abc\r\nHost key verification failed.\r\n";
        let expected = "Host key verification failed.\r\ndebug1: Local version string SSH-2.0-x\n\
                        debug1: Server host key: ssh-ed25519 SHA256:abc\n";
        assert_eq!(filtered(&[text]), expected);
    }

    #[test]
    fn an_ssh_that_went_well_tells_nothing() {
        let mut filter = Filter::default();
        let mut out = Vec::new();
        filter.feed(b"debug1: Server host key: x\none", &mut out);
        filter.finish(&mut out);
        assert_eq!(out, b"one");
    }

    #[test]
    fn an_unfinished_line_that_is_no_chatter_passes_at_once() {
        let mut filter = Filter::default();
        let mut out = Vec::new();
        filter.feed(b"password: ", &mut out);
        assert_eq!(out, b"password: ");
    }

    #[test]
    fn long_and_many_lines_take_little_memory() {
        let long = format!("debug1: Server host key: {}\n", "x".repeat(100_000));
        let text = long.repeat(20);
        assert!(filtered(&[&text]).len() <= LOOKED_AT + 1);
    }

    #[test]
    fn of_each_kind_one_telling_line_is_kept() {
        let banner = "debug1: kex_exchange_identification: banner line ";
        let mut text = String::from("debug1: Connecting to a [::1] port 22.\n");
        text += "debug1: Connecting to a [10.0.0.1] port 22.\n";
        text += "debug1: Connection established.\n";
        for line in 0..100 {
            text += &format!("{banner}{line}: x\n");
        }
        text += "debug1: SSH2_MSG_SERVICE_ACCEPT received\n";
        let expected = format!(
            "debug1: Connecting to a [10.0.0.1] port 22.\ndebug1: Connection established.\n\
             {banner}0: x\ndebug1: SSH2_MSG_SERVICE_ACCEPT received\n"
        );
        assert_eq!(filtered(&[&text]), expected);
    }

    #[test]
    fn the_beginning_of_chatter_at_the_very_end_passes() {
        assert_eq!(filtered(&["debug1"]), "debug1");
    }
}
