//! Frames are made once for all viewers of the same file, filter and place. Viewers at the end of a file are at the same place by nature:
//! whoever comes first reads and writes the frame, the others take it from the shelf.

use super::message::Form;
use super::read::{Chunk, Spot};
use crate::source::SourceId;
use common::api_types::live::Filter;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Most frames kept of one file and filter, and most bytes of them.
const FRAMES: usize = 64;
const BYTES: usize = 1 << 20;
/// Time between two frames to one viewer while lines come without a pause: the fewer viewers share it, the less they wait.
const LEAST: Duration = Duration::from_millis(5);
const MOST: Duration = Duration::from_millis(25);
const EACH: Duration = Duration::from_micros(100);

type Key = (SourceId, Filter, Form);

/// All shelves that somebody uses.
#[derive(Debug, Default)]
pub struct Sharing {
    shelves: Mutex<HashMap<Key, Weak<Shelf>>>,
    /// Frames that were taken from a shelf.
    pub shared: AtomicU64,
}

/// The last frames of one file with one filter.
#[derive(Debug, Default)]
pub struct Shelf {
    kept: Mutex<Kept>,
    /// Held by whoever reads at the end: the others wait for its frame.
    pub turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    frames: VecDeque<(Arc<str>, Arc<Chunk>)>,
    bytes: usize,
}

impl Sharing {
    /// The shelf of a file with this filter.
    pub fn shelf(&self, source: SourceId, filter: &Filter, form: Form) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (source, filter.clone(), form);
        if let Some(shelf) = shelves.get(&key).and_then(Weak::upgrade) {
            return shelf;
        }
        shelves.retain(|_, shelf| shelf.strong_count() > 0);
        let shelf = Arc::new(Shelf::default());
        shelves.insert(key, Arc::downgrade(&shelf));
        shelf
    }

    /// The frame that begins there, if somebody made it.
    pub fn frame(&self, shelf: &Shelf, file: &Arc<str>, spot: &Spot) -> Option<Arc<Chunk>> {
        let kept = shelf.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = kept.frames.iter().rev();
        let found = frames.filter(|(name, chunk)| chunk.before == *spot && name == file);
        let chunk = found.map(|(_, chunk)| chunk.clone()).next()?;
        self.shared.fetch_add(1, Ordering::Relaxed);
        Some(chunk)
    }
}

impl Shelf {
    /// Keeps a frame for the others, if there are any.
    pub fn keep(self: &Arc<Self>, file: &Arc<str>, chunk: &Arc<Chunk>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(self) < 2 {
            *kept = Kept::default();
            return;
        }
        kept.bytes += chunk.encoded.bytes().len();
        kept.frames.push_back((file.clone(), chunk.clone()));
        while kept.frames.len() > FRAMES || kept.bytes > BYTES {
            let Some((_, old)) = kept.frames.pop_front() else { break };
            kept.bytes -= old.encoded.bytes().len();
        }
    }

    /// Time between two frames to one viewer.
    pub fn gather(self: &Arc<Self>) -> Duration {
        let viewers = u32::try_from(Arc::strong_count(self)).unwrap_or(u32::MAX);
        EACH.saturating_mul(viewers).clamp(LEAST, MOST)
    }
}
