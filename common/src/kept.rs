//! Files in which a daemon keeps what it knows over a restart, read within a bound: what is on the disk may be damaged, or anybody's.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Its bytes, none if there is no file. Of one that is larger than `most` no more is read than one byte above that.
pub fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
