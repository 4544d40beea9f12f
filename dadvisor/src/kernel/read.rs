//! The only place that opens kernel files on the way of a sample.
//!
//! A group's directories are held as `O_PATH` descriptors (0.8 KiB of kernel memory each); a file is one `openat`, one `read` into a
//! buffer used by all, one `close`. One read gives a whole cgroup file as long as the buffer is large enough; lists
//! (`cgroup.procs`, `/proc/PID/net/*`) are read to their end. For ticks of 2 s and less the hot files themselves stay open and are read
//! by one `pread` (4.6 KiB of kernel memory each). `/proc/PID/net/*` is never held: that would keep the network namespace alive.
//! Nothing is allocated once a group is open.

pub mod budget;
pub mod files;
pub mod stats;
pub mod table;
pub(crate) mod walk;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, pread, read, retry_on_intr};
use std::ffi::CStr;

use budget::Budget;
use stats::{Cause, Family, ReadStats};

/// Size of the buffer: far above any cgroup file, so that one read is all of it.
pub const BUFFER: usize = 64 * 1024;

/// Most bytes read of a file that has no bound (`net/tcp`): about 100,000 sockets.
pub const MAX_PIECES: usize = 16 * 1024 * 1024;

/// Flags of an `O_PATH` directory.
pub(crate) const PATH_DIR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NOCTTY);

/// The buffer, what is counted about reading, and how many descriptors may be held.
#[derive(Debug)]
pub struct Reader {
    buffer: Box<[u8]>,
    /// Files, time and trouble so far.
    pub stats: ReadStats,
    pub(crate) budget: Budget,
}

impl Reader {
    /// With a budget of descriptors that may be held.
    pub fn new(budget: Budget) -> Self {
        Self { buffer: vec![0; BUFFER].into_boxed_slice(), stats: ReadStats::default(), budget }
    }

    /// Opens a file that is read now, and counts it.
    fn open(&mut self, dir: BorrowedFd<'_>, name: &CStr, family: Family) -> Result<OwnedFd, Errno> {
        let file = open_file(dir, name)?;
        self.stats.file(family);
        Ok(file)
    }

    /// What the last read of this length gave.
    pub fn text(&self, len: usize) -> &[u8] {
        self.buffer.get(..len).unwrap_or(&[])
    }

    /// Opens, reads once, closes. The length is to be given to [`Reader::text`].
    pub fn once(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        family: Family,
    ) -> Result<usize, Errno> {
        let file = self.open(dir, name, family)?;
        let len = retry_on_intr(|| read(&file, &mut self.buffer[..]))?;
        Ok(self.checked(len, family, name))
    }

    /// Opens, reads to the end, closes.
    pub fn to_end(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        family: Family,
    ) -> Result<usize, Errno> {
        let file = self.open(dir, name, family)?;
        let mut len = 0;
        while len < self.buffer.len() {
            match retry_on_intr(|| read(&file, &mut self.buffer[len..]))? {
                0 => return Ok(len),
                more => len += more,
            }
        }
        Ok(self.checked(len, family, name))
    }

    /// Opens, gives the file piece by piece, closes. True if that was all, false if [`MAX_PIECES`] came first.
    pub fn pieces(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        family: Family,
        mut each: impl FnMut(&[u8]),
    ) -> Result<bool, Errno> {
        let file = self.open(dir, name, family)?;
        let mut total = 0;
        while total < MAX_PIECES {
            let len = retry_on_intr(|| read(&file, &mut self.buffer[..]))?;
            if len == 0 {
                return Ok(true);
            }
            each(self.text(len));
            total += len;
        }
        self.stats.count(family, Cause::Cut, || {
            format!("{name:?} goes on beyond {MAX_PIECES} bytes: its figures are left out")
        });
        Ok(false)
    }

    /// Reads a file that is held open.
    fn held(&mut self, file: &OwnedFd, name: &CStr, family: Family) -> Result<usize, Errno> {
        self.stats.file(family);
        let len = retry_on_intr(|| pread(file, &mut self.buffer[..], 0))?;
        Ok(self.checked(len, family, name))
    }

    /// A file that fills the buffer goes on beyond it: the collectors leave its last, cut line out.
    fn checked(&mut self, len: usize, family: Family, name: &CStr) -> usize {
        if len == self.buffer.len() {
            self.stats.count(family, Cause::Cut, || {
                format!("{name:?} is longer than {BUFFER} bytes: the rest is left out")
            });
        }
        len
    }
}

/// Opens a directory to look into later, without reading it.
pub(crate) fn open_dir(dir: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(dir, name, PATH_DIR, Mode::empty())
}

/// Opens a file.
fn open_file(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(dir, name, FILE, Mode::empty())
}
