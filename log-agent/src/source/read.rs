//! Reading a source at an offset.

use super::{Place, Source, State};
use crate::beneath::Refused;
use crate::identity::{HASHED, Mark};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// So many NUL bytes in a row are no text: a hole, or what a writer left that did not notice a truncation.
const NULS: usize = 64;

/// What a proven read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many bytes; 0 is the end as it is now.
    Bytes(usize),
    /// Nothing but NUL bytes (a hole) up to this offset: skip them, count them.
    Skip {
        /// The first byte that is something.
        to: u64,
    },
    /// The file was truncated or rewritten: take [`Source::start`] anew when the tide tells of the next generation.
    Restart,
}

/// What a reader that ships reads into, again and again: the bytes before a place, which are the proof, and those that follow.
#[derive(Debug)]
pub struct Window {
    /// [`HASHED`] bytes before the place, of which the last ones count, then what was read.
    bytes: Box<[u8]>,
    offset: u64,
    behind: usize,
    len: usize,
}

impl Window {
    /// For so many bytes at once.
    pub fn new(size: usize) -> Self {
        Self { bytes: vec![0; HASHED + size].into(), offset: 0, behind: 0, len: 0 }
    }

    /// The offset of its first byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What was read.
    pub fn data(&self) -> &[u8] {
        &self.bytes[HASHED..HASHED + self.len]
    }

    /// Whether it could not take more: there may be more to read.
    pub fn is_full(&self) -> bool {
        HASHED + self.len == self.bytes.len()
    }

    /// The byte before the first one that was read.
    pub fn before(&self) -> Option<u8> {
        (self.behind > 0).then(|| self.bytes[HASHED - 1])
    }

    /// The mark after the first `consumed` bytes.
    pub fn mark(&self, consumed: usize) -> Mark {
        let consumed = consumed.min(self.len);
        let before = &self.bytes[HASHED - self.behind..HASHED + consumed];
        Mark::at(self.offset + consumed as u64, before)
    }
}

