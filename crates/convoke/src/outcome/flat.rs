//! Outcomes as they are serialised.

use std::time::Duration;

use convoke_proto::exit::{Killed, Status, Survivor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Exited, Failed, FailureCause, Fate, NotStarted, Outcome};
use crate::failure;

/// One flat object: the word under `outcome`, the verdict under `ok`, then the facts.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", self.word())?;
        map.serialize_entry("ok", &self.is_ok())?;
        match self {
            Outcome::Exited(exited) => exited.entries(&mut map)?,
            Outcome::Checked(checked) => {
                map.serialize_entry("round_trip_ms", &milliseconds(checked.round_trip))?;
            }
            Outcome::Done(done) => map.serialize_entry("bytes", &done.bytes)?,
            Outcome::Failed(failed) => failed.entries(&mut map)?,
            Outcome::NotStarted(start) => start.entries(&mut map)?,
            Outcome::TimedOut(timed_out) => {
                map.serialize_entry("limit", timed_out.limit.as_str())?;
                map.serialize_entry("killed_by", killed_by(timed_out.killed))?;
                survivors(&mut map, &timed_out.survivors)?;
            }
            Outcome::Unreachable(unreachable) => {
                map.serialize_entry("kind", unreachable.kind.as_str())?;
                map.serialize_entry("text", &unreachable.text)?;
                if let Some(hint) = &unreachable.hint {
                    map.serialize_entry("hint", hint)?;
                }
            }
            Outcome::Lost(lost) => {
                map.serialize_entry("text", &lost.text)?;
                map.serialize_entry("fate", lost.fate.as_str())?;
                map.serialize_entry("may_run_until", &lost.fate.time())?;
            }
            Outcome::Cancelled(cancelled) => {
                map.serialize_entry("why", cancelled.why.as_str())?;
                map.serialize_entry("was_running", &cancelled.was_running)?;
                survivors(&mut map, &cancelled.survivors)?;
            }
            Outcome::Skipped(skipped) => map.serialize_entry("why", skipped.why.as_str())?,
            Outcome::Crashed { text } => map.serialize_entry("text", text)?,
        }
        map.end()
    }
}

impl Exited {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (code, signal) = match self.status {
            Status::Code(code) => (Some(code), None),
            Status::Signal(signal) => (None, Some(signal)),
        };
        map.serialize_entry("code", &code)?;
        map.serialize_entry("signal", &signal)?;
        map.serialize_entry("left_running", &self.left_running)?;
        map.serialize_entry("stream_cut", &self.stream_cut)?;
        survivors(map, &self.survivors)
    }
}

/// An object with the fields that it has in an outcome.
impl Serialize for FailureCause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entries(&mut map)?;
        map.end()
    }
}

impl Failed {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.cause.entries(map)?;
        map.serialize_entry("also", &self.also)?;
        map.serialize_entry("more", &self.more)
    }
}

impl FailureCause {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("where", self.place())?;
        if let FailureCause::Host(failure) = self {
            failure::entries(failure, map)?;
        }
        map.serialize_entry("text", &self.to_string())
    }
}

impl NotStarted {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("stage", self.stage.as_str())?;
        map.serialize_entry("errno", &self.errno)?;
        let tried: Vec<String> = self.tried.iter().map(|path| path.to_string()).collect();
        map.serialize_entry("tried", &tried)?;
        map.serialize_entry("why", &self.why)
    }
}

impl Fate {
    /// The time after which it no longer runs, as RFC 3339, when that is known.
    fn time(self) -> Option<String> {
        match self {
            Fate::EndsBy(time) => Some(humantime::format_rfc3339_seconds(time).to_string()),
            _ => None,
        }
    }
}

/// A duration as a number of milliseconds, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

fn killed_by(killed: Killed) -> &'static str {
    match killed {
        Killed::Term => "TERM",
        Killed::Kill => "KILL",
    }
}

fn survivors<M: SerializeMap>(map: &mut M, survivors: &[Survivor]) -> Result<(), M::Error> {
    #[derive(Serialize)]
    struct Named {
        pid: u32,
        uid: u32,
    }
    let named: Vec<Named> = survivors
        .iter()
        .map(|survivor| Named {
            pid: survivor.pid,
            uid: survivor.uid,
        })
        .collect();
    map.serialize_entry("survivors", &named)
}

#[cfg(test)]
mod tests {
    use super::super::{Cancelled, Limit, TimedOut};
    use super::*;

    #[test]
    fn survivors_are_a_list_also_when_there_are_none() {
        let exited = Exited {
            status: Status::Code(0),
            left_running: 0,
            stream_cut: false,
            survivors: Vec::new(),
        };
        let timed_out = TimedOut {
            limit: Limit::Total,
            killed: Killed::Term,
            survivors: Vec::new(),
        };
        for outcome in [
            Outcome::Exited(exited),
            Outcome::TimedOut(timed_out),
            Outcome::Cancelled(Cancelled::default()),
        ] {
            let json = serde_json::to_value(&outcome).unwrap();
            assert_eq!(json["survivors"], serde_json::json!([]), "{outcome:?}");
        }
    }
}
