//! A log file that is followed: open for as long as somebody needs it, read at offsets, whatever its name is by now.
//!
//! The file is the buffer. The shipper and every viewer have a cursor of their own, `(generation, offset)`; a truncated or rewritten file
//! begins a new generation, and a cursor of an older one starts again at its first byte. A reader that must not lie goes through
//! [`Source::read_on`], which gives nothing that the following thread has not seen, and proves after each read that what lies before the
//! cursor and before the end as it was seen is still there.

mod read;
mod tally;

pub use read::{Step, Window};
pub use tally::Tally;
pub(crate) use tally::{Counted, Locked};

use crate::beneath::Root;
use crate::discover::Bell;
use crate::files::Known;
use crate::identity::{Identity, Mark};
use crate::name::FileName;
use crate::volume::{InstanceKey, Volume};
use common::ids::AppId;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::watch;

/// A source, as long as this process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u64);

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It has the name it was found under.
    Live,
    /// It was renamed since it was first seen, by this process or the one before.
    Rotated,
    /// It has no name any more in its volume; it is read to its end.
    Deleted,
}

/// How far a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tide {
    /// Its length.
    pub len: u64,
    /// One more each time it was truncated or rewritten.
    pub generation: u64,
    /// What became of it.
    pub state: State,
}

/// A place in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The generation the offset counts in.
    pub generation: u64,
    /// The offset, and what lies before it.
    pub mark: Mark,
}

/// One followed file.
#[derive(Debug)]
pub struct Source {
    id: SourceId,
    bell: Arc<Bell>,
    inner: Mutex<Inner>,
    tide: OnceLock<watch::Sender<Tide>>,
    holds: AtomicUsize,
    outlet: AtomicUsize,
    /// In the list of what grew, or about to be.
    pub(crate) queued: AtomicBool,
    /// In that list to tell of its start; changes only under the list's lock.
    pub(crate) begins: AtomicBool,
}

/// What changes in a source's life.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: Arc<Root>,
    pub(crate) volume: Arc<Volume>,
    pub(crate) name: Arc<FileName>,
    pub(crate) identity: Identity,
    pub(crate) tide: Tide,
    /// The length and what lies before it as it was last seen: proof that the file only grew.
    pub(crate) seen: Mark,
    /// Where shipping starts in this generation; None until it is known that this is no copy of a file that is shipped already.
    pub(crate) start: Option<Mark>,
    /// Whoever ships was told of that start.
    pub(crate) told: bool,
    /// Where a reader found other bytes before its mark than it had consumed.
    pub(crate) suspected: Option<Place>,
    /// As far as readers of this generation that ship have got.
    pub(crate) read_to: u64,
    pub(crate) acknowledged: Mark,
    /// The last generations before this one: what is on its way may still be acknowledged, and a copy of them goes on from there.
    pub(crate) previous: VecDeque<Previous>,
    pub(crate) changed_ns: i128,
    /// It had changed so shortly before it was last looked at that another change may have the same time.
    pub(crate) fresh: bool,
    pub(crate) modified_ms: u64,
    /// Bytes it has on the disk.
    pub(crate) on_disk: u64,
    /// The sums it is to be in; none once it is let go.
    pub(crate) tally: Option<Arc<Tally>>,
    pub(crate) counted: Counted,
    /// None while too many are open: opened again by name when it is needed.
    pub(crate) file: Option<Arc<File>>,
}

/// A generation that was truncated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Previous {
    pub(crate) generation: u64,
    pub(crate) acknowledged: Mark,
    pub(crate) read_to: u64,
}

impl Source {
    pub(crate) fn new(id: SourceId, bell: Arc<Bell>, outlet: usize, inner: Inner) -> Self {
        Self {
            id,
            bell,
            inner: Mutex::new(inner),
            tide: OnceLock::new(),
            holds: AtomicUsize::new(0),
            outlet: AtomicUsize::new(outlet),
            queued: AtomicBool::new(false),
            begins: AtomicBool::new(false),
        }
    }

