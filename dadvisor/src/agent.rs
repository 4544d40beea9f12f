//! The tick, on a thread of its own: what happened, who is here, read them, read the node, hand over, tell.

use crate::board::{Board, PassStats};
use crate::collector::{Collector, OomReading};
use crate::discover::watch::Containers;
use crate::disk_usage::{DiskUsage, Target};
use crate::host::Host;
use crate::oom::totals::OomTotals;
use crate::own::{Counts, pass_stats};
use common::carbon::Carbon;
use common::container::Container;
use common::docker::Event;
use common::ids::NodeName;
use common::logging::Episode;
use common::metric::{Batch, Name, Namer, Series, Value};
use common::systemd::Pulse;
use common::tick::{Now, Tick, Ticker};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Lines are handed over in chunks of about this many bytes: a pass of many containers needs no more memory than one of few.
const CHUNK: usize = 256 << 10;

/// How long the first pass waits for discovery, so that it is not of the node alone.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Where the thread's passes show.
pub struct Shown {
    /// Where readers look.
    pub board: Arc<Board>,
    /// Told the timestamp of each pass: in-app scrapes start then.
    pub passed: watch::Sender<u64>,
    /// Told the OOM kills of each container when there are more.
    pub kills: watch::Sender<Arc<BTreeMap<String, u64>>>,
    /// Beats once a pass.
    pub pulse: Arc<Pulse>,
}

/// What the thread is given.
pub struct Parts {
    /// Reads containers.
    pub collector: Collector,
    /// Reads the node.
    pub host: Host,
    /// Walks writable layers and log volumes, if asked for.
    pub disk: Option<Arc<DiskUsage>>,
    /// OOM kills per app.
    pub totals: OomTotals,
    /// Takes batches.
    pub carbon: Carbon,
    /// Names series.
    pub namer: Namer,
    /// This node.
    pub node: NodeName,
    /// This host is alone: it writes app totals that otherwise only the centre can write.
    pub alone: bool,
    /// Who is here.
    pub inventory: watch::Receiver<Containers>,
    /// What the engine told.
    pub events: mpsc::Receiver<Event>,
    /// Where passes show.
    pub shown: Shown,
}

/// The thread's state.
pub struct Agent {
    parts: Parts,
    ticker: Ticker,
    batch: Batch,
    node_series: Series,
    node_component: String,
    stats: PassStats,
    counts: Counts,
    saving: Episode,
    begun: Instant,
}

impl Agent {
    /// Ready to run.
    pub fn new(parts: Parts, interval: Duration) -> Self {
        Self {
            ticker: Ticker::new(interval),
            batch: Batch::default(),
            node_series: parts.namer.node(&parts.node),
            node_component: parts.node.component(),
            stats: PassStats::default(),
            counts: Counts::default(),
            saving: Episode::new("OOM totals"),
            begun: Instant::now(),
            parts,
        }
    }

    /// Runs on a thread of its own.
    pub fn start(self) -> std::io::Result<Running> {
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (alive, died) = oneshot::channel();
        let work = move || {
            self.run(&stopped);
            drop(alive);
        };
        let thread = std::thread::Builder::new().name("collector".to_owned()).spawn(work)?;
        Ok(Running { stop, died, thread })
    }

    /// Takes passes until the other end of `stop` (a pipe) is closed. Between passes it reads OOM kills as they happen.
    pub fn run(mut self, stop: &OwnedFd) {
        while self.begun.elapsed() < FIRST_WAIT
            && !self.parts.inventory.has_changed().unwrap_or(true)
        {
            if self.sleep(stop, Duration::from_millis(2)) {
                return;
            }
        }
        loop {
            let wait = self.ticker.wait(self.now());
            if !wait.is_zero() {
                if self.sleep(stop, wait) {
                    return;
                }
                continue;
            }
            let tick = self.ticker.begin(self.now());
            self.pass(tick);
            self.parts.shown.pulse.beat();
        }
    }

    /// True if told to stop meanwhile. Returns early after an OOM kill.
    fn sleep(&mut self, stop: &OwnedFd, wait: Duration) -> bool {
        // up to the next millisecond: a pass a little late stands in its slot, one a little early does not
        let wait = Timespec::try_from(wait + Duration::from_millis(1)).ok();
        let mut fds = vec![PollFd::new(stop, PollFlags::IN)];
        fds.extend(
            self.parts.collector.oom_fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        if let Err(error) = poll(&mut fds, wait.as_ref()) {
            // interrupted: the caller asks the clock again
            tracing::debug!(%error, "poll");
            return false;
        }
        let stopped = !fds[0].revents().is_empty();
        let oom = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        if oom {
            self.note_kills();
        }
        stopped
    }

    fn now(&self) -> Now {
        Now::read(self.begun)
    }

    /// The kernel told of a kill: read the counters now, the cgroup may be gone at the next tick.
    fn note_kills(&mut self) {
        let ledger = &mut self.parts.totals.ledger;
        self.parts.collector.read_kills(&mut |r| {
            ledger.kernel(&r.container.app, &r.container.id, r.inode, r.kills, r.fresh);
        });
        self.save_totals();
    }

    fn pass(&mut self, tick: Tick) {
        let started = Instant::now();
        self.counts.note(tick, self.stats.seconds);
        self.drain_events();
        if self.parts.inventory.has_changed().unwrap_or(false) {
            let list = Arc::clone(&self.parts.inventory.borrow_and_update());
            self.parts.collector.reconcile(&list);
            self.parts.totals.ledger.keep(|id| list.iter().any(|c| c.id == id));
            if let Some(disk) = &self.parts.disk {
                disk.set_targets(list.iter().filter_map(|c| Target::of(c)).collect());
            }
        }
        self.batch.restart(tick.timestamp);
        self.counts.points = 0;
        let begun = self.begun;
        let ledger = &mut self.parts.totals.ledger;
        let mut oom = |r: OomReading<'_>| {
            ledger.kernel(&r.container.app, &r.container.id, r.inode, r.kills, r.fresh);
        };
        let disk = self.parts.disk.as_deref();
        let (carbon, counts) = (&self.parts.carbon, &mut self.counts);
        let mut hand_over = |batch: &mut Batch| {
            if batch.lines.len() >= CHUNK {
                counts.hand_over(carbon, batch);
            }
        };
        let collector = &mut self.parts.collector;
        collector.pass(tick, &|| Now::read(begun), disk, &mut self.batch, &mut hand_over, &mut oom);
        self.read_node();
        self.write_app_totals();
        self.counts.hand_over(&self.parts.carbon, &mut self.batch);
        self.save_totals();
        self.publish(tick, started.elapsed());
    }

