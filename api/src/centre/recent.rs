//! Recent events, as readers of the bus get them: rendered once, shared by all. Older ones are read from the store in pieces that are
//! shared too, so that many readers that come back together cost few reads.

use super::{Centre, Error};
use crate::scope::About;
use crate::store;
use bytes::Bytes;
use common::api_types::Event;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// Most events in memory.
pub(super) const MOST: usize = 16_384;
/// Most bytes of them, rendered.
const MOST_BYTES: usize = 32 << 20;
/// Events of one piece read from the store; pieces begin at multiples of it.
const PIECE: u64 = 256;
/// Pieces that are kept.
const PIECES: usize = 16;

/// An event as it is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Its number.
    pub seq: u64,
    /// For whom it is.
    pub about: About,
    /// The frame of the event stream.
    pub frame: Bytes,
}

impl Told {
    /// Renders it.
    pub fn of(event: &Event) -> Self {
        let json = serde_json::to_string(event).unwrap_or_default();
        let frame = format!("id: {}\nevent: {}\ndata: {json}\n\n", event.cursor(), event.kind);
        Self { seq: event.seq, about: About::of(event), frame: Bytes::from(frame) }
    }
}

pub(super) struct Recent {
    ring: RwLock<Ring>,
    pieces: Mutex<VecDeque<(u64, Piece)>>,
}

/// Events of the store in a row, by the number of their piece.
type Piece = Arc<Vec<Arc<Told>>>;

/// Without gaps.
struct Ring {
    next: u64,
    bytes: usize,
    told: VecDeque<Arc<Told>>,
}

impl Recent {
    /// Nothing yet, and `head` was the last event.
    pub(super) fn new(head: u64) -> Self {
        let ring = Ring { next: head + 1, bytes: 0, told: VecDeque::new() };
        Self { ring: RwLock::new(ring), pieces: Mutex::default() }
    }

    /// Takes in the next event.
    pub(super) fn push(&self, told: Arc<Told>) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if told.seq != ring.next {
            // events that came and went while this process could not see them
            ring.told.clear();
            ring.bytes = 0;
        }
        ring.next = told.seq + 1;
        ring.bytes += told.frame.len();
        ring.told.push_back(told);
        while ring.told.len() > MOST || ring.bytes > MOST_BYTES {
            let Some(oldest) = ring.told.pop_front() else { break };
            ring.bytes -= oldest.frame.len();
        }
    }

    /// Holds these from now on: the last ones up to `head`.
    pub(super) fn replace(&self, told: Vec<Arc<Told>>, head: u64) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let next = told.first().map_or(head + 1, |told| told.seq);
        *ring = Ring { next, bytes: 0, told: VecDeque::new() };
        drop(ring);
        told.into_iter().for_each(|told| self.push(told));
    }

    /// Events after a number; None if they are not all here.
    pub(super) fn after(&self, seq: u64, limit: usize) -> Option<Vec<Arc<Told>>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let first = ring.next - ring.told.len() as u64;
        let skip = usize::try_from((seq + 1).checked_sub(first)?).ok()?;
        Some(ring.told.iter().skip(skip).take(limit).cloned().collect())
    }

    /// Events after a number from the store: the rest of the piece in which the next one is.
    pub(super) async fn replay(
        &self,
        centre: &Centre,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Told>>, Error> {
        let number = (seq + 1) / PIECE;
        // held while reading: whoever wants the same piece waits for it instead of reading it again
        let mut pieces = self.pieces.lock().await;
        let known = pieces.iter().find(|(n, _)| *n == number).map(|(_, piece)| Arc::clone(piece));
        let piece = match known {
            Some(piece) => piece,
            None => {
                let piece = Arc::new(read(centre, number).await?);
                if piece.last().is_some_and(|told| told.seq == (number + 1) * PIECE - 1) {
                    pieces.push_back((number, Arc::clone(&piece)));
                    if pieces.len() > PIECES {
                        pieces.pop_front();
                    }
                }
                piece
            }
        };
        drop(pieces);
        let told: Vec<_> =
            piece.iter().skip_while(|told| told.seq <= seq).take(limit).cloned().collect();
        match told.first() {
            Some(first) if first.seq == seq + 1 => Ok(told),
            None if seq >= *centre.inner.head.borrow() => Ok(told),
            first => {
                let kept = first.map_or(0, |told| told.seq);
                Err(Error::TooOld { oldest: kept.max(centre.oldest()) })
            }
        }
    }
}

/// A piece, as far as it is kept and stored.
async fn read(centre: &Centre, number: u64) -> Result<Vec<Arc<Told>>, Error> {
    let head = *centre.inner.head.borrow();
    let mut c = centre.inner.store.read().acquire().await.map_err(store::Error::from)?;
    let (begin, end) = (number * PIECE, (number + 1) * PIECE);
    let limit = u32::try_from(PIECE).unwrap_or(u32::MAX);
    let events =
        store::events::after(&mut c, centre.epoch(), begin.saturating_sub(1), limit).await?;
    let told =
        events.iter().filter(|e| e.seq < end && e.seq <= head).map(|e| Arc::new(Told::of(e)));
    Ok(told.collect())
}
