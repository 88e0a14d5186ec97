//! How far an attempt to open an endpoint has come, and what was noticed on the way.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Written by a connector while it opens an endpoint, for the one who asked: what is known of an attempt
/// that was given up, and what is to be told of one that was not. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    /// The host on the way that all of it is about; none for the endpoint itself.
    through: Option<Arc<str>>,
    marks: Arc<Mutex<Marks>>,
}

#[derive(Debug, Default)]
struct Marks {
    waits: Option<Wait>,
    /// The work of somebody else that is waited for.
    other: Option<Trail>,
    remarks: Vec<Remark>,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The host on the way whose answer it is; none for that of the endpoint itself.
    pub through: Option<Arc<str>>,
    /// What is being done, such as `while logging in`.
    pub what: &'static str,
}

/// Something that is to be told of a connection, though it does not fail for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// For those who want to know more.
    Note(String),
    /// For everybody.
    Warning(String),
}

impl Wait {
    /// What has not come in time; `late` says how long that was waited for.
    pub fn explain(&self, late: &str) -> String {
        match &self.through {
            Some(host) => format!("through {host}: {late} {}", self.what),
            None => format!("{late} {}", self.what),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Note(text) | Remark::Warning(text) => f.write_str(text),
        }
    }
}

impl Trail {
    /// An attempt that has just begun.
    pub fn new() -> Self {
        Self::default()
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is waited for now, if it is known.
    pub fn waits(&self) -> Option<Wait> {
        // The lock is not held while the other's is taken.
        let (waits, other) = {
            let marks = self.marks();
            (marks.waits.clone(), marks.other.clone())
        };
        other.map_or(waits, |other| other.waits())
    }

    /// What was noticed since this was asked last.
    pub fn take_remarks(&self) -> Vec<Remark> {
        let (mut remarks, other) = {
            let mut marks = self.marks();
            (std::mem::take(&mut marks.remarks), marks.other.clone())
        };
        remarks.extend(other.into_iter().flat_map(|other| other.take_remarks()));
        remarks
    }

    /// The way to a host that others are behind.
    pub(crate) fn through(host: &str) -> Self {
        Trail {
            through: Some(host.into()),
            ..Self::default()
        }
    }

    /// From now on this is waited for, such as `while logging in`.
    pub(crate) fn wait(&self, what: &'static str) {
        let through = self.through.clone();
        self.turn_to(Some(Wait { through, what }), None);
    }

    /// From now on what `other` waits for is, and what is noticed there is told here.
    pub(crate) fn follow(&self, other: &Trail) {
        self.turn_to(None, Some(other.clone()));
    }

    /// From now on nothing is waited for that the connector knows of.
    pub(crate) fn arrive(&self) {
        self.turn_to(None, None);
    }

    fn turn_to(&self, waits: Option<Wait>, other: Option<Trail>) {
        let before = {
            let mut marks = self.marks();
            marks.waits = waits;
            std::mem::replace(&mut marks.other, other)
        };
        let left = before.map(|before| before.take_remarks());
        self.marks().remarks.extend(left.into_iter().flatten());
    }

    /// Notes something.
    pub(crate) fn remark(&self, remark: Remark) {
        let remark = match &self.through {
            Some(host) => remark.through(host),
            None => remark,
        };
        self.marks().remarks.push(remark);
    }
}

impl Remark {
    /// The same of a host on the way.
    fn through(self, host: &str) -> Self {
        match self {
            Remark::Note(text) => Remark::Note(format!("through {host}: {text}")),
            Remark::Warning(text) => Remark::Warning(format!("through {host}: {text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_that_of_the_host_on_the_way_until_it_is_there() {
        let (host, gate) = (Trail::new(), Trail::through("gate"));
        host.follow(&gate);
        gate.wait("while logging in");
        let words = |trail: &Trail| trail.waits().map(|wait| wait.explain("no answer"));
        let expected = "through gate: no answer while logging in";
        assert_eq!(words(&host).as_deref(), Some(expected));
        host.wait("while connecting");
        let expected = "no answer while connecting";
        assert_eq!(words(&host).as_deref(), Some(expected));
        host.arrive();
        assert_eq!(words(&host), None);
    }

    #[test]
    fn each_remark_is_told_once_by_one_of_those_who_wait() {
        let (first, second, gate) = (Trail::new(), Trail::new(), Trail::through("gate"));
        first.follow(&gate);
        second.follow(&gate);
        gate.remark(Remark::Warning("look out".into()));
        second.arrive();
        first.remark(Remark::Note("on the way".into()));
        assert_eq!(first.take_remarks(), [Remark::Note("on the way".into())]);
        let told = Remark::Warning("through gate: look out".into());
        assert_eq!(second.take_remarks(), [told]);
        assert_eq!(second.take_remarks(), []);
    }
}
