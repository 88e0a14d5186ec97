//! Where a program may be, by its name and its own `PATH`.

use std::ffi::{CStr, CString};

use bstr::BString;

/// The longest path the kernel takes, with its end.
pub(super) const PATH_MAX: usize = libc::PATH_MAX as usize;

/// Where `execvp` looks when there is no `PATH`.
pub(crate) const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// How many bytes of tried paths an answer names at most; neither a long `PATH` nor a
/// long directory may fill a frame.
pub(super) const MAX_TRIED: usize = 16 * 1024;

/// One place where a program may be.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The name itself says where.
    Direct,
    /// This directory.
    In(&'a [u8]),
}

impl Place<'_> {
    /// Writes the path of `name` here, with its end; `false` when it does not fit.
    pub(super) fn join(self, name: &[u8], buffer: &mut [u8; PATH_MAX]) -> bool {
        let parts = match self {
            Place::Direct | Place::In(b"") => [b"".as_slice(), b"", name],
            Place::In(directory) => [directory, b"/", name],
        };
        let mut length = 0;
        for part in parts.iter().chain([&b"\0".as_slice()]) {
            let Some(room) = buffer.get_mut(length..length + part.len()) else {
                return false;
            };
            room.copy_from_slice(part);
            length += part.len();
        }
        true
    }
}

/// Where a program of this name may be, in order.
pub(super) fn candidates<'a>(name: &[u8], path: &'a [u8]) -> impl Iterator<Item = Place<'a>> {
    let direct = name.is_empty() || name.contains(&b'/');
    let searched = path.split(|byte| *byte == b':').map(Place::In);
    let searched = searched.take(if direct { 0 } else { usize::MAX });
    direct.then_some(Place::Direct).into_iter().chain(searched)
}

/// The first `count` paths that were tried, as many as an answer holds.
pub(super) fn tried_paths(name: &[u8], path: &[u8], count: usize) -> Vec<BString> {
    let mut room = MAX_TRIED;
    let mut buffer = [0; PATH_MAX];
    let mut tried = Vec::new();
    for place in candidates(name, path).take(count) {
        let whole = match place.join(name, &mut buffer) {
            true => CStr::from_bytes_until_nul(&buffer).map_or(name, CStr::to_bytes),
            false => name,
        };
        let Some(left) = room.checked_sub(whole.len()) else {
            break;
        };
        room = left;
        tried.push(whole.into());
    }
    tried
}

/// The program's own `PATH`; as for the program itself, the first one counts.
pub(super) fn search_path(env: &[CString]) -> &[u8] {
    let path = env
        .iter()
        .find_map(|pair| pair.as_bytes().strip_prefix(b"PATH="));
    path.unwrap_or(DEFAULT_PATH)
}
