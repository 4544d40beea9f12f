//! What every line of a file says about where it comes from, encoded once. Pure.
//!
//! The headers of an event: `dc`, `node`, `app`, `instance`, `file` (the name as shown, see [`crate::name`]), `timestamp` (when it was read,
//! Unix milliseconds), `offset` (its first byte in the file), and on the pieces of a cut line `part` (`first`, `middle`, `last`). Headers are
//! the largest cost of an event in Flume's memory channel: there are no others.

use super::avro::{put_bytes, put_length};
use xxhash_rust::xxh3::xxh3_64;

/// Longest value, in bytes; a container chooses its labels and the names of its files.
pub const LONGEST: usize = 1_024;

/// The headers that are the same for every line of a file under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Entries of an Avro map, up to and with the key of the timestamp, whose value comes next.
    entries: Vec<u8>,
}

impl Labels {
    /// How many headers a line has that was not cut.
    pub(super) const HEADERS: usize = 7;

    /// Of a file of an instance. A value above [`LONGEST`] is cut and ends with `~` and a hash of the whole.
    pub fn new(dc: &str, node: &str, app: &str, instance: &str, file_shown: &str) -> Self {
        let mut entries = Vec::new();
        for (key, value) in
            [("dc", dc), ("node", node), ("app", app), ("instance", instance), ("file", file_shown)]
        {
            put_bytes(&mut entries, key.as_bytes());
            put_value(&mut entries, value);
        }
        put_bytes(&mut entries, b"timestamp");
        Self { entries }
    }

    pub(super) fn entries(&self) -> &[u8] {
        &self.entries
    }
}

fn put_value(out: &mut Vec<u8>, value: &str) {
    if value.len() <= LONGEST {
        return put_bytes(out, value.as_bytes());
    }
    let hash = format!("~{:016x}", xxh3_64(value.as_bytes()));
    let mut end = LONGEST - hash.len();
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    put_length(out, end + hash.len());
    out.extend_from_slice(&value.as_bytes()[..end]);
    out.extend_from_slice(hash.as_bytes());
}
