//! The spool: segments in a directory, and the books of what in them is acknowledged.
//!
//! Two locks. `writer` is held by the one who appends, over its disk writes. `ledger` is held for moments only, never over IO, so
//! that the sender's async thread may take it. Files are read and removed without either: a segment's bytes never change once the
//! ledger tells of them.

use super::ledger::{Chunk, Ledger, Segment, Waiting};
use super::position::{self, Position};
use super::record::{HEADER, Header};
use super::segment::{self, Appender, Measured, Reader, Source};
use super::{Error, Settings};
use crate::logging::Episode;
use crate::metric::Batch;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Largest segment, unless one batch is larger.
const SEGMENT: u64 = 8 << 20;
/// Smallest largest segment, however small the cap is.
const SMALLEST_SEGMENT: u64 = 64 << 10;
/// Most bytes kept in memory while the disk takes nothing.
const MEMORY: u64 = 8 << 20;
/// The position is written at most this often.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    cap: u64,
    segment: u64,
    writer: Mutex<Writer>,
    ledger: Mutex<Ledger>,
    saved: Mutex<Saved>,
    /// Why the disk takes nothing at the moment.
    trouble: Mutex<Option<String>>,
    /// Locked as long as the spool is open, against a second process.
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    active: Option<Appender>,
    id: u64,
    /// Points were dropped at the cap and the spool has not been half empty since: said already.
    capped: bool,
    /// Points were dropped from memory, in this disk failure: said already.
    overflowed: bool,
}

