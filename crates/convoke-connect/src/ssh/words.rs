//! The values of settings: files, flags and times, and what becomes of those that are not understood.

use std::path::PathBuf;
use std::time::Duration;

use super::algorithms::NoneLeft;
use super::config::{Tokens, without_tilde};
use super::settings::Settings;

/// An option with its value that only the system's ssh serves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unserved(pub(super) String);

impl Unserved {
    pub(super) fn of(option: &str, value: &str) -> Self {
        Unserved(format!("{option} {value}"))
    }
}

impl From<NoneLeft> for Unserved {
    fn from(NoneLeft(option): NoneLeft) -> Self {
        Unserved(option)
    }
}

/// The files of an option that is printed on one line, as it was given or already expanded: ssh does
/// nothing more to them but replace a leading `~`.
pub(super) fn listed_files(
    settings: &Settings,
    option: &str,
    home: &str,
) -> Result<Vec<PathBuf>, Unserved> {
    let unclear = || Unserved::of(option, settings.get(option).unwrap_or_default());
    let files = settings.files(option).ok_or_else(unclear)?.into_iter();
    let path = |file| without_tilde(file, home).map(PathBuf::from);
    files
        .map(|file| path(file).map_err(|_| unclear()))
        .collect()
}

/// The files of an option that is printed as it was given, a file a line.
pub(super) fn files(
    settings: &Settings,
    option: &str,
    tokens: &Tokens<'_>,
) -> Result<Vec<PathBuf>, Unserved> {
    let is_file = |value: &&String| !value.eq_ignore_ascii_case("none");
    let path = |value: &String| {
        let value = without_tilde(value, &tokens.account.home)?;
        Ok::<_, String>(PathBuf::from(tokens.expand(&value, true)?))
    };
    let values = settings.all(option).iter().filter(is_file);
    values
        .map(|value| path(value).map_err(|_| Unserved::of(option, value)))
        .collect()
}

/// A number of seconds; none for `none` and 0.
pub(super) fn seconds(value: Option<&str>) -> Option<Duration> {
    let seconds: u64 = value?.parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Whether a flag is set, in the words of all versions of ssh.
pub(super) fn is_set(value: Option<&str>) -> bool {
    matches!(value, Some("yes" | "true"))
}
