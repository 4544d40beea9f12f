//! Finds the files of the volumes and notices what becomes of them, on one thread.
//!
//! One inotify instance watches directories only. A notice says where to look, never what is there: each look asks the kernel what a name
//! names now and how long a file is now, so that lost, late or merged notices do no harm. Every few seconds everything is looked at anyway
//! (a directory is listed again only if its inode changed, a file costs one `fstat`), and after an overflow at once.
//!
//! A round: hear the notices; list and check a bounded number of names in each volume; look at the files that were written; settle which new
//! files are copies; mind deleted files and directories with many writes; wait. While files are written rounds are some milliseconds
//! apart; the first write after a pause is told at once; while nothing happens the thread sleeps until the next look at everything.

mod copies;
mod departed;
mod found;
mod look;
mod marks;
mod memory;
mod rounds;
mod scan;
mod tree;
mod volumes;
pub(crate) mod wanted;
mod watches;

use crate::files::{Gap, Known, Limits, Shared, VolumeFigures, Why};
use crate::source::{Source, SourceId};
use common::moment::Moment;
use copies::Heads;
use memory::Memory;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustix::fd::OwnedFd;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tree::{Dir, DirId, Followed, Vol, VolId};
pub(crate) use wanted::Wanted;
use watches::Watches;

/// Gaps kept for whoever asks; more are in the figures alone.
const GAPS: usize = 1_024;
/// Least time between two pictures of the figures.
const FIGURES: Duration = Duration::from_millis(100);

/// Wakes the following thread.
#[derive(Debug)]
pub(crate) struct Bell {
    fd: OwnedFd,
    /// Sources whose readers found other bytes than they had consumed.
    suspects: Mutex<Vec<SourceId>>,
    /// Files kept open now.
    open: AtomicUsize,
    /// And at most.
    most_open: usize,
}

