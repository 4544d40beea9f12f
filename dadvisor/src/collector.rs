//! One pass: read each container, make metrics, print them into the batch.
//!
//! The order is the journey of one metric: [`crate::kernel::group`] reads, [`crate::rate`] makes rates, the batch names and prints. What comes
//! and goes is taken over by [`Collector::reconcile`] only, so that in the steady state reading allocates nothing.

mod tracked;

use crate::board::Board;
use crate::disk_usage::DiskUsage;
use crate::kernel::Kernel;
use crate::kernel::oom_watch::OomWatch;
use common::container::{Container, State};
use common::logging::Episode;
use common::metric::{Batch, Namer};
use common::tick::{Now, Tick};
use rustix::fd::{AsFd, BorrowedFd};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracked::{Missing, Tracked};

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

/// A container's OOM counter, for the ledger.
pub struct OomReading<'a> {
    /// The container.
    pub container: &'a Container,
    /// Its cgroup's inode: names the run.
    pub inode: u64,
    /// The kernel's counter.
    pub kills: u64,
    /// The counter began at 0 while we watched.
    pub fresh: bool,
}

/// Reads all containers, pass by pass.
pub struct Collector {
    kernel: Kernel,
    around: Surroundings,
    tracked: BTreeMap<String, Tracked>,
    /// None where the kernel gives no notice; kills are then counted at ticks.
    kills: Option<OomWatch>,
    watching: Episode,
    finding: Episode,
    next_key: u64,
    read_last: u64,
    not_found: u64,
}

impl Collector {
    /// A collector that knows no container yet.
    pub fn new(kernel: Kernel, around: Surroundings) -> Self {
        let mut watching = Episode::new("watch for OOM kills");
        let kills = OomWatch::new(&kernel).map_err(|error| watching.failed(&error)).ok();
        Self {
            kernel,
            around,
            tracked: BTreeMap::new(),
            kills,
            watching,
            finding: Episode::new("containers without figures"),
            next_key: 0,
            read_last: 0,
            not_found: 0,
        }
    }

    /// Takes over the list of who is here; no two of them have the same app and instance (discovery sees to it). Known containers keep their figures; a changed name changes the series from now on.
    pub fn reconcile(&mut self, containers: &[Arc<Container>]) {
        let mut known = std::mem::take(&mut self.tracked);
        for container in
            containers.iter().filter(|c| matches!(c.state, State::Running | State::Paused))
        {
            let series = self.around.namer.instance(&container.app, &container.instance);
            let tracked = match known.remove(&container.id) {
                Some(mut tracked) => {
                    tracked.rename(container, series);
                    tracked
                }
                None => {
                    self.next_key += 1;
                    let fresh =
                        container.started_at_ms.is_some_and(|at| at >= self.around.started_ms);
                    Tracked::new(container, series, self.next_key, fresh)
                }
            };
            self.tracked.insert(container.id.clone(), tracked);
        }
        if let Some(kills) = &mut self.kills {
            known.values().for_each(|gone| kills.remove(gone.key));
        }
        let mut here: Vec<_> = self.tracked.values().collect();
        here.sort_by_key(|t| (&t.container.app, &t.container.instance));
        self.around.board.set_entries(here.into_iter().map(|t| Arc::clone(&t.entry)).collect());
    }

    /// Reads every container and appends its metrics to the batch. `clock` is asked at each reading; `hand_over` is offered the batch after
    /// each container, and may send and empty it.
    pub fn pass(
        &mut self,
        tick: Tick,
        clock: &dyn Fn() -> Now,
        disk: Option<&DiskUsage>,
        batch: &mut Batch,
        hand_over: &mut dyn FnMut(&mut Batch),
        oom: &mut dyn FnMut(OomReading<'_>),
    ) {
        let budget = self.around.recent_max / self.tracked.len().max(1);
        self.read_last = 0;
        let mut lost = None;
        for tracked in self.tracked.values_mut() {
            let now = clock();
            let inode = tracked.inode();
            if let Err(missing) = tracked.read(&mut self.kernel, now.mono) {
                self.not_found += 1;
                if let Missing::Lost(error) = missing {
                    lost.get_or_insert(error);
                }
                continue;
            }
            if tracked.inode() != inode {
                watch(&mut self.kills, &mut self.watching, tracked);
            }
            tracked.add_known(now.wall, disk);
            tracked.publish(tick, budget, batch);
            hand_over(batch);
            tracked.oom_reading(None, oom);
            self.read_last += 1;
        }
        match lost {
            Some(error) => self.finding.failed(&error),
            None => self.finding.recovered(),
        }
    }

    /// Limits of this container are read again in the next pass.
    pub fn limits_changed(&mut self, id: &str) {
        if let Some(tracked) = self.tracked.get_mut(id) {
            tracked.limits_changed();
        }
    }

    /// Readable when the kernel has told of OOM kills; then [`Collector::read_kills`].
    pub fn oom_fd(&self) -> Option<BorrowedFd<'_>> {
        self.kills.as_ref().map(AsFd::as_fd)
    }

    /// Reads the counters of the containers in which the kernel killed.
    pub fn read_kills(&mut self, oom: &mut dyn FnMut(OomReading<'_>)) {
        let mut keys = BTreeSet::new();
        let Some(kills) = &mut self.kills else { return };
        if let Err(error) = kills.drain(|key| keys.extend([key])) {
            self.watching.failed(&error);
            self.kills = None;
            return;
        }
        for tracked in self.tracked.values_mut().filter(|t| keys.contains(&t.key)) {
            let counter = tracked.kills_now(&mut self.kernel);
            tracked.oom_reading(counter, oom);
        }
    }

    /// Whether a later run than the one this container object speaks of has begun.
    pub fn runs_anew(&self, container: &Container) -> bool {
        self.tracked
            .get(&container.id)
            .is_some_and(|t| t.container.started_at_ms > container.started_at_ms)
    }

    /// The kernel side, for its figures.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Containers read in the last pass.
    pub fn read_last(&self) -> u64 {
        self.read_last
    }

    /// Times a container had no cgroup when a pass came to it.
    pub fn not_found(&self) -> u64 {
        self.not_found
    }
}

fn watch(kills: &mut Option<OomWatch>, watching: &mut Episode, tracked: &Tracked) {
    let (Some(kills), Some(group)) = (kills, &tracked.group) else { return };
    match kills.add(tracked.key, group) {
        Ok(()) => watching.recovered(),
        Err(error) => watching.failed(&error),
    }
}
