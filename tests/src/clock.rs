//! Another wall clock for a process: libfaketime, with an offset that a test changes while it runs.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The library to preload.
pub fn library() -> Result<PathBuf> {
    let places =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found = places.iter().map(|dir| PathBuf::from(dir).join("faketime/libfaketime.so.1"));
    found
        .into_iter()
        .find(|path| path.exists())
        .context("no libfaketime here: apt-get install faketime")
}

/// Sets the clock off by so many seconds, at once: a clock read from a half-written file would be another step.
pub fn set(file: &Path, offset: i64) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, format!("{offset:+}\n"))?;
    Ok(fs::rename(&new, file)?)
}