impl Bell {
    pub(crate) fn new(limits: &Limits) -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        // a quarter is left for sockets, directories and the journal
        let allowed = common::files::limit().soft.and_then(|n| usize::try_from(n).ok());
        let most_open = limits.open.min(allowed.unwrap_or(usize::MAX) / 4 * 3).max(16);
        Ok(Self { fd, suspects: Mutex::default(), open: AtomicUsize::new(0), most_open })
    }

    pub(crate) fn ring(&self) {
        // it fails only when it is ringing already
        rustix::io::write(&self.fd, &1u64.to_ne_bytes()).ok();
    }

    /// Has a source looked at.
    pub(crate) fn suspect(&self, id: SourceId) {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        if suspects.contains(&id) {
            return;
        }
        suspects.push(id);
        drop(suspects);
        self.ring();
    }

    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self, it_was_open: bool) {
        self.open.fetch_sub(usize::from(it_was_open), Ordering::Relaxed);
    }

    pub(crate) fn kept(&self) -> (usize, usize) {
        (self.open(), self.most_open)
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether so few files are open that one of a volume of `files` may stay so. A volume that is full of files must not take what the
    /// others need.
    fn has_room(&self, files: usize) -> bool {
        let crowd = files > self.most_open / 8;
        self.open() < if crowd { self.most_open / 2 } else { self.most_open }
    }

    /// How many are open beyond what should be: a tenth of the places is for what comes.
    fn too_many(&self) -> usize {
        self.open().saturating_sub(self.most_open - self.most_open / 10)
    }

    /// The same for one that was closed before: it is opened for each look while there is less than plenty.
    pub(crate) fn has_plenty(&self) -> bool {
        self.open() < self.most_open / 2
    }

    fn heard(&self) -> Vec<SourceId> {
        rustix::io::read(&self.fd, &mut [0u8; 8]).ok();
        std::mem::take(&mut *self.suspects.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts the thread.
pub(crate) fn start(shared: Arc<Shared>, known: Vec<Known>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("follow".into())
        .spawn(move || Follower::new(shared, known).run())
}

/// The follower's state.
struct Follower {
    shared: Arc<Shared>,
    wanted: Wanted,
    watches: Watches,
    memory: Memory,
    heads: Heads<SourceId>,
    vols: BTreeMap<VolId, Vol>,
    dirs: HashMap<DirId, Dir>,
    followed: HashMap<SourceId, Followed>,
    by_inode: HashMap<(u64, u64), SourceId>,
    /// Written since the last round.
    touched: Vec<SourceId>,
    /// Have bytes, and nobody knows yet whether they are copies.
    undecided: Vec<SourceId>,
    /// Something happened by which copies may be told apart.
    settle_now: bool,
    settle_at: Instant,
    /// Began a generation, which is not shipped yet.
    held: Vec<SourceId>,
    round: u64,
    /// Lost their name in this round.
    unplaced: Vec<SourceId>,
    /// Directories whose files are looked at every few milliseconds.
    busy: Vec<DirId>,
    next_id: u64,
    next_departed: Instant,
    next_figures: Instant,
    figures_changed: bool,
    set_changed: bool,
    last_active: Instant,
}

impl Follower {
    fn new(shared: Arc<Shared>, known: Vec<Known>) -> Self {
        let settings = &shared.settings;
        let wanted = Wanted::new(&settings.include, &settings.exclude);
        let now = Instant::now();
        Self {
            wanted,
            watches: Watches::new(),
            memory: Memory::new(known),
            heads: Heads::default(),
            vols: BTreeMap::new(),
            dirs: HashMap::new(),
            followed: HashMap::new(),
            by_inode: HashMap::new(),
            touched: Vec::new(),
            undecided: Vec::new(),
            settle_now: false,
            settle_at: now,
            held: Vec::new(),
            round: 0,
            unplaced: Vec::new(),
            busy: Vec::new(),
            next_id: 0,
            next_departed: now,
            next_figures: now,
            figures_changed: false,
            set_changed: false,
            last_active: now,
            shared,
        }
    }

    fn run(mut self) {
        loop {
            let now = Instant::now();
            self.round += 1;
            self.shared.rounds.fetch_add(1, Ordering::Relaxed);
            if !self.take_volumes(now) {
                return self.part();
            }
            let heard = self.hear(now);
            self.work(now);
            self.look_at_touched(now);
            self.settle_copies(now);
            self.mind_unplaced(now);
            self.mind_departed(now);
            self.mind_given_up();
            self.mind_busy(now);
            self.mind_volumes(now);
            self.show(now);
            self.wait(heard);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Sleeps until something is due or told.
    fn wait(&mut self, heard: bool) {
        let gather = self.shared.settings.pace.gather;
        let now = Instant::now();
        if heard {
            // the second round within a short time: what comes next is noticed together
            if now.duration_since(self.last_active) < gather * 2 {
                std::thread::sleep(gather);
            }
            self.last_active = Instant::now();
        }
        let wait = self.due(now).saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        let bell = PollFd::new(&self.shared.bell.fd, PollFlags::IN);
        let polled = match self.watches.fd() {
            Some(fd) => {
                let mut fds = [bell, PollFd::from_borrowed_fd(fd, PollFlags::IN)];
                rustix::event::poll(&mut fds, Some(&timeout)).map(|_| fds[0].revents())
            }
            None => {
                let mut fds = [bell];
                rustix::event::poll(&mut fds, Some(&timeout)).map(|_| fds[0].revents())
            }
        };
        if polled.is_ok_and(|bell| !bell.is_empty()) {
            for id in self.shared.bell.heard() {
                self.touch(id);
            }
        }
    }

    /// Bytes of a source that nobody will read any more.
    fn gap(&mut self, source: &Source, vol: VolId, from: u64, to: u64, why: Why) {
        if from >= to {
            return;
        }
        let Some(vol) = self.vols.get_mut(&vol) else { return };
        let (count, bytes) = vol.gaps.entry(why).or_default();
        *count += 1;
        *bytes = bytes.saturating_add(to - from);
        if *count == 1 {
            let (app, dir, name) = (&vol.owner.instance.app, vol.path.display(), source.name());
            let (why, bytes) = (why.reason(), to - from);
            tracing::warn!(
                "{app}: {bytes} bytes of {dir}/{name} are lost to shipping ({why}); more of these are counted"
            );
        }
        let gap = Gap { source: source.id(), volume: vol.owner.clone(), from, to, why };
        let file = source.name().shown_within(&vol.owner.name);
        let mut shown = self.shared.shown();
        shown.losses.enter(&vol.owner.instance, why, to - from, file, Moment::now());
        if shown.gaps.len() == GAPS {
            shown.gaps.pop_front();
        }
        shown.gaps.push_back(gap);
        drop(shown);
        self.shared.lost.notify_one();
        self.figures_changed = true;
    }

    /// Shows what changed to the other threads.
    fn show(&mut self, now: Instant) {
        if std::mem::take(&mut self.set_changed) {
            self.shared.set_changed();
            self.figures_changed = true;
        }
        if self.figures_changed && self.next_figures <= now {
            self.figures_changed = false;
            self.next_figures = now + FIGURES;
            let figures = self.vols.values().map(|vol| self.figures(vol)).collect();
            self.shared.shown().figures = figures;
        }
    }

    fn figures(&self, vol: &Vol) -> VolumeFigures {
        let mut refused: BTreeMap<&'static str, u64> = BTreeMap::new();
        for dir in vol.dirs.iter().filter_map(|id| self.dirs.get(id)) {
            for reason in dir.slots.values().filter_map(|slot| slot.what.refused()) {
                *refused.entry(reason).or_default() += 1;
            }
            if dir.over > 0 {
                *refused.entry("too_many").or_default() += dir.over;
            }
        }
        VolumeFigures {
            volume: vol.owner.clone(),
            tally: vol.tally.clone(),
            files: vol.sources.len(),
            directories: vol.dirs.len(),
            deleted: vol.deleted.len(),
            refused,
            gaps: vol.gaps.iter().map(|(why, figures)| (why.reason(), *figures)).collect(),
            storms: vol.storms,
            fault: vol.fault_now.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