#[derive(Debug)]
struct Saved {
    at: Option<Instant>,
    saving: Episode,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // nobody leaves either half-changed: a panic elsewhere is no reason to stop
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spool {
    /// Opens the directory, makes it if needed, and takes stock of what an earlier run left.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let dir = settings.dir.clone();
        let io = |source| Error::Spool { path: dir.clone(), source };
        fs::create_dir_all(&dir).map_err(io)?;
        let lock = File::create(dir.join("lock")).map_err(io)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(e) if e == rustix::io::Errno::WOULDBLOCK => return Err(Error::InUse { path: dir }),
            locked => locked.map_err(|e| io(e.into()))?,
        }
        let mut ledger = Ledger::new(settings.replay_window);
        let settled = position::load(&dir).unwrap_or_else(|e| {
            let path = dir.display();
            tracing::warn!(%path, "the spool's position cannot be read, all of it is sent again: {e}");
            ledger.counts.damaged_records += 1;
            None
        });
        let settled = settled.unwrap_or_default();
        let files = segment::list(&dir).map_err(io)?;
        let newest = files.last().map_or(0, |(id, _)| *id);
        for (id, size) in files {
            take_stock(&dir, &mut ledger, settled, id, size);
        }
        let waiting = ledger.waiting_points();
        if waiting > 0 {
            tracing::info!(points = waiting, path = %dir.display(), "the spool has points to send");
        }
        let id = newest.max(settled.segment);
        Ok(Self {
            cap: settings.spool_max,
            segment: (settings.spool_max / 8).clamp(SMALLEST_SEGMENT, SEGMENT),
            // always a new segment: the old ones may end in anything
            writer: Mutex::new(Writer { active: None, id, capped: false, overflowed: false }),
            ledger: Mutex::new(ledger),
            saved: Mutex::new(Saved { at: None, saving: Episode::new("the spool's position") }),
            trouble: Mutex::default(),
            _lock: lock,
            dir,
        })
    }

    /// The books, for a moment.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Why the disk takes nothing at the moment.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Takes a batch in: on disk (the page cache) if it can be, else in memory.
    pub fn append(&self, batch: &Batch) {
        if batch.lines.is_empty() {
            return;
        }
        let mut writer = lock(&self.writer);
        let records = segment::records(batch.timestamp, &batch.lines);
        let points = records.iter().map(|(h, _)| u64::from(h.points)).sum();
        let size = records.iter().map(|(h, _)| h.size()).sum();
        // what is in memory comes first: order is kept
        let stored = self
            .store_memory(&mut writer)
            .and_then(|()| self.write(&mut writer, size, |a| a.append(&records)));
        match stored {
            Ok(end) => {
                self.ledger().appended(writer.id, end, points, batch.timestamp);
                writer.overflowed = false;
                if lock(&self.trouble).take().is_some() {
                    tracing::info!(path = %self.dir.display(), "the spool's disk takes batches again");
                }
            }
            Err(e) => self.remember(&mut writer, &e, batch.timestamp, &records, points),
        }
    }

    /// Writes at the end of the active segment, or of a new one. Returns where it ends then.
    fn write(
        &self,
        writer: &mut Writer,
        size: u64,
        write: impl Fn(&mut Appender) -> io::Result<()>,
    ) -> io::Result<u64> {
        if writer.active.as_ref().is_some_and(|a| a.end() + size > self.segment) {
            writer.active = None;
            self.ledger().close_active();
        }
        self.make_room(writer, size);
        if let Some(active) = &mut writer.active {
            return write(active).map(|()| active.end());
        }
        writer.id += 1;
        let mut active = Appender::create(&self.dir, writer.id)?;
        if let Err(e) = write(&mut active) {
            self.remove(writer.id);
            return Err(e);
        }
        let end = active.end();
        writer.active = Some(active);
        Ok(end)
    }

    fn make_room(&self, writer: &mut Writer, size: u64) {
        let (dropped, points) = {
            let mut ledger = self.ledger();
            let before = ledger.counts.dropped_at_cap;
            let dropped = ledger.make_room(size, self.cap);
            if dropped.is_empty() && ledger.disk_bytes() < self.cap / 2 {
                writer.capped = false;
            }
            (dropped, ledger.counts.dropped_at_cap - before)
        };
        for id in dropped {
            self.remove(id);
        }
        if points > 0 && !std::mem::replace(&mut writer.capped, true) {
            let (path, cap) = (self.dir.display(), self.cap);
            tracing::warn!(%path, cap, points, "the spool is at its cap: the oldest points are dropped, and counted, until Graphite takes them");
        }
    }

    /// Puts what is in memory on disk, oldest first.
    fn store_memory(&self, writer: &mut Writer) -> io::Result<()> {
        loop {
            let Some((id, bytes)) = self.ledger().in_memory() else { return Ok(()) };
            // it keeps its number, and with it its place in the order
            writer.active = None;
            self.make_room(writer, bytes.len() as u64);
            let mut file = Appender::create(&self.dir, id)?;
            if let Err(e) = file.append_encoded(&bytes) {
                self.remove(id);
                return Err(e);
            }
            if !self.ledger().stored(id) {
                self.remove(id);
            }
        }
    }

    fn remember(
        &self,
        writer: &mut Writer,
        cause: &io::Error,
        timestamp: u64,
        records: &[(Header, &[u8])],
        points: u64,
    ) {
        let mut bytes = Vec::with_capacity(records.iter().map(|(_, p)| HEADER + p.len()).sum());
        for (header, payload) in records {
            bytes.extend_from_slice(&header.encode());
            bytes.extend_from_slice(payload);
        }
        writer.active = None;
        writer.id += 1;
        let lost = {
            let mut ledger = self.ledger();
            let lost = ledger.make_memory_room(bytes.len() as u64, MEMORY);
            ledger.remembered(writer.id, bytes, points, timestamp);
            lost
        };
        let path = self.dir.display();
        let told = lock(&self.trouble).replace(format!("{path}: {cause}")).is_some();
        if !told {
            tracing::warn!(%path, "the spool's disk takes nothing ({cause}): batches are kept in memory, up to {MEMORY} bytes");
        }
        if lost > 0 && !std::mem::replace(&mut writer.overflowed, true) {
            tracing::warn!(
                points = lost,
                "disk and memory are full: the oldest points are dropped, and counted, until either has room"
            );
        }
    }

    /// Hands out what to send next. Blocks on the disk. A place that cannot be read is passed, at once if it is damaged, after some
    /// attempts if reading fails.
    pub fn take(&self) -> io::Result<Option<(Chunk, Reader)>> {
        loop {
            let Some(Waiting { at, end, memory }) = self.ledger().waiting() else {
                return Ok(None);
            };
            let source = match memory {
                Some(bytes) => Ok(Source::Memory(bytes)),
                None => Source::open(&self.dir, at.segment),
            };
            let read = source.and_then(|s| Ok((s.measure(at.offset, end)?, s)));
            let path = segment::path(&self.dir, at.segment);
            let mut ledger = self.ledger();
            if ledger.waiting().is_none_or(|w| w.at != at) {
                continue; // dropped at the cap meanwhile
            }
            match read {
                Ok((Measured::Chunk { to, points, timestamp, following }, source)) => {
                    let (segment, from) = (at.segment, at.offset);
                    let chunk = Chunk { segment, from, to, points, timestamp, following };
                    if ledger.take(chunk) {
                        return Ok(Some((chunk, Reader::new(source, from, to))));
                    }
                }
                Ok((Measured::Damaged { resume }, _)) => {
                    ledger.skip(at, resume);
                    drop(ledger);
                    let (path, bytes) = (path.display(), resume - at.offset);
                    tracing::warn!(%path, offset = at.offset, bytes, "a damaged place in the spool is left out");
                }
                Err(e) if ledger.unreadable(at) => {
                    ledger.skip(at, end);
                    drop(ledger);
                    let path = path.display();
                    tracing::warn!(%path, "cannot be read, its rest is left out: {e}");
                }
                Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            }
        }
    }

    /// Removes what is settled and writes the position down, now and then or `now`. Blocks on the disk.
    pub fn save(&self, now: bool) {
        let (settled, done) = {
            let mut ledger = self.ledger();
            (ledger.settled(), ledger.take_settled())
        };
        for id in done {
            self.remove(id);
        }
        let mut saved = lock(&self.saved);
        let due = now || saved.at.is_none_or(|at| at.elapsed() >= SAVE_EVERY);
        let Some(settled) = settled.filter(|_| due) else { return };
        saved.at = Some(Instant::now());
        match position::save(&self.dir, settled) {
            Ok(_) => saved.saving.recovered(),
            Err(e) => saved
                .saving
                .failed(&format_args!("not kept, a restart will send more than needed: {e}")),
        }
    }

    fn remove(&self, id: u64) {
        remove(&segment::path(&self.dir, id));
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            let path = path.display();
            tracing::warn!(%path, "cannot be removed, it takes space until the next start: {e}");
        }
        _ => {}
    }
}

