//! One container under collection: its group, opened and re-opened as runs come and go, and its entry on the board.

use super::OomReading;
use crate::board::{Entry, Shared, lock};
use crate::disk_usage::DiskUsage;
use crate::kernel::{Error, Group, Kernel, NetView, Reading};
use crate::rate::{self, Previous};
use crate::sample::{Field, Figures};
use common::container::Container;
use common::metric::{Batch, Series};
use common::tick::Tick;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Limits, quotas and peaks are read this often; a `docker update` is read at once.
const SLOW_TIER: Duration = Duration::from_secs(60);
/// An end is known to the kernel before discovery tells of it, and a start the other way round: for this long it is no fault that a
/// container has no cgroup. Docker is asked for everything every 30 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub(super) struct Tracked {
    pub container: Arc<Container>,
    pub entry: Shared,
    pub group: Option<Group>,
    /// Names it to the watch for OOM kills.
    pub key: u64,
    /// Monotonic time of the last sample of this run; None before the first.
    sampled: Option<Duration>,
    /// Monotonic time at which the slow tier is due.
    slow_due: Duration,
    /// The run began while we watched: its kernel counters began at 0.
    fresh: bool,
    /// Monotonic time since which it has no cgroup.
    missing: Option<Duration>,
    /// [`Group::rank`] of its last group. A higher one is that of a group being removed.
    rank: Option<usize>,
    /// The group was looked at again, for hierarchies that it was not in yet when it was found.
    settled: bool,
}

/// There is no sample this time.
#[must_use]
pub(super) enum Missing {
    /// The container is not there yet, or it ended and discovery has not told yet.
    Awaited,
    /// It has had no cgroup for longer than that takes.
    Lost(Error),
}

impl Tracked {
    pub fn new(container: &Arc<Container>, series: Series, key: u64, fresh: bool) -> Self {
        Self {
            container: Arc::clone(container),
            entry: Arc::new(Mutex::new(Entry::new(Arc::clone(container), series))),
            group: None,
            key,
            sampled: None,
            slow_due: Duration::ZERO,
            fresh,
            missing: None,
            rank: None,
            settled: false,
        }
    }

    /// The same container as its source describes it now, and what its metrics are called from now on.
    pub fn rename(&mut self, container: &Arc<Container>, series: Series) {
        let mut entry = lock(&self.entry);
        entry.series = series;
        if !Arc::ptr_eq(&self.container, container) {
            self.container = Arc::clone(container);
            entry.container = Arc::clone(container);
        }
    }

    /// The run's inode; None before its group was found.
    pub fn inode(&self) -> Option<u64> {
        self.group.as_ref().map(Group::inode)
    }

    pub fn limits_changed(&mut self) {
        self.slow_due = Duration::ZERO;
    }

    /// Reads one sample into the entry.
    pub fn read(&mut self, kernel: &mut Kernel, mono: Duration) -> Result<(), Missing> {
        let entry = Arc::clone(&self.entry);
        let mut entry = lock(&entry);
        // twice: a removed cgroup may have been made anew under the same name (a restart)
        for _ in 0..2 {
            if self.group.is_none() {
                self.open(kernel, &mut entry, mono)?;
            }
            let slow = mono >= self.slow_due;
            if slow && self.sampled.is_some() && !self.settled {
                self.settle(kernel);
            }
            let Some(group) = &mut self.group else { break };
            let Entry { sample, previous, .. } = &mut *entry;
            std::mem::swap(sample, previous);
            match group.read(kernel, slow, sample) {
                Reading::Ok => {
                    entry.elapsed = self.sampled.map(|at| mono.saturating_sub(at));
                    self.sampled = Some(mono);
                    if slow {
                        // the first one after a start is for all at once; from then on they are spread over the minute
                        let phase = if entry.elapsed.is_none() {
                            self.key % SLOW_TIER.as_secs()
                        } else {
                            0
                        };
                        self.slow_due = mono + SLOW_TIER - Duration::from_secs(phase);
                    }
                    show_network(&mut entry.network, group.net_view());
                    return Ok(());
                }
                Reading::Gone => {
                    std::mem::swap(sample, previous);
                    self.group = None;
                    self.fresh = true;
                }
            }
        }
        Err(Missing::Awaited)
    }

