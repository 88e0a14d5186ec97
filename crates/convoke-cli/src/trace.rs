//! What the library says of its work, on stderr for who asks: `HOST: what`, and `HOST says: …` for each line of what
//! a connection said. Its warnings are for everybody.

use std::fmt;
use std::io::{self, Write};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormattedFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::config::Volume;
use crate::render::floor::Floor;

/// How the library begins what a connection said, and what it puts between the lines of it.
const SAID: &str = "the connection said: ";
const BETWEEN: &str = " / ";

/// Lets the library say on stderr what it does.
pub(crate) fn begin(volume: Volume, floor: &Floor) {
    let level = match volume {
        Volume::Quiet => return,
        Volume::Normal => LevelFilter::WARN,
        Volume::Verbose => LevelFilter::INFO,
        Volume::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(Stage(floor.clone()))
        // It would be said on the stderr that has just failed, and panic.
        .log_internal_errors(false)
        .with_ansi(false)
        .fmt_fields(Fields)
        .event_format(Line)
        .init();
}

/// Our stderr, where the operator may be asked something.
struct Stage(Floor);

impl MakeWriter<'_> for Stage {
    type Writer = Aside;

    fn make_writer(&self) -> Aside {
        Aside(self.0.clone())
    }
}

/// One text for it.
struct Aside(Floor);

impl Write for Aside {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.say_aside(text)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Texts and names of hosts as they are, other fields with their names.
struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let format = debug_fn(|writer, field, value| match field.name() {
            "message" | "name" => write!(writer, "{value:?}"),
            name => write!(writer, " {name}={value:?}"),
        });
        format.format_fields(writer, fields)
    }
}

/// A line for an event, or several.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut what = String::new();
        context.format_fields(Writer::new(&mut what), event)?;
        let spans = context
            .event_scope()
            .into_iter()
            .flat_map(|all| all.from_root());
        let hosts = spans.filter_map(|span| {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>()?;
            Some(fields.fields.clone())
        });
        let host = hosts.collect::<Vec<_>>().join(" ");
        writer.write_str(&lines(*event.metadata().level(), host.trim(), what.trim()))
    }
}

fn lines(level: Level, host: &str, what: &str) -> String {
    if let Some(said) = what.strip_prefix(SAID) {
        let lines = said
            .split(BETWEEN)
            .map(|line| format!("{host} says: {line}\n"));
        return lines.collect();
    }
    let level = match level {
        Level::INFO => String::new(),
        Level::WARN => "warning: ".to_owned(),
        level => format!("{} ", level.as_str().to_lowercase()),
    };
    match host {
        "" => format!("{level}{what}\n"),
        // The name `local:` has its colon.
        host if host.ends_with(':') => format!("{level}{host} {what}\n"),
        host => format!("{level}{host}: {what}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_host_and_what_was_said_is_told_like_a_notice() {
        for (level, host, what, expected) in [
            (Level::INFO, "h1", "connected", "h1: connected\n"),
            (Level::INFO, "local:", "connected", "local: connected\n"),
            (Level::TRACE, "h1", "frame", "trace h1: frame\n"),
            (Level::WARN, "h1", "look out", "warning: h1: look out\n"),
            (Level::DEBUG, "", "ended", "debug ended\n"),
            (
                Level::INFO,
                "h1",
                "the connection said: one / two",
                "h1 says: one\nh1 says: two\n",
            ),
        ] {
            assert_eq!(lines(level, host, what), expected);
        }
    }
}
