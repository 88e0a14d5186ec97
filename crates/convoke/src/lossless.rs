//! Bytes in JSON, of which nothing is lost: text where they are UTF-8, else base64 under another name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// What a field's name ends with when its value is base64.
const SUFFIX: &str = "_base64";

/// A field of an object: `NAME` with text, or `NAME_base64`.
pub(crate) fn field<M: SerializeMap>(
    map: &mut M,
    name: &str,
    bytes: &[u8],
) -> Result<(), M::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => map.serialize_entry(name, text),
        Err(_) => map.serialize_entry(&format!("{name}{SUFFIX}"), &STANDARD.encode(bytes)),
    }
}

/// A field of an object that may be absent: `null` then.
pub(crate) fn optional<M: SerializeMap>(
    map: &mut M,
    name: &str,
    bytes: Option<&[u8]>,
) -> Result<(), M::Error> {
    match bytes {
        Some(bytes) => field(map, name, bytes),
        None => map.serialize_entry(name, &()),
    }
}

/// What is all of a value: one field, `text` or `base64`.
pub(crate) fn whole<M: SerializeMap>(map: &mut M, bytes: &[u8]) -> Result<(), M::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => map.serialize_entry("text", text),
        Err(_) => map.serialize_entry("base64", &STANDARD.encode(bytes)),
    }
}

/// An element of a list, or a value whose name is not ours: a string, or an object with the one field
/// `base64`.
pub(crate) struct Element<'a>(pub(crate) &'a [u8]);

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &STANDARD.encode(self.0))?;
                map.end()
            }
        }
    }
}