    fn open(
        &mut self,
        kernel: &mut Kernel,
        entry: &mut Entry,
        mono: Duration,
    ) -> Result<(), Missing> {
        let group = Group::open(kernel, &self.container).map_err(|error| {
            let since = *self.missing.get_or_insert(mono);
            if mono.saturating_sub(since) < PATIENCE {
                return Missing::Awaited;
            }
            Missing::Lost(error)
        })?;
        if self.rank.is_some_and(|rank| group.rank() > rank) {
            return Err(Missing::Awaited);
        }
        self.rank = Some(group.rank());
        entry.cgroup = group.path().display().to_string();
        self.missing = None;
        self.settled = false;
        self.slow_due = Duration::ZERO;
        self.sampled = None;
        self.group = Some(group);
        Ok(())
    }

    /// Takes up the hierarchies that the same run is in by now.
    fn settle(&mut self, kernel: &mut Kernel) {
        self.settled = true;
        let Some(group) = self.group.as_ref().filter(|group| !group.is_whole(kernel)) else {
            return;
        };
        let same = (group.rank(), group.inode());
        // an error means that it is about to be found gone
        let again = Group::open(kernel, &self.container).ok();
        if let Some(again) = again.filter(|again| (again.rank(), again.inode()) == same) {
            self.group = Some(again);
        }
    }

    /// Adds what is known without the kernel's files.
    pub fn add_known(&self, wall: Duration, disk: Option<&DiskUsage>) {
        let mut entry = lock(&self.entry);
        let figures = &mut entry.sample.figures;
        let now_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
        if let Some(started) = self.container.started_at_ms {
            figures.set(Field::Uptime, now_ms.saturating_sub(started) / 1000);
        }
        figures.set(Field::Restarts, self.container.restarts);
        if let Some(disk) = disk {
            add_disk(figures, disk, &self.container.id);
        }
    }

    /// From the entry into the batch and the last hour.
    pub fn publish(&self, tick: Tick, budget: usize, batch: &mut Batch) {
        let mut entry = lock(&self.entry);
        let entry = &mut *entry;
        entry.timestamp = tick.timestamp;
        entry.recent.push(tick.timestamp, entry.elapsed, &entry.sample.figures, budget);
        let previous = entry.elapsed.and_then(|elapsed| Previous::new(&entry.previous, elapsed));
        rate::each(&entry.sample, previous, &mut |name, value| {
            batch.push(&entry.series, name, value);
        });
    }

    /// The OOM counter right now, outside a pass.
    pub fn kills_now(&mut self, kernel: &mut Kernel) -> Option<u64> {
        self.group.as_mut()?.oom_kills(kernel)
    }

    /// Hands on the counter given, else that of the last sample.
    pub fn oom_reading(&self, counter: Option<u64>, oom: &mut dyn FnMut(OomReading<'_>)) {
        let counter = counter.or_else(|| lock(&self.entry).sample.figures.get(Field::OomKills));
        if let (Some(kills), Some(inode)) = (counter, self.inode()) {
            oom(OomReading { container: &self.container, inode, kills, fresh: self.fresh });
        }
    }
}

fn add_disk(figures: &mut Figures, disk: &DiskUsage, id: &str) {
    let Some(measured) = disk.get(id) else { return };
    if let Some(layer) = measured.writable {
        figures.set(Field::DiskWritableBytes, layer.bytes);
        figures.set(Field::DiskWritableInodes, layer.inodes);
    }
    if let Some(logs) = measured.logs {
        figures.set(Field::DiskLogBytes, logs.bytes);
    }
}

/// Rewrites the words only when they changed: no allocation in the steady state.
fn show_network(shown: &mut String, view: &NetView) {
    let word = match view {
        NetView::Unknown => "unknown",
        NetView::Own => "own",
        NetView::Host => "host",
        NetView::SharedWith(owner) => {
            if shown.strip_prefix("shared with ") != Some(owner) {
                *shown = format!("shared with {owner}");
            }
            return;
        }
    };
    if shown != word {
        word.clone_into(shown);
    }
}
