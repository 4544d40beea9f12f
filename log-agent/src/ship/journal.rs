//! What was acknowledged, on disk: where each file goes on after a restart, whatever ended the process.
//!
//! What is known is in memory; the file is the log of how it came about (`record`). A record is appended after each acknowledgement, so that
//! kill -9 loses none; a thread of its own has the disk keep them, at most every 200 ms for all files together, so that a power cut repeats
//! lines and loses none. A log that grew is replaced by a short one: temporary file, fsync, rename, fsync of the directory. A damaged file
//! counts as far as it is good. A disk that takes nothing stops no shipping: it is said, and what is known is written whole when it can be.

mod record;

use crate::files::Known;
use common::atomic_file;
use common::logging::Episode;
use record::{Entries, Entry};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Least time between two syncs.
const SYNC: Duration = Duration::from_millis(200);
/// A journal below this is not worth replacing.
const SMALL: usize = 1 << 20;
/// Above so many times its short form it is replaced.
const GROWN: usize = 4;
/// Between two tries to write to a disk that took nothing.
const AGAIN: Duration = Duration::from_secs(1);
/// More is no journal of ours.
const LARGEST: u64 = 1 << 30;

/// Why there is no journal. Without one nothing is shipped.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory or a file in it.
    #[error("cannot {step} {path}: {source}; check its rights and the free space", path = .path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The new file could not be put in place.
    #[error(transparent)]
    Replace(#[from] atomic_file::Error),
    /// Somebody else has it.
    #[error("{path}: another log-agent has this journal open; stop it, or give this one a state_dir of its own", path = .0.display())]
    InUse(PathBuf),
    /// A later log-agent wrote it.
    #[error("{path}: version {version} of the journal, and this log-agent reads {ours}: install the later one again, or move the file away and have every file shipped from its first byte", path = .path.display(), ours = record::VERSION)]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        version: u32,
    },
}

/// How the journal is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalFigures {
    /// Files known.
    pub files: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes that were damaged when it was opened.
    pub damaged_bytes: u64,
    /// How often it was replaced by a short one.
    pub compactions: u64,
    /// Writes and syncs that failed.
    pub failures: u64,
    /// Why the last one failed, while that lasts.
    pub failure: Option<String>,
}

/// See the module. Dropping it writes and syncs what is left.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    syncing: Option<JoinHandle<()>>,
    /// Locked as long as the journal is open, against a second process.
    _lock: File,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    inner: Mutex<Inner>,
    bell: Condvar,
}

#[derive(Debug)]
struct Inner {
    entries: Entries,
    /// None after a write failed: its end may be torn, so the whole is written anew.
    file: Option<Arc<File>>,
    len: usize,
    short_len: usize,
    again: Instant,
    unsynced: bool,
    closed: bool,
    trouble: Episode,
    figures: JournalFigures,
    scratch: Vec<u8>,
}

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // nobody leaves it half-changed: a panic elsewhere is no reason to stop
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Opens the journal in a directory, or begins one; with it, what is known of each file.
    pub fn open(dir: &Path) -> Result<(Self, Vec<Known>), JournalError> {
        fs::create_dir_all(dir).map_err(fault("create", dir))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(fault("create", &lock_path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(e) if e == rustix::io::Errno::WOULDBLOCK => {
                return Err(JournalError::InUse(lock_path));
            }
            locked => locked.map_err(|e| fault("lock", &lock_path)(e.into()))?,
        }
        let path = dir.join("journal");
        let bytes = contents(&path)?;
        let read = record::read(&bytes);
        if let Some(version) = read.foreign {
            return Err(JournalError::Version { path, version });
        }
        let damaged = bytes.len() - read.good;
        if damaged > 0 {
            let files = read.entries.files.len();
            tracing::warn!(
                "{}: damaged after {} bytes, the {damaged} behind them do not count; {files} files go on from what was good, and lines may be shipped twice",
                path.display(),
                read.good
            );
        }
        let mut inner = Inner {
            entries: read.entries,
            file: None,
            len: 0,
            short_len: 0,
            again: Instant::now(),
            unsynced: false,
            closed: false,
            trouble: Episode::new(format!("journal {}", path.display())),
            figures: JournalFigures { damaged_bytes: damaged as u64, ..Default::default() },
            scratch: Vec::new(),
        };
        // a good one, or what is good of it, without what is superseded
        inner.replace(&path)?;
        let known = inner.entries.files.values().map(|entry| entry.known.clone()).collect();
        let shared = Arc::new(Shared { path, inner: Mutex::new(inner), bell: Condvar::new() });
        let of_thread = shared.clone();
        let syncing = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || sync(&of_thread))
            .map_err(fault("start the thread that syncs", dir))?;
        Ok((Self { shared, syncing: Some(syncing), _lock: lock }, known))
    }

    /// Writes down how far files were acknowledged. It blocks for a write to the page cache, now and then for a short file.
    pub fn record(&self, acknowledged: impl IntoIterator<Item = Known>) {
        let mut inner = self.shared.inner();
        for known in acknowledged {
            inner.note(known);
        }
        let was_synced = !inner.unsynced;
        inner.write(&self.shared.path, Instant::now());
        let first = was_synced && inner.unsynced;
        drop(inner);
        if first {
            self.shared.bell.notify_one();
        }
    }

    /// Forgets the files that are gone; how many.
    pub fn retain(&self, mut keep: impl FnMut(&Known) -> bool) -> usize {
        let mut inner = self.shared.inner();
        let Inner { entries, scratch, .. } = &mut *inner;
        let before = entries.files.len();
        entries.files.retain(|_, entry| {
            let kept = keep(&entry.known);
            if !kept {
                record::forgotten(entry.id, scratch);
            }
            kept
        });
        let forgotten = before - entries.files.len();
        inner.write(&self.shared.path, Instant::now());
        forgotten
    }

    /// Waits until the disk has all of it.
    pub fn sync(&self) {
        let mut inner = self.shared.inner();
        (inner.again, inner.unsynced) = (Instant::now(), false);
        inner.write(&self.shared.path, Instant::now());
        let file = inner.file.clone();
        drop(inner);
        if let Some(Err(error)) = file.map(|file| file.sync_data()) {
            let mut inner = self.shared.inner();
            inner.file = None;
            inner.failed(&fault("sync", &self.shared.path)(error));
        }
    }

    /// The directory it is in.
    pub fn dir(&self) -> &Path {
        self.shared.path.parent().unwrap_or(Path::new("."))
    }

    /// How it is.
    pub fn figures(&self) -> JournalFigures {
        let inner = self.shared.inner();
        let (files, bytes) = (inner.entries.files.len(), inner.len as u64);
        JournalFigures { files, bytes, ..inner.figures.clone() }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        {
            let mut inner = self.shared.inner();
            inner.again = Instant::now();
            inner.write(&self.shared.path, Instant::now());
            inner.closed = true;
        }
        self.shared.bell.notify_one();
        if let Some(Err(_)) = self.syncing.take().map(JoinHandle::join) {
            tracing::error!("the thread that syncs the journal had panicked: this is a bug");
        }
    }
}

