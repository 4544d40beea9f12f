//! Disk usage of containers' writable layers and log volumes, opt-in (`disk_usage`), made so that it cannot hurt.
//!
//! One thread at the lowest priority walks one tree at a time, at a bounded rate of inodes, each container at most every five minutes,
//! at most a budget of inodes per container; what is beyond is "at least". The writable layer is the `upperdir` of the container's root
//! mount in its own `mountinfo`, so it is found with every storage driver and image store that uses overlayfs, and nothing is asked of
//! any engine. Network file systems and FUSE are not walked. A walk that hangs or fails harms only the figures of this module: they get
//! older, which their age shows.

mod find;
mod schedule;
mod walk;

#[cfg(test)]
mod tests;

pub use find::Error;

use crate::kernel::process::{Process, cgroup_name};
use common::container::Container;
use common::logging::Episode;
use rustix::fd::OwnedFd;
use schedule::{Next, next};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use walk::{Bounds, Size, Stopped, walk};

/// Inodes between two looks at the clock.
const BATCH: u64 = 128;

/// The thread's stack: the walk is a loop, not a recursion.
const STACK: usize = 256 << 10;

/// Bounds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the host's `/proc` is.
    pub proc: PathBuf,
    /// Least time from the end of one walk of a container to its next.
    pub every: Duration,
    /// Inodes looked at per second.
    pub inodes_per_second: u64,
    /// Inodes counted per container, all its trees together.
    pub inodes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            every: Duration::from_secs(300),
            inodes_per_second: 5_000,
            inodes_max: 500_000,
        }
    }
}

/// A container to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The container's id.
    pub id: String,
    /// Its first process.
    pub pid: u32,
    /// What the path of the process's cgroup must have in it, if anything.
    pub cgroup: Option<String>,
    /// Its log volumes, on the host.
    pub log_sources: Vec<PathBuf>,
}

impl Target {
    /// A container that runs; the others have no process to find their mounts by.
    pub fn of(container: &Container) -> Option<Self> {
        let mut log_sources: Vec<_> =
            container.log_volumes.iter().map(|volume| PathBuf::from(&volume.source)).collect();
        log_sources.sort_unstable();
        log_sources.dedup();
        Some(Self {
            id: container.id.clone(),
            pid: container.pid?,
            cgroup: cgroup_name(container).map(str::to_owned),
            log_sources,
        })
    }
}

/// Size of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Blocks on disk, each hard link once.
    pub bytes: u64,
    /// Files, directories and everything else, the top included.
    pub inodes: u64,
    /// Since the walk ended.
    pub age: Duration,
    /// False: at least that much. A bound was reached, or something could not be read.
    pub complete: bool,
}

/// What is known of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Its writable layer; absent if its root is no overlay.
    pub writable: Option<Usage>,
    /// Its log volumes together; absent if it has none.
    pub logs: Option<Usage>,
}

/// Counters since start.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Containers walked.
    pub walks: u64,
    /// Inodes looked at.
    pub inodes: u64,
    /// Walks that found only "at least".
    pub incomplete: u64,
    /// Directories that could not be read.
    pub unreadable: u64,
    /// Trees that were not walked, by [`Error::cause`].
    pub failures: BTreeMap<&'static str, u64>,
    /// The container being walked, and for how long.
    pub walking: Option<(String, Duration)>,
}

/// The measuring thread's handle; it ends when this is dropped, at its next look at the clock.
#[derive(Debug)]
pub struct DiskUsage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    targets: Vec<Target>,
    done: HashMap<String, Done>,
    walking: Option<(String, Instant)>,
    stats: Stats,
}

/// The last walk of one container.
#[derive(Debug)]
struct Done {
    at: Instant,
    writable: Option<Size>,
    logs: Option<Size>,
    measuring: Episode,
}

impl DiskUsage {
    /// Starts the thread; it waits for targets. An error if the system has no thread to give.
    pub fn start(settings: Settings) -> std::io::Result<Self> {
        let shared =
            Arc::new(Shared { settings, state: Mutex::default(), changed: Condvar::new() });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new().name("disk-usage".to_owned()).stack_size(STACK).spawn(
            // not joined: a walk can hang in the kernel, and must not hold up the end
            move || run(&thread),
        )?;
        Ok(Self { shared })
    }

    /// The containers to measure from now on. The results of others are forgotten.
    pub fn set_targets(&self, targets: Vec<Target>) {
        let mut state = self.shared.lock();
        let ids: std::collections::HashSet<&str> = targets.iter().map(|t| t.id.as_str()).collect();
        state.done.retain(|id, _| ids.contains(id.as_str()));
        state.targets = targets;
        self.shared.changed.notify_all();
    }

