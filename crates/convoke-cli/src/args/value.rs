//! The values of options as people write them.

use std::time::Duration;

use convoke::action::MaxFail;

/// The longest limit: beyond any command we have heard of, and every sum with it is representable.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest grace: it travels as 32 bits of milliseconds.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 3600);

/// How long something may take.
pub(super) fn limit(text: &str) -> Result<Duration, String> {
    match time(text)? {
        time if time < Duration::from_millis(1) => Err("a limit is at least 1 ms".to_owned()),
        time => Ok(time),
    }
}

/// The time between TERM and KILL.
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    match time(text)? {
        time if time > LONGEST_GRACE => Err("longer than a day".to_owned()),
        time => Ok(time),
    }
}

/// How many hosts something is done to at once.
pub(super) fn number_of_hosts(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(hosts @ 1..) => Ok(hosts),
        _ => Err("write a number of hosts, 1 or more".to_owned()),
    }
}

/// How many hosts may fail.
pub(super) fn max_fail(text: &str) -> Result<MaxFail, String> {
    let refuse = "write a number of hosts, 1 or more, or a percentage up to 100%";
    text.parse().map_err(|_| refuse.to_owned())
}

/// A port of a host.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err("write a port, 1 to 65535".to_owned()),
    }
}

/// Permission bits.
pub(super) fn mode(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    match u16::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o7777) if digits => Ok(mode),
        _ => Err("write octal digits, 0 to 7777, such as 644".to_owned()),
    }
}

/// A time; a bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let refuse = || "write seconds, or a time such as 1m30s".to_owned();
    let time = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| refuse())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| refuse())?,
    };
    match time > LONGEST {
        true => Err("longer than a year".to_owned()),
        false => Ok(time),
    }
}