impl Source {
    /// Reads at an offset, as much as one call gives; 0 is the end. What is read may belong to another generation than the caller thinks.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let file = self.file()?;
        loop {
            match file.read_at(buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Reads on from a place as far as the following thread has seen, and proves afterwards that the file was not truncated and written
    /// anew before or during the read: the bytes before the place are still those that were consumed, and those before the end that was
    /// seen are still those. What nobody but the reader had seen could not be recognised again in a copy. This is the shipper's way.
    pub fn read_on(&self, place: &Place, buf: &mut [u8]) -> io::Result<Step> {
        match self.read_proven(place, buf, &mut [0; HASHED])? {
            Some(read) if self.count(place, read) => self.step(place, &buf[..read]),
            _ => Ok(Step::Restart),
        }
    }

    /// As [`Self::read_on`], for a reader that leaves some of what it reads to the next time (a line that is not complete): `take` says how
    /// many of the bytes it ships for certain. Only those count as read should the file be truncated.
    pub fn read_window(
        &self,
        place: &Place,
        window: &mut Window,
        take: impl FnOnce(&Window) -> usize,
    ) -> io::Result<Step> {
        (window.offset, window.behind, window.len) = (place.mark.offset, place.mark.behind(), 0);
        let Some((before, data)) = window.bytes.split_first_chunk_mut::<HASHED>() else {
            return Ok(Step::Bytes(0));
        };
        let Some(read) = self.read_proven(place, data, before)? else { return Ok(Step::Restart) };
        window.len = read;
        let step = self.step(place, window.data())?;
        let taken = match step {
            Step::Bytes(_) => take(window).min(read),
            Step::Skip { .. } | Step::Restart => read,
        };
        Ok(if self.count(place, taken) { step } else { Step::Restart })
    }

    /// As [`Self::read_on`], for viewers: what they read is not thereby read by the shipper.
    pub fn look_on(&self, place: &Place, buf: &mut [u8]) -> io::Result<Step> {
        match self.read_proven(place, buf, &mut [0; HASHED])? {
            Some(read) if self.generation() == place.generation => self.step(place, &buf[..read]),
            _ => Ok(Step::Restart),
        }
    }

    /// Reads, and proves by the bytes `before` the place, which are read after that. None if the file is another one.
    fn read_proven(
        &self,
        place: &Place,
        buf: &mut [u8],
        before: &mut [u8; HASHED],
    ) -> io::Result<Option<usize>> {
        let seen = {
            let inner = self.inner();
            if inner.tide.generation != place.generation {
                return Ok(None);
            }
            inner.seen
        };
        let most = usize::try_from(seen.offset.saturating_sub(place.mark.offset));
        let most = most.unwrap_or(usize::MAX).min(buf.len());
        let read = self.read_at(place.mark.offset, &mut buf[..most])?;
        let before = &mut before[HASHED - place.mark.behind()..];
        let got = self.fill_at(place.mark.offset - before.len() as u64, before)?;
        // near the beginning of a file little or nothing lies before the place: what the follower saw of it must be there, too
        let proven = place.mark.follows(&before[..got])
            && (seen.offset <= place.mark.offset || seen.is_nul() || self.still(&seen)?);
        if !proven {
            self.inner().suspected = Some(*place);
            self.bell.suspect(self.id);
        }
        Ok(proven.then_some(read))
    }

    /// So many bytes after a place were read; false if its generation has ended.
    fn count(&self, place: &Place, read: usize) -> bool {
        let mut inner = self.inner();
        if inner.tide.generation != place.generation {
            return false;
        }
        inner.read_to = inner.read_to.max(place.mark.offset + read as u64);
        true
    }

    /// What a proven read is.
    fn step(&self, place: &Place, read: &[u8]) -> io::Result<Step> {
        let nuls = read.iter().take_while(|b| **b == 0).count();
        if nuls < NULS.min(read.len().max(1)) {
            return Ok(Step::Bytes(read.len()));
        }
        let from = place.mark.offset;
        let data = if nuls == read.len() { self.data_from(from)? } else { None };
        Ok(Step::Skip { to: data.unwrap_or(0).max(from + nuls as u64) })
    }

    /// Whether the bytes before a mark are still those that were consumed.
    pub fn still(&self, mark: &Mark) -> io::Result<bool> {
        let mut before = [0; HASHED];
        let before = &mut before[..mark.behind()];
        let got = self.fill_at(mark.offset - before.len() as u64, before)?;
        Ok(mark.follows(&before[..got]))
    }

    /// The mark of an offset, from the bytes that are there now; None when the file is shorter.
    pub fn mark_at(&self, offset: u64) -> io::Result<Option<Mark>> {
        let mut before = [0; HASHED];
        let before = &mut before[..crate::identity::behind(offset)];
        let got = self.fill_at(offset - before.len() as u64, before)?;
        Ok((got == before.len()).then(|| Mark::at(offset, before)))
    }

    /// Reads until the buffer is full or the file ends.
    pub(crate) fn fill_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        while got < buf.len() {
            match self.read_at(offset + got as u64, &mut buf[got..])? {
                0 => break,
                read => got += read,
            }
        }
        Ok(got)
    }

    /// The next byte from `offset` on that is not in a hole; the file's end when there is none. None where a file system cannot say.
    fn data_from(&self, offset: u64) -> io::Result<Option<u64>> {
        let file = self.file()?;
        match rustix::fs::seek(&*file, SeekFrom::Data(offset)) {
            Ok(data) => Ok(Some(data)),
            // nothing but a hole to the end
            Err(Errno::NXIO) => {
                rustix::fs::fstat(&*file).map(|s| u64::try_from(s.st_size).ok()).map_err(Into::into)
            }
            Err(_) => Ok(None),
        }
    }

    /// The open file; one that was closed because too many are open is opened again by its name, if that still names it.
    pub(crate) fn file(&self) -> io::Result<Arc<File>> {
        let mut inner = self.inner();
        if let Some(file) = &inner.file {
            return Ok(file.clone());
        }
        if inner.tide.state == State::Deleted {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (file, stat) = inner.root.open_file(&inner.name).map_err(|refused| match refused {
            Refused::System(error) => error,
            Refused::Gone => io::ErrorKind::NotFound.into(),
            refused => io::Error::other(refused.to_string()),
        })?;
        let known = &inner.identity;
        let reborn = matches!((known.birth, stat.birth), (Some(a), Some(b)) if a != b);
        if (stat.dev, stat.ino) != (known.dev, known.ino) || reborn {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = Arc::new(file);
        if self.bell.has_plenty() {
            inner.file = Some(file.clone());
            self.bell.opened();
        }
        Ok(file)
    }
}
