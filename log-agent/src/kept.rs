//! Files in which the daemon keeps what it knows over a restart: read within a bound, and put aside when they are damaged.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

pub use common::kept::read;

/// Puts a file aside that cannot be read, as evidence; one that is not there is none.
pub fn put_aside(path: &Path) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".bad");
    match fs::rename(path, aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
