//! All files that are followed, for whoever reads them: the shipper, the viewers, retention.
//!
//! One thread (`discover`) finds them and notices what becomes of them; this is the handle to what it knows. Nothing here holds a line.

mod figures;
#[cfg(test)]
mod sums;
mod woken;

pub use figures::{Gap, Limits, Pace, Settings, VolumeFigures, Why};
pub(crate) use woken::Outlets;
pub use woken::Woken;

use crate::discover;
use crate::identity::{Identity, Mark};
use crate::losses::Losses;
use crate::name::FileName;
use crate::source::{Source, SourceId};
use crate::volume::{InstanceKey, Volume};
use common::api_types::LogLossFact;
use common::moment::Moment;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{Notify, watch};

/// What the journal remembers of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it is known by.
    pub identity: Identity,
    /// How far it was acknowledged.
    pub mark: Mark,
    /// The last name it had.
    pub name: FileName,
}

/// The handle; clones are the same.
#[derive(Debug, Clone)]
pub struct Files(Arc<Shared>);

/// What the following thread and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    state: Mutex<Shown>,
    pub(crate) set: watch::Sender<u64>,
    pub(crate) woken: Outlets,
    pub(crate) bell: Arc<discover::Bell>,
    /// Something was lost to shipping.
    pub(crate) lost: Notify,
    pub(crate) rounds: AtomicU64,
    pub(crate) overflows: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is shown of the following thread's state.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) volumes: Arc<Vec<Volume>>,
    pub(crate) volumes_changed: bool,
    pub(crate) stopped: bool,
    pub(crate) sources: BTreeMap<SourceId, Arc<Source>>,
    pub(crate) figures: Vec<VolumeFigures>,
    pub(crate) gaps: VecDeque<Gap>,
    pub(crate) losses: Losses,
    /// To be let go, whatever of it was acknowledged.
    pub(crate) given_up: Vec<SourceId>,
}

impl Shared {
    pub(crate) fn shown(&self) -> MutexGuard<'_, Shown> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the set of files is another.
    pub(crate) fn set_changed(&self) {
        self.set.send_modify(|n| *n += 1);
    }
}

impl Files {
    /// Starts following, with no volume yet. `known` is what the journal remembers: those files go on where they were acknowledged.
    pub fn resume(settings: Settings, known: Vec<Known>) -> io::Result<Self> {
        let bell = Arc::new(discover::Bell::new(&settings.limits)?);
        let shared = Arc::new(Shared {
            woken: Outlets::new(settings.ships, settings.outlets),
            settings,
            state: Mutex::default(),
            set: watch::Sender::new(0),
            bell,
            lost: Notify::new(),
            rounds: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            thread: Mutex::new(None),
        });
        let thread = discover::start(shared.clone(), known)?;
        *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Self(shared))
    }

    /// Says which volumes there are, all of them each time.
    pub fn set_volumes(&self, volumes: Arc<Vec<Volume>>) {
        let mut shown = self.0.shown();
        shown.volumes = volumes;
        shown.volumes_changed = true;
        drop(shown);
        self.0.bell.ring();
    }

    /// The volumes as they were said last.
    pub fn volumes(&self) -> Arc<Vec<Volume>> {
        self.0.shown().volumes.clone()
    }

    /// Every file that is followed.
    pub fn all(&self) -> Vec<Arc<Source>> {
        self.0.shown().sources.values().cloned().collect()
    }

    /// The files of an instance; also of an ended one whose directory belongs to the next by now.
    pub fn of(&self, instance: &InstanceKey) -> Vec<Arc<Source>> {
        let volumes = self.0.shown().volumes.clone();
        let dirs: Vec<&PathBuf> =
            volumes.iter().filter(|v| v.instance == *instance).map(|v| &v.dir).collect();
        self.all().into_iter().filter(|s| dirs.contains(&&s.volume().dir)).collect()
    }

    /// One of them.
    pub fn get(&self, id: SourceId) -> Option<Arc<Source>> {
        self.0.shown().sources.get(&id).cloned()
    }

    /// Tells when files are found, renamed or gone.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.set.subscribe()
    }

    /// What grew and is shipped through this outlet: blocking, each file once however often it was written.
    pub fn woken(&self, outlet: usize) -> &Woken {
        self.0.woken.of(outlet)
    }

    /// What is in each volume, and what of it is not read and why.
    pub fn figures(&self) -> Vec<VolumeFigures> {
        self.0.shown().figures.clone()
    }

    /// Takes the gaps that came since the last call: bytes nobody will read any more. Each is also in the figures of its volume.
    pub fn take_gaps(&self) -> Vec<Gap> {
        self.0.shown().gaps.drain(..).collect()
    }

    /// Files that are kept open, and how many may be.
    pub fn open(&self) -> (usize, usize) {
        self.0.bell.kept()
    }

    /// Goes on with the accounts of what was lost as they were kept.
    pub(crate) fn begin_losses(&self, kept: Vec<LogLossFact>) {
        self.0.shown().losses = Losses::new(kept);
    }

    /// Waits until something was lost to shipping that was not waited for yet.
    pub(crate) async fn lost_more(&self) {
        self.0.lost.notified().await;
    }

    /// What was lost to shipping, by app and instance, after a number that grows with every loss.
    pub(crate) fn losses(&self, now: Moment) -> (u64, Vec<LogLossFact>) {
        let losses = &self.0.shown().losses;
        (losses.revision(), losses.all(now))
    }

    /// As if a file had lost so much.
    #[cfg(test)]
    pub(crate) fn lost(&self, of: &InstanceKey, why: Why, bytes: u64, file: String, now: Moment) {
        self.0.shown().losses.enter(of, why, bytes, file, now);
        self.0.lost.notify_one();
    }

    /// How often the following thread has looked round: at least every [`Pace::rescan`], or it hangs.
    pub fn rounds(&self) -> u64 {
        self.0.rounds.load(Ordering::Relaxed)
    }

    /// How often the kernel dropped notices, since more came than it keeps; each time everything was looked at.
    pub fn overflows(&self) -> u64 {
        self.0.overflows.load(Ordering::Relaxed)
    }

    /// Keeps the following thread from its next round as long as the guard is there.
    #[cfg(test)]
    pub(crate) fn paused(&self) -> MutexGuard<'_, Shown> {
        self.0.shown()
    }

    /// Whether the following thread ended by itself, which it never should.
    pub fn died(&self) -> bool {
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(JoinHandle::is_finished) && !self.0.shown().stopped
    }

    /// Lets a source go whose file was removed for its volume's quota: its bytes leave the disk, and those nobody acknowledged are a gap.
    pub fn give_up(&self, id: SourceId) {
        self.0.shown().given_up.push(id);
        self.0.bell.ring();
    }

    /// How files are followed.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Ends the following thread and wakes whoever waits in [`Woken`].
    pub fn stop(&self) {
        self.0.shown().stopped = true;
        self.0.bell.ring();
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the thread that follows files had panicked: this is a bug");
        }
        self.0.woken.close();
    }
}