    /// What is known of a container; none until its first walk has ended.
    pub fn get(&self, id: &str) -> Option<Measured> {
        let state = self.shared.lock();
        let done = state.done.get(id)?;
        let usage = |size: Size| Usage {
            bytes: size.bytes,
            inodes: size.inodes,
            age: done.at.elapsed(),
            complete: !size.incomplete,
        };
        Some(Measured { writable: done.writable.map(usage), logs: done.logs.map(usage) })
    }

    /// Counters since start.
    pub fn stats(&self) -> Stats {
        let state = self.shared.lock();
        let walking = state.walking.as_ref().map(|(id, since)| (id.clone(), since.elapsed()));
        Stats { walking, ..state.stats.clone() }
    }
}

impl Drop for DiskUsage {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for news or until the time is over; for ever without a time.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        time: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match time {
            Some(time) => {
                let waited = self.changed.wait_timeout(state, time);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// The thread: whose turn, walk, keep the result.
fn run(shared: &Shared) {
    // of this thread only, as Linux has it; the block layer derives its own priority from it
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::warn!(%error, "cannot lower the priority of the disk usage thread; it is rate-limited all the same");
    }
    loop {
        let target = {
            let mut state = shared.lock();
            loop {
                if state.stop {
                    return;
                }
                let ended = |id: &str| state.done.get(id).map(|done| done.at);
                match next(&state.targets, ended, shared.settings.every, Instant::now()) {
                    Next::Walk(target) => {
                        let target = target.clone();
                        state.walking = Some((target.id.clone(), Instant::now()));
                        break target;
                    }
                    Next::Wait(time) => state = shared.wait(state, time),
                }
            }
        };
        let Ok((writable, logs)) = measure(shared, &target) else { return };
        keep(shared, &target, writable, logs);
    }
}

type Found = Result<Option<Size>, Error>;

/// Walks what a container has.
fn measure(shared: &Shared, target: &Target) -> Result<(Found, Found), Stopped> {
    let settings = &shared.settings;
    let mut bounds = Bounds::new(settings.inodes_max);
    let mut pace = Pace { shared, since: Instant::now(), done: 0 };
    let mut size_of = |trees: Vec<OwnedFd>| {
        let mut size = Size::default();
        for tree in trees {
            walk(tree, &mut bounds, &mut size, || pace.one())?;
        }
        Ok(size)
    };
    let layer = Process::open(&settings.proc, target.pid, target.cgroup.as_deref())
        .map_err(|error| Error::Process { pid: target.pid, error: error.into() })
        .and_then(|process| find::writable_layer(&settings.proc, target.pid, &process));
    let writable = match layer {
        Ok(layer) => Ok(Some(size_of(vec![layer])?)),
        Err(error) => Err(error),
    };
    let logs = match find::log_volumes(&settings.proc, &target.log_sources) {
        Ok(volumes) if volumes.is_empty() => Ok(None),
        Ok(volumes) => Ok(Some(size_of(volumes)?)),
        Err(error) => Err(error),
    };
    Ok((writable, logs))
}

/// Keeps a result, and tells what is new about a failure.
fn keep(shared: &Shared, target: &Target, writable: Found, logs: Found) {
    let mut state = shared.lock();
    state.walking = None;
    state.stats.walks += 1;
    let mut measuring = match state.done.remove(&target.id) {
        Some(before) => before.measuring,
        None => Episode::new(format!("disk usage of container {}", target.id)),
    };
    if writable.is_ok() && logs.is_ok() {
        measuring.recovered();
    }
    let mut sizes = [None; 2];
    for (slot, found) in sizes.iter_mut().zip([writable, logs]) {
        match found {
            Ok(size) => *slot = size,
            Err(error) => {
                *state.stats.failures.entry(error.cause()).or_default() += 1;
                measuring.failed(&error);
            }
        }
    }
    for size in sizes.iter().flatten() {
        state.stats.inodes += size.inodes;
        state.stats.unreadable += size.unreadable;
        state.stats.incomplete += u64::from(size.incomplete);
    }
    // gone in the meantime: nobody asks for it any more
    if state.targets.iter().any(|known| known.id == target.id) {
        let [writable, logs] = sizes;
        let done = Done { at: Instant::now(), writable, logs, measuring };
        state.done.insert(target.id.clone(), done);
    }
}

/// Keeps a walk at its rate.
struct Pace<'a> {
    shared: &'a Shared,
    since: Instant,
    done: u64,
}

impl Pace<'_> {
    /// Before each inode: waits when the walk is ahead of its rate.
    fn one(&mut self) -> Result<(), Stopped> {
        self.done += 1;
        if self.done < BATCH {
            return Ok(());
        }
        let rate = self.shared.settings.inodes_per_second.max(1);
        let end = self.since + Duration::from_micros(self.done.saturating_mul(1_000_000) / rate);
        let mut state = self.shared.lock();
        loop {
            if state.stop {
                return Err(Stopped);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // a slow disk is not made up for with a burst
                (self.since, self.done) = (Instant::now(), 0);
                return Ok(());
            }
            state = self.shared.wait(state, Some(left));
        }
    }
}