/// Enters one segment of an earlier run into the books.
fn take_stock(dir: &Path, ledger: &mut Ledger, settled: Position, id: u64, size: u64) {
    let path = segment::path(dir, id);
    if id < settled.segment {
        return remove(&path);
    }
    let from = if id == settled.segment { settled.offset.min(size) } else { 0 };
    let scanned = Source::open(dir, id).and_then(|s| segment::scan(&s, from, size));
    let scan = match scanned {
        Ok(scan) => scan,
        Err(e) => {
            ledger.counts.damaged_records += 1;
            return tracing::warn!(path = %path.display(), "cannot be read, left where it is: {e}");
        }
    };
    if scan.torn {
        ledger.counts.damaged_records += 1;
        let bytes = size - scan.end;
        tracing::warn!(path = %path.display(), bytes, "the last record is not whole, it is cut off");
    }
    if scan.points == 0 {
        return remove(&path);
    }
    if scan.torn {
        // should it fail, the books end there all the same
        drop(File::options().write(true).open(&path).and_then(|f| f.set_len(scan.end)));
    }
    ledger.found(Segment {
        id,
        end: scan.end,
        points: scan.points,
        acked_to: from,
        acked_points: 0,
        oldest: scan.first,
        memory: None,
    });
}

#[cfg(test)]
mod tests;
