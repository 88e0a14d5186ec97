//! From the text of a host expression to [`Expr`].

use super::slice::Slice;
use super::{Expr, MAX_NESTING, Operator, Selector, Step, Term};
use crate::error::{Error, excerpt};
use crate::hostlist::{HostName, Pattern, is_address};
use crate::rangeset::MAX_NAMES;

pub(super) fn parse(text: &str) -> Result<Expr, Error> {
    let mut parser = Parser {
        text,
        at: 0,
        nesting: 0,
        names: 0,
    };
    parser.skip_blanks();
    if parser.peek().is_none() {
        return Ok(Expr { steps: Vec::new() });
    }
    let expr = parser.expr()?;
    match parser.peek() {
        None => Ok(expr),
        Some(')') => Err(Error::UnopenedParenthesis { at: parser.at }),
        Some(found) => Err(Error::MissingOperator {
            at: parser.at,
            found,
        }),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// How far the text has been read, in bytes.
    at: usize,
    /// How many parentheses are open.
    nesting: usize,
    /// How many names have been written so far.
    names: u64,
}

impl<'a> Parser<'a> {
    /// Parses up to what cannot continue an expression.
    fn expr(&mut self) -> Result<Expr, Error> {
        let mut steps = Vec::with_capacity(1);
        let mut operator = Operator::Union;
        loop {
            steps.push(self.step(operator)?);
            self.skip_blanks();
            operator = match self.peek().and_then(Operator::from_char) {
                Some(operator) => operator,
                None => return Ok(Expr { steps }),
            };
            self.at += 1;
        }
    }

    fn step(&mut self, operator: Operator) -> Result<Step, Error> {
        self.skip_blanks();
        let at = self.at;
        let (term, slice) = match self.peek() {
            Some('(') => self.then_slice(Self::parenthesis)?,
            Some('/') => self.then_slice(Self::regex)?,
            Some('%') if self.rest().starts_with("%{") => self.then_slice(Self::predicate)?,
            Some('^') => self.file()?,
            _ => self.word()?,
        };
        Ok(Step {
            operator,
            term,
            slice,
            at,
        })
    }

    /// Parses a term that has an end mark of its own, and the slice that may follow it.
    fn then_slice(
        &mut self,
        term: fn(&mut Self) -> Result<Term, Error>,
    ) -> Result<(Term, Option<Box<Slice>>), Error> {
        let term = term(self)?;
        if self.peek() != Some('[') {
            return Ok((term, None));
        }
        let start = self.at;
        let rest = self.word_text()?;
        let (before, slice) = split_slice(rest, start)?;
        let text = || excerpt(before.trim_matches(['[', ']']));
        match before.chars().next() {
            None => Ok((term, slice)),
            Some('[') if before.contains(':') => Err(Error::MisplacedSlice {
                at: start + 1,
                text: text(),
            }),
            Some(_) => Err(Error::BadSlice {
                at: start + 1,
                text: text(),
            }),
        }
    }

    fn parenthesis(&mut self) -> Result<Term, Error> {
        let opened = self.at;
        if self.nesting == MAX_NESTING {
            return Err(Error::TooDeep {
                at: opened,
                limit: MAX_NESTING,
            });
        }
        self.at += 1;
        self.nesting += 1;
        let inner = self.expr()?;
        self.nesting -= 1;
        match self.peek() {
            Some(')') => self.at += 1,
            None => return Err(Error::UnclosedParenthesis { at: opened }),
            Some(found) => return Err(Error::MissingOperator { at: self.at, found }),
        }
        Ok(Term::Parenthesis(Box::new(inner)))
    }

    fn regex(&mut self) -> Result<Term, Error> {
        let opened = self.at;
        let mut escaped = false;
        let is_end = |byte: u8| {
            let ends = byte == b'/' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        };
        let length = self
            .rest()
            .bytes()
            .skip(1)
            .position(is_end)
            .ok_or(Error::UnclosedRegex { at: opened })?;
        if length == 0 {
            return Err(Error::EmptySelector {
                at: opened,
                mark: "/",
            });
        }
        Ok(selector("regular expressions", self.take(length + 2)))
    }

    fn predicate(&mut self) -> Result<Term, Error> {
        let opened = self.at;
        let mut quote = None;
        let is_end = |byte: u8| {
            match (quote, byte) {
                (None, b'\'' | b'"') => quote = Some(byte),
                (Some(open), close) if open == close => quote = None,
                _ => {}
            }
            quote.is_none() && byte == b'}'
        };
        let length = self
            .rest()
            .bytes()
            .skip(2)
            .position(is_end)
            .ok_or(Error::UnclosedPredicate { at: opened })?;
        let text = self.take(length + 3);
        if text.trim_matches(['%', '{', '}']).trim_ascii().is_empty() {
            return Err(Error::EmptySelector {
                at: opened,
                mark: "%{",
            });
        }
        Ok(selector("predicates", text))
    }

    fn file(&mut self) -> Result<(Term, Option<Box<Slice>>), Error> {
        let mark = self.at;
        self.at += 1;
        let text = self.word_text()?;
        let (path, slice) = split_slice(text, mark + 1)?;
        if path.is_empty() {
            return Err(Error::EmptySelector {
                at: mark,
                mark: "^",
            });
        }
        Ok((Term::File(path.into()), slice))
    }

    /// Parses a term that reaches up to the next operator: hosts, a group, a glob or stdin.
    fn word(&mut self) -> Result<(Term, Option<Box<Slice>>), Error> {
        let at = self.at;
        let text = self.word_text()?;
        let (text, slice) = split_slice(text, at)?;
        let term = match text {
            "" => return Err(Error::EmptyTerm { at }),
            "-" => Term::Stdin,
            "@" => return Err(Error::EmptySelector { at, mark: "@" }),
            group if group.starts_with('@') => selector("groups", group),
            glob if has_wildcard(glob) => selector("globs", glob),
            hosts if hosts.contains('[') => Term::Pattern(Box::new(Pattern::parse_at(hosts, at)?)),
            host => Term::Name(HostName::parse_at(host, at)?),
        };
        self.names = self.names.saturating_add(term.count());
        if self.names > MAX_NAMES {
            return Err(Error::TooManyNames {
                at,
                limit: MAX_NAMES,
            });
        }
        Ok((term, slice))
    }

    /// Takes everything up to the next operator, parenthesis or blank outside brackets.
    fn word_text(&mut self) -> Result<&'a str, Error> {
        let mut opened = None;
        let rest = self.rest();
        let end = rest.bytes().enumerate().position(|(index, byte)| {
            match byte {
                b'[' if opened.is_none() => opened = Some(index),
                b']' => opened = None,
                _ => {}
            }
            opened.is_none() && ends_word(byte)
        });
        match opened {
            Some(index) => Err(Error::UnclosedBracket {
                at: self.at + index,
            }),
            None => Ok(self.take(end.unwrap_or(rest.len()))),
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let taken = self.rest().get(..bytes).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
    }
}

impl Operator {
    fn from_char(found: char) -> Option<Self> {
        match found {
            ',' => Some(Self::Union),
            '!' => Some(Self::Minus),
            '&' => Some(Self::Intersection),
            '^' => Some(Self::SymmetricDifference),
            _ => None,
        }
    }
}

fn ends_word(byte: u8) -> bool {
    matches!(byte, b',' | b'&' | b'^' | b'!' | b'(' | b')') || byte.is_ascii_whitespace()
}

/// Says whether a text has a `*` or `?` outside brackets.
fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
        && text.split('[').any(|part| {
            part.rsplit(']')
                .next()
                .unwrap_or_default()
                .contains(['*', '?'])
        })
}

fn selector(what: &'static str, text: &str) -> Term {
    Term::Selector(Box::new(Selector {
        what,
        text: text.to_owned(),
    }))
}

/// Splits the slice off the end of a term that begins at `at`.
fn split_slice(text: &str, at: usize) -> Result<(&str, Option<Box<Slice>>), Error> {
    let Some((before, content)) = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once('['))
    else {
        return Ok((text, None));
    };
    if !content.contains(':') || is_address(content) {
        return Ok((text, None));
    }
    let at = at + before.len() + 1;
    let slice = Slice::parse(content).ok_or_else(|| Error::BadSlice {
        at,
        text: excerpt(content),
    })?;
    Ok((before, Some(Box::new(slice))))
}