impl Inner {
    /// Takes in how far a file was acknowledged, and makes its record.
    fn note(&mut self, known: Known) {
        let key = (known.identity.dev, known.identity.ino);
        match self.entries.files.get_mut(&key) {
            Some(Entry { known: old, .. }) if *old == known => {}
            Some(Entry { id, known: old })
                if old.identity == known.identity && old.name == known.name =>
            {
                old.mark = known.mark;
                record::moved(*id, known.mark, &mut self.scratch);
            }
            Some(entry) => {
                entry.known = known;
                record::whole(entry.id, &entry.known, &mut self.scratch);
            }
            None => {
                let id = self.entries.next_id;
                self.entries.next_id += 1;
                record::whole(id, &known, &mut self.scratch);
                self.entries.files.insert(key, Entry { id, known });
            }
        }
    }

    /// Appends the records made; a whole new file where that failed before, or the log grew long.
    fn write(&mut self, path: &Path, now: Instant) {
        if self.scratch.is_empty() && self.file.is_some() {
            return;
        }
        let appended = match &self.file {
            Some(file) if self.len + self.scratch.len() <= SMALL.max(self.short_len * GROWN) => {
                (&**file).write_all(&self.scratch).map_err(fault("append to", path))
            }
            None if now < self.again => {
                self.scratch.clear();
                return;
            }
            _ => self.replace(path),
        };
        match appended {
            Ok(()) => {
                self.len += self.scratch.len();
                self.unsynced |= !self.scratch.is_empty();
                self.worked();
            }
            Err(error) => {
                self.file = None;
                self.again = now + AGAIN;
                self.failed(&error);
            }
        }
        self.scratch.clear();
    }

    /// Puts a short journal in place of what is there.
    fn replace(&mut self, path: &Path) -> Result<(), JournalError> {
        let bytes = record::compact(&mut self.entries);
        atomic_file::write(path, &bytes)?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(fault("open for appending", path))?;
        self.file = Some(Arc::new(file));
        self.figures.compactions += 1;
        (self.len, self.short_len) = (bytes.len(), bytes.len());
        // it has what they say
        self.scratch.clear();
        Ok(())
    }

    fn failed(&mut self, error: &dyn std::fmt::Display) {
        self.figures.failures += 1;
        self.figures.failure = Some(error.to_string());
        self.trouble.failed(error);
    }

    fn worked(&mut self) {
        self.figures.failure = None;
        self.trouble.recovered();
    }
}

/// Has the disk keep what was written; never more often than it must.
fn sync(shared: &Shared) {
    let mut inner = shared.inner();
    loop {
        while !inner.unsynced && !inner.closed {
            inner = shared.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let (file, closed) = (inner.file.clone(), inner.closed);
        if !std::mem::take(&mut inner.unsynced) && closed {
            return;
        }
        drop(inner);
        let synced = file.map_or(Ok(()), |file| file.sync_data());
        inner = shared.inner();
        if let Err(error) = synced {
            // after a failed sync nobody knows what the disk has: written whole again
            inner.file = None;
            inner.failed(&fault("sync", &shared.path)(error));
        }
        let until = Instant::now() + SYNC;
        while !inner.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = shared.bell.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, JournalError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(fault("read", path))?;
    Ok(bytes)
}

fn fault(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { step, path, source }
}

#[cfg(test)]
mod tests;
