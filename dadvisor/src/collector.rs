//! One pass: who is here, read each, make metrics, hand the batch over.
//!
//! Runs on a thread of its own, because kernel files may take their time and nothing else should wait for them. The order inside a
//! pass is the journey of one metric: [`crate::group`] reads, [`crate::rate`] makes rates, the batch names and prints, carbon's spool
//! takes it. When [`Collector::pass`] returns, the pass survives a kill -9. In the steady state (no container came or went) reading
//! allocates nothing.

use crate::board::{Board, Entry, PassStats, Shared, lock};
use crate::group::{Group, Kernel, Reading};
use crate::rate::{self, Previous};
use crate::sample::{Field, Sample};
use crate::tick::{Now, Tick};
use common::container::{Container, State};
use common::metric::{Batch, Namer, Series};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Limits, quotas and peaks are read this often, spread over the containers; a `docker update` is read at once.
const SLOW_TIER: Duration = Duration::from_secs(60);

/// One container under collection.
struct Tracked {
    container: Arc<Container>,
    entry: Shared,
    series: Series,
    group: Option<Group>,
    /// Monotonic time of the last sample of this run; None before the first.
    sampled: Option<Duration>,
    /// Monotonic time at which the slow tier is due.
    slow_due: Duration,
    /// The run began while we watched: its kernel counters began at 0.
    fresh: bool,
}

/// What a pass needs besides the kernel.
pub struct Surroundings {
    /// Where readers look.
    pub board: Arc<Board>,
    /// How series are called.
    pub namer: Namer,
    /// Memory for the last hour of all containers together, bytes.
    pub recent_max: usize,
    /// Wall clock at the daemon's start, Unix milliseconds: containers that started later began their counters while we watched.
    pub started_ms: u64,
}

/// Reads all containers, pass by pass.
pub struct Collector {
    kernel: Kernel,
    around: Surroundings,
    tracked: BTreeMap<String, Tracked>,
    stats: PassStats,
}

/// A container's OOM counter as read in a pass, for the ledger.
pub struct OomReading {
    /// The container.
    pub container: Arc<Container>,
    /// Its cgroup's inode: names the run.
    pub inode: u64,
    /// The kernel's counter.
    pub kills: u64,
    /// The counter began at 0 while we watched.
    pub fresh: bool,
}

impl Collector {
    /// A collector that knows no container yet.
    pub fn new(kernel: Kernel, around: Surroundings) -> Self {
        Self { kernel, around, tracked: BTreeMap::new(), stats: PassStats::default() }
    }

    /// Takes over the list of who is here. Known containers keep their figures; a changed name changes the series from now on.
    pub fn reconcile(&mut self, containers: &[Arc<Container>]) {
        let mut left = std::mem::take(&mut self.tracked);
        let mut names = BTreeMap::new();
        for container in
            containers.iter().filter(|c| matches!(c.state, State::Running | State::Paused))
        {
            let twin =
                names.insert((container.app.clone(), container.instance.clone()), ()).is_some();
            let series = self.series(container, twin);
            let tracked = match left.remove(&container.id) {
                Some(mut known) => {
                    if !Arc::ptr_eq(&known.container, container) {
                        known.container = Arc::clone(container);
                        lock(&known.entry).container = Arc::clone(container);
                    }
                    known.series = series;
                    known
                }
                None => Tracked {
                    container: Arc::clone(container),
                    entry: Arc::new(std::sync::Mutex::new(Entry::new(Arc::clone(container)))),
                    series,
                    group: None,
                    sampled: None,
                    slow_due: Duration::ZERO,
                    fresh: container.started_at_ms.is_some_and(|at| at >= self.around.started_ms),
                },
            };
            self.tracked.insert(container.id.clone(), tracked);
        }
        let mut entries: Vec<_> = self.tracked.values().collect();
        entries.sort_by(|a, b| {
            (&a.container.app, &a.container.instance)
                .cmp(&(&b.container.app, &b.container.instance))
        });
        self.around.board.set_entries(entries.into_iter().map(|t| Arc::clone(&t.entry)).collect());
    }