    fn publish(&mut self, tick: Tick, took: Duration) {
        let collector = &self.parts.collector;
        self.stats = pass_stats(&self.stats, tick, took, collector, &self.counts, &self.parts.host);
        self.parts.shown.board.set_stats(self.stats.clone());
        self.parts.shown.passed.send_replace(tick.timestamp);
    }

    fn save_totals(&mut self) {
        if let Some(kills) = self.parts.totals.ledger.take_kills() {
            self.parts.shown.kills.send_replace(Arc::new(kills));
        }
        match self.parts.totals.save() {
            Ok(()) => self.saving.recovered(),
            Err(error) => self.saving.failed(&error),
        }
    }

    fn drain_events(&mut self) {
        // one line per container and tick: a container that is killed in a loop must not fill the log
        let mut killed = BTreeMap::<String, (Arc<Container>, u64)>::new();
        while let Ok(event) = self.parts.events.try_recv() {
            match event {
                Event::Started { .. } => self.counts.started += 1,
                Event::Died { unseen, .. } => {
                    self.counts.started += u64::from(unseen);
                    self.counts.ended += 1;
                }
                Event::Oom { container } => {
                    let late = self.parts.collector.runs_anew(&container);
                    self.parts.totals.ledger.event(&container.app, &container.id, late);
                    killed.entry(container.id.clone()).or_insert((container, 0)).1 += 1;
                }
                Event::Updated { id } => self.parts.collector.limits_changed(&id),
            }
        }
        for (id, (Container { app, instance, .. }, kills)) in
            killed.iter().map(|(id, (container, kills))| (id, (container.as_ref(), kills)))
        {
            tracing::warn!(id, %app, %instance, kills, "out of memory: the kernel killed processes of this container");
        }
    }

    fn read_node(&mut self) {
        self.parts.host.read(Instant::now());
        let mut shown = Vec::with_capacity(256);
        let (batch, series) = (&mut self.batch, &self.node_series);
        let mut emit = |name: Name<'_>, value: Value| {
            batch.push(series, name, value);
            shown.push((name.to_string(), value.as_f64()));
        };
        self.parts.host.each(&mut emit);
        let collector = &self.parts.collector;
        emit(Name::from("containers.running"), Value::Int(collector.read_last()));
        emit(Name::from("containers.started_total"), Value::Int(self.counts.started));
        emit(Name::from("containers.ended_total"), Value::Int(self.counts.ended));
        if let Some(dying) = collector.kernel().dying_cgroups() {
            emit(Name::from("cgroups.dying"), Value::Int(dying));
        }
        let carbon = self.parts.carbon.status();
        emit(Name::from("dadvisor.pass_seconds"), Value::Float(self.stats.seconds));
        emit(Name::from("dadvisor.spool_points"), Value::Int(carbon.waiting_points));
        let dropped =
            carbon.dropped_at_cap_points + carbon.dropped_disk_points + carbon.damaged_points;
        emit(Name::from("dadvisor.points_dropped_total"), Value::Int(dropped));
        self.parts.shown.board.set_node(shown);
    }

    /// Every node that runs an app counts its own kills; a host that is alone also writes the app's total.
    fn write_app_totals(&mut self) {
        for (app, kills) in self.parts.totals.ledger.totals() {
            let series = self.parts.namer.app(app);
            let here = Name("nodes.", &self.node_component, ".oom_kills_total");
            self.batch.push(&series, here, Value::Int(*kills));
            if self.parts.alone {
                self.batch.push(&series, Name::from("oom_kills_total"), Value::Int(*kills));
            }
        }
    }
}

/// The thread, from outside.
pub struct Running {
    /// Closed, it ends the thread.
    stop: OwnedFd,
    died: oneshot::Receiver<()>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Until the thread ends by itself: it panicked.
    pub async fn died(&mut self) {
        // nothing is ever sent: what ends the wait is the sender's end
        drop((&mut self.died).await);
    }

    /// Ends the thread after the pass under way.
    pub async fn end(self) {
        drop(self.stop);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the collector's thread panicked");
        }
    }
}
