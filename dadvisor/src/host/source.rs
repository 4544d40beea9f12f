//! One source of figures: its last two readings, and what went wrong. Also the one way a kernel file is read here.

use common::logging::Episode;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Most bytes read of one kernel file. `/proc/stat` of 1,000 processors and `mountinfo` with 20,000 mounts are below it.
const MAX_FILE: u64 = 8 << 20;

/// Why a source gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel file could not be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
    /// The kernel file is larger than anything known.
    #[error("{} has more than {MAX_FILE} bytes, which no known kernel writes; not used", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The kernel file is not in the expected form.
    #[error("{}: {problem}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What was expected.
        problem: String,
    },
    /// A file system did not answer.
    #[error("cannot ask the file system at {}: {error}", mount.display())]
    Statvfs {
        /// Its mount point.
        mount: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
}

/// How often a source has failed, and the last cause.
#[derive(Debug, Default)]
pub struct Failures {
    /// Failed readings since start.
    pub total: u64,
    /// Why the last reading failed; `None` when it did not.
    pub last: Option<Error>,
}

/// The reading before the last one, and the time between them.
#[derive(Debug)]
pub(super) struct Before<'a, T> {
    /// The earlier reading.
    pub was: &'a T,
    /// Seconds from it to the last one, above 0.
    pub seconds: f64,
}

impl<T> Before<'_, T> {
    /// Growth per second of one counter; none if it fell.
    pub fn rate(&self, was: u64, now: u64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a rate is an approximation")]
        now.checked_sub(was).map(|grown| grown as f64 / self.seconds)
    }
}

/// Two readings of one source.
#[derive(Debug)]
pub(super) struct Source<T> {
    name: &'static str,
    now: Option<(Instant, T)>,
    before: Option<(Instant, T)>,
    failures: Failures,
    reading: Episode,
}

impl<T> Source<T> {
    pub fn new(name: &'static str) -> Self {
        let reading = Episode::new(format!("the node's {name}"));
        Self { name, now: None, before: None, failures: Failures::default(), reading }
    }

    /// Takes a reading made at `at`: `Ok(None)` is "this host has no such thing", which is no failure.
    pub fn take(&mut self, at: Instant, reading: Result<Option<T>, Error>) {
        match reading {
            Ok(reading) => self.take_part(at, reading, None),
            Err(error) => self.take_part(at, None, Some(error)),
        }
    }

    /// Like [`Source::take`], for a source of several files: what could be read, and why the rest could not.
    pub fn take_part(&mut self, at: Instant, reading: Option<T>, error: Option<Error>) {
        if let Some(now) = self.now.take() {
            self.before = Some(now);
        }
        self.now = reading.map(|reading| (at, reading));
        match &error {
            Some(error) => self.reading.failed(error),
            None => self.reading.recovered(),
        }
        self.failures.total += u64::from(error.is_some());
        self.failures.last = error;
    }

    /// Hands out the last reading, if there is one, with the one before it.
    pub fn each(&self, mut emit: impl FnMut(&T, Option<&Before<'_, T>>)) {
        let Some((at, now)) = &self.now else { return };
        let before = self.before.as_ref().and_then(|(was_at, was)| {
            let seconds = at.checked_duration_since(*was_at)?.as_secs_f64();
            (seconds > 0.0).then_some(Before { was, seconds })
        });
        emit(now, before.as_ref());
    }

    pub fn failures(&self) -> (&'static str, &Failures) {
        (self.name, &self.failures)
    }
}

/// Reads a kernel file as text (foreign bytes replaced) and parses it. Absent, or switched off in this kernel, is `None`.
pub(super) fn parsed<T>(
    path: PathBuf,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, Error> {
    let Some(text) = text(&path)? else { return Ok(None) };
    match parse(&text) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(problem) => Err(Error::Parse { path, problem }),
    }
}

/// Like [`parsed`], for files that every Linux has: absent is an error.
pub(super) fn needed<T>(
    path: PathBuf,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, Error> {
    match parsed(path.clone(), parse) {
        Ok(None) => Err(Error::Read { path, error: ErrorKind::NotFound.into() }),
        other => other,
    }
}

/// A kernel file as text, foreign bytes replaced; `None` when it is absent or not supported by this kernel.
fn text(path: &Path) -> Result<Option<String>, Error> {
    Ok(bytes(path)?.map(|bytes| match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }))
}

/// A kernel file, `None` when it is absent or not supported by this kernel.
pub(super) fn bytes(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    Ok(file(path)?.map(|(_, bytes)| bytes))
}

/// Like [`bytes`], with the file still open.
pub(super) fn file(path: &Path) -> Result<Option<(File, Vec<u8>)>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        (&file).take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok(file)
    });
    match read {
        Ok(_) if bytes.len() as u64 > MAX_FILE => Err(Error::TooLarge { path: path.to_owned() }),
        Ok(file) => Ok(Some((file, bytes))),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(Error::Read { path: path.to_owned(), error }),
    }
}

/// Not there, or compiled in and switched off (PSI answers `EOPNOTSUPP`).
fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error())
}