    /// Two containers that claim one name must not share a series: the second is told apart by its id.
    fn series(&self, container: &Container, twin: bool) -> Series {
        if !twin {
            return self.around.namer.instance(&container.app, &container.instance);
        }
        let short = container.id.get(..12).unwrap_or(&container.id);
        let apart = common::ids::InstanceId::new(format!("{}-{short}", container.instance));
        tracing::warn!(app = %container.app, instance = %container.instance, id = %container.id,
            "two containers claim the same app and instance; this one is sent as {apart}");
        self.around.namer.instance(&container.app, &apart)
    }

    /// Limits of this container are read again in the next pass.
    pub fn limits_changed(&mut self, id: &str) {
        if let Some(tracked) = self.tracked.get_mut(id) {
            tracked.slow_due = Duration::ZERO;
        }
    }

    /// Reads every container and appends its metrics to the batch. `clock` gives the monotonic time at each reading.
    pub fn pass(
        &mut self,
        tick: Tick,
        clock: &dyn Fn() -> Now,
        batch: &mut Batch,
        oom: &mut dyn FnMut(OomReading),
    ) {
        let budget = self.around.recent_max / self.tracked.len().max(1);
        let mut read = 0;
        for tracked in self.tracked.values_mut() {
            if tracked.read(&mut self.kernel, clock().mono) {
                tracked.publish(tick, clock().wall, budget, batch, oom);
                read += 1;
            }
        }
        self.stats.containers = read;
    }

    /// The kernel side, for its figures.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Containers read in the last pass, and known.
    pub fn counts(&self) -> (u64, usize) {
        (self.stats.containers, self.tracked.len())
    }
}

impl Tracked {
    /// Reads one sample into the entry. False if there is none this time: the container is not there yet, or gone.
    fn read(&mut self, kernel: &mut Kernel, mono: Duration) -> bool {
        let entry = Arc::clone(&self.entry);
        let mut entry = lock(&entry);
        // twice: a removed cgroup may have been made anew under the same name (a restart)
        for _ in 0..2 {
            let group = match &mut self.group {
                Some(group) => group,
                None => match Group::open(kernel, &self.container) {
                    Ok(group) => {
                        entry.cgroup = group.path().display().to_string();
                        self.slow_due = Duration::ZERO;
                        self.sampled = None;
                        self.group.insert(group)
                    }
                    Err(_) => return false,
                },
            };
            let slow = mono >= self.slow_due;
            let Entry { sample, previous, .. } = &mut *entry;
            std::mem::swap(sample, previous);
            match group.read(kernel, slow, sample) {
                Reading::Ok => {
                    entry.elapsed = self.sampled.map(|at| mono.saturating_sub(at));
                    self.sampled = Some(mono);
                    if slow {
                        self.slow_due = mono + SLOW_TIER;
                    }
                    return true;
                }
                Reading::Gone => {
                    std::mem::swap(sample, previous);
                    self.group = None;
                    self.fresh = true;
                }
            }
        }
        false
    }

    /// From the entry into the batch, the last hour and the ledger.
    fn publish(
        &mut self,
        tick: Tick,
        wall: Duration,
        budget: usize,
        batch: &mut Batch,
        oom: &mut dyn FnMut(OomReading),
    ) {
        let mut entry = lock(&self.entry);
        let entry = &mut *entry;
        add_identity(&mut entry.sample, &self.container, wall);
        entry.timestamp = tick.timestamp;
        entry.recent.push(tick.timestamp, entry.elapsed, &entry.sample.figures, budget);
        let previous = entry.elapsed.and_then(|elapsed| Previous::new(&entry.previous, elapsed));
        rate::each(&entry.sample, previous, &mut |name, value| {
            batch.push(&self.series, name, value)
        });
        if let (Some(kills), Some(group)) = (entry.sample.figures.get(Field::OomKills), &self.group)
        {
            oom(OomReading {
                container: Arc::clone(&self.container),
                inode: group.inode(),
                kills,
                fresh: self.fresh,
            });
        }
    }
}

/// What is known without the kernel.
fn add_identity(sample: &mut Sample, container: &Container, wall: Duration) {
    let now_ms = u64::try_from(wall.as_millis()).unwrap_or(u64::MAX);
    if let Some(started) = container.started_at_ms {
        sample.figures.set(Field::Uptime, now_ms.saturating_sub(started) / 1000);
    }
    sample.figures.set(Field::Restarts, container.restarts);
}