    pub(crate) fn inner(&self) -> Locked<'_> {
        Locked::new(self.id, self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its number in this process.
    pub fn id(&self) -> SourceId {
        self.id
    }

    /// The outlet it is shipped through, see [`crate::outlet`].
    pub fn outlet(&self) -> usize {
        self.outlet.load(Ordering::Relaxed)
    }

    /// It is a copy of another one, and takes the same outlet, wherever that was moved from. To be called before it is told of.
    pub(crate) fn leaves_with(&self, original: &Self) {
        self.outlet.store(original.outlet(), Ordering::Relaxed);
    }

    /// The volume it lies in. A directory may pass from an ended instance to the next.
    pub fn volume(&self) -> Arc<Volume> {
        self.inner().volume.clone()
    }

    /// The instance that writes it.
    pub fn instance(&self) -> InstanceKey {
        self.inner().volume.instance.clone()
    }

    /// The app of that instance.
    pub fn app(&self) -> AppId {
        self.inner().volume.instance.app.clone()
    }

    /// Its name now, or the last it had.
    pub fn name(&self) -> Arc<FileName> {
        self.inner().name.clone()
    }

    /// What it is known by. The head grows with a small file.
    pub fn identity(&self) -> Identity {
        self.inner().identity
    }

    /// Length, generation and state as last seen.
    pub fn tide(&self) -> Tide {
        self.inner().tide
    }

    /// Its length as last seen.
    pub fn len(&self) -> u64 {
        self.tide().len
    }

    /// Whether it has no byte yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often it was truncated or rewritten.
    pub fn generation(&self) -> u64 {
        self.tide().generation
    }

    /// What became of it.
    pub fn state(&self) -> State {
        self.tide().state
    }

    /// Its last modification as its owner says, for display only; Unix milliseconds.
    pub fn modified_ms(&self) -> u64 {
        self.inner().modified_ms
    }

    /// Last change of its inode in nanoseconds since 1970, which nobody can forge.
    pub fn changed_ns(&self) -> i128 {
        self.inner().changed_ns
    }

    /// Tells of every change of the tide; a reader that is late sees the last one.
    pub fn changed(&self) -> watch::Receiver<Tide> {
        let sender = self.tide.get_or_init(|| watch::Sender::new(self.tide()));
        // made between a change and its telling it would be behind: never by more than until now
        self.tell(sender);
        sender.subscribe()
    }

    fn tell(&self, sender: &watch::Sender<Tide>) {
        let tide = self.tide();
        sender.send_if_modified(|told| std::mem::replace(told, tide) != tide);
    }

    /// Tells whoever listens.
    pub(crate) fn publish(&self) {
        if let Some(sender) = self.tide.get() {
            self.tell(sender);
        }
    }

    /// Where shipping starts or starts again: what was acknowledged before, or the beginning of a new generation. None until it is known
    /// what this file is (it may be the copy of one that is shipped already) and the list of what grew has named it since: copies are named
    /// before their originals go on. Whoever keeps a journal takes the files in the order they are named in, and writes a start that is not
    /// the first byte down before anything that is shipped later: nothing else tells of it.
    pub fn start(&self) -> Option<Place> {
        let inner = self.inner();
        let start = inner.start.filter(|_| inner.told);
        start.map(|mark| Place { generation: inner.tide.generation, mark })
    }

    /// Whether it is known where shipping starts, whoever was told.
    pub(crate) fn is_decided(&self) -> bool {
        self.inner().start.is_some()
    }

    /// Whoever ships is being told of its start, if it is known.
    pub(crate) fn tell_start(&self) {
        let mut inner = self.inner();
        inner.told |= inner.start.is_some();
    }

    /// Closes the file; whoever reads it opens it again by name.
    pub(crate) fn close(&self) {
        let closed = self.inner().file.take();
        self.bell.closed(closed.is_some());
    }

    /// Says that everything before `place` is safe elsewhere. A place of a generation before counts for a
    /// copy of that.
    pub fn acknowledged(&self, place: Place) {
        let mut inner = self.inner();
        if place.generation == inner.tide.generation
            && place.mark.offset >= inner.acknowledged.offset
        {
            inner.acknowledged = place.mark;
            inner.read_to = inner.read_to.max(place.mark.offset);
        }
        for previous in &mut inner.previous {
            if place.generation == previous.generation
                && place.mark.offset >= previous.acknowledged.offset
            {
                previous.acknowledged = place.mark;
            }
        }
    }

    /// The last place that was acknowledged.
    pub fn acknowledged_to(&self) -> Place {
        let inner = self.inner();
        Place { generation: inner.tide.generation, mark: inner.acknowledged }
    }

    /// What a journal writes down of a place: None at the first byte and when the place's generation has ended. Nothing is written down of a
    /// generation before something of it was shipped, so that the one before is known as long as possible.
    pub fn known(&self, place: &Place) -> Option<Known> {
        let inner = self.inner();
        // one that was let go may have left its inode to another file, which another outlet ships
        let gone = inner.tide.state == State::Deleted && inner.file.is_none();
        let of_now = place.generation == inner.tide.generation && place.mark.offset > 0 && !gone;
        of_now.then(|| Known {
            identity: inner.identity,
            mark: place.mark,
            name: (*inner.name).clone(),
        })
    }

    /// Keeps it open, whatever becomes of it (within the limits), until the answer is dropped: for viewers.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.holds.fetch_add(1, Ordering::Relaxed);
        Hold(self.clone())
    }

    /// Whether a viewer needs it.
    pub(crate) fn is_held(&self) -> bool {
        self.holds.load(Ordering::Relaxed) > 0
    }
}

/// Keeps a source open.
#[derive(Debug)]
pub struct Hold(Arc<Source>);

impl Hold {
    /// What is held.
    pub fn source(&self) -> &Arc<Source> {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.holds.fetch_sub(1, Ordering::Relaxed);
    }
}
