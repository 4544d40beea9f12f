//! Real files through the follower and the shipper into a sink in memory that fails as it is told. Nothing sleeps: what must become true is
//! waited for, with a deadline.

mod failures;
mod files;
mod flume;
mod model;
mod outlets;
mod speed;

use super::batch::Events;
use super::journal::Journal;
use super::sink::{Failure, Sink, Status as SinkStatus};
use super::{ShipSettings, Shipper};
use crate::files::{Files, Pace, Settings};
use crate::volume::{Form, InstanceKey, Volume};
use common::ids::{AppId, InstanceId};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that passes never waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a sink does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Takes,
    /// Says that it is full to more than so many.
    TakesAtMost(usize),
    /// Is not there.
    Away,
    /// Keeps them, and the connection breaks before it says so.
    KeepsAndBreaks,
    /// Fails at lines that contain `poison`.
    FailsAtPoison,
    FailsAlways,
}

/// One event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Came {
    app: String,
    instance: String,
    file: String,
    offset: u64,
    part: Option<String>,
    body: String,
}

#[derive(Debug, Default)]
struct Store {
    came: Vec<Came>,
    requests: Vec<usize>,
    /// What to do with the next requests; then the last one.
    script: Vec<Does>,
    does: Option<Does>,
    sent: u64,
}

/// A sink in memory; clones are the same.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<(Mutex<Store>, Condvar)>);

impl Memory {
    fn does(&self, does: Does) {
        self.store().does = Some(does);
    }

    fn first(&self, script: &[Does]) {
        self.store().script = script.iter().rev().copied().collect();
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn bodies(&self) -> Vec<String> {
        self.store().came.iter().map(|c| c.body.clone()).collect()
    }

    fn until(&self, what: &str, mut done: impl FnMut(&Store) -> bool) {
        let until = Instant::now() + DEADLINE;
        let mut store = self.store();
        while !done(&store) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never: {what}; {} came: {:?}", store.came.len(), {
                let from = store.came.len().saturating_sub(20);
                &store.came[from..]
            });
            store = self.0.1.wait_timeout(store, left.min(Duration::from_millis(50))).unwrap().0;
        }
    }
}

impl Store {
    fn take(&mut self, events: &Events<'_>) {
        for event in events.iter() {
            let header = |name| event.header(name).unwrap_or_default().to_owned();
            self.came.push(Came {
                app: header("app"),
                instance: header("instance"),
                file: header("file"),
                offset: header("offset").parse().unwrap(),
                part: event.header("part").map(str::to_owned),
                body: String::from_utf8_lossy(event.body).into_owned(),
            });
        }
    }
}

impl Sink for Memory {
    fn send(&mut self, events: &Events<'_>) -> Result<(), Failure> {
        let mut store = self.store();
        store.requests.push(events.len());
        store.sent += 1;
        let does = store.script.pop().or(store.does).unwrap_or(Does::Takes);
        let poison = events.iter().any(|e| e.body.windows(6).any(|w| w == b"poison"));
        let answer = match does {
            Does::TakesAtMost(most) if events.len() > most => {
                Err(Failure::Full { cause: "full".into() })
            }
            Does::Away => Err(Failure::Lost { cause: "refused".into(), doubtful: false }),
            Does::FailsAtPoison if poison => Err(Failure::Fault { cause: "poison".into() }),
            Does::FailsAlways => Err(Failure::Fault { cause: "always".into() }),
            Does::KeepsAndBreaks => {
                store.take(events);
                Err(Failure::Lost { cause: "reset".into(), doubtful: true })
            }
            _ => {
                store.take(events);
                Ok(())
            }
        };
        self.0.1.notify_all();
        answer
    }

    fn idle(&mut self) {}

    fn status(&self) -> SinkStatus {
        SinkStatus { peer: "memory".into(), ..SinkStatus::default() }
    }
}

/// Volumes in a temporary directory, shipped to a sink in memory.
struct Lab {
    dir: tempfile::TempDir,
    instances: Vec<String>,
    settings: ShipSettings,
    outlets: usize,
    sink: Memory,
    files: Files,
    shipper: Shipper,
    /// Each process that was killed leaves its directory to a copy.
    states: usize,
}

fn settings() -> ShipSettings {
    ShipSettings {
        node: "node1".into(),
        partial_after: Duration::from_millis(300),
        ..ShipSettings::default()
    }
}

impl Lab {
    fn new() -> Self {
        Self::with(settings(), &["one"])
    }

    fn with(settings: ShipSettings, instances: &[&str]) -> Self {
        Self::spread(settings, instances, 1)
    }

    /// Over so many outlets, all of which lead into the same sink.
    fn spread(settings: ShipSettings, instances: &[&str], outlets: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for instance in instances {
            fs::create_dir_all(dir.path().join("volumes").join(instance)).unwrap();
        }
        let instances: Vec<String> = instances.iter().map(|i| (*i).to_owned()).collect();
        let sink = Memory::default();
        let sinks = vec![sink.clone(); outlets];
        let (files, shipper) = start(&dir, &instances, &settings, sinks, 0);
        Self { dir, instances, settings, outlets, sink, files, shipper, states: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        let (instance, name) = name.split_once(':').unwrap_or(("one", name));
        self.dir.path().join("volumes").join(instance).join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Waits until exactly these lines came, in this order.
    fn expect(&self, lines: &[&str]) {
        self.sink.until(&format!("{lines:?}"), |store| store.came.len() >= lines.len());
        assert_eq!(self.sink.bodies(), lines);
    }

    /// Waits until nothing is left to ship.
    fn drained(&self) {
        let until = Instant::now() + DEADLINE;
        let mut set = self.files.subscribe();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        loop {
            let all = self.files.all();
            let done = |s: &Arc<crate::source::Source>| {
                let to = s.acknowledged_to();
                to.generation == s.generation() && to.mark.offset >= s.len() && s.start().is_some()
            };
            if !all.is_empty() && all.iter().all(done) {
                return;
            }
            assert!(Instant::now() < until, "never drained: {:?}", self.shipper.status());
            runtime.block_on(async {
                tokio::time::timeout(Duration::from_millis(5), set.changed()).await.ok();
            });
        }
    }

    /// Ends in order.
    fn stop(&self) {
        assert!(self.shipper.stop(Instant::now() + DEADLINE));
        self.files.stop();
    }

    /// Starts again with the journal that was left.
    fn start(&mut self) {
        let sinks = vec![self.sink.clone(); self.outlets];
        let (files, shipper) =
            start(&self.dir, &self.instances, &self.settings, sinks, self.states);
        (self.files, self.shipper) = (files, shipper);
    }

    /// As after kill -9: another process with the journal as it is on the disk now; the old one reaches the sink no more.
    fn kill(&mut self) {
        let (sink, store) = (Memory::default(), self.sink.store());
        // between two requests: the old sink is cut off, what came is kept
        let journal = fs::read(self.state(self.states).join("journal")).unwrap();
        let mut new = sink.store();
        (new.came, new.does) = (store.came.clone(), store.does);
        drop(new);
        drop(store);
        let old = std::mem::replace(&mut self.sink, sink);
        old.does(Does::Away);
        self.shipper.stop(Instant::now() + DEADLINE);
        self.files.stop();
        self.states += 1;
        fs::create_dir_all(self.state(self.states)).unwrap();
        fs::write(self.state(self.states).join("journal"), journal).unwrap();
        self.start();
    }

    fn state(&self, nth: usize) -> PathBuf {
        self.dir.path().join(format!("state{nth}"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.sink.does(Does::Away);
        self.shipper.stop(Instant::now() + DEADLINE);
        self.files.stop();
    }
}

fn start(
    dir: &tempfile::TempDir,
    instances: &[String],
    settings: &ShipSettings,
    sinks: Vec<impl Sink + 'static>,
    state: usize,
) -> (Files, Shipper) {
    // the process before may still be letting go of it
    let (journal, known) = Journal::open(&dir.path().join(format!("state{state}"))).unwrap();
    let pace = Pace {
        rescan: Duration::from_millis(200),
        gather: Duration::from_millis(1),
        linger: Duration::ZERO,
        copy: Duration::from_millis(150),
        idle: Duration::ZERO,
    };
    let follow = Settings { pace, outlets: sinks.len(), ..Settings::default() };
    let files = Files::resume(follow, known).unwrap();
    let sinks = sinks.into_iter().map(|sink| Box::new(sink) as Box<dyn Sink>).collect();
    let shipper = Shipper::start(settings.clone(), files.clone(), journal, sinks).unwrap();
    let volume = |instance: &String| Volume {
        instance: key(instance),
        dir: Path::new(dir.path()).join("volumes").join(instance),
        name: String::new(),
        ended_at: None,
        form: if instance == "docker" { Form::DockerJson } else { Form::Plain },
    };
    files.set_volumes(Arc::new(instances.iter().map(volume).collect()));
    (files, shipper)
}

fn key(instance: &str) -> InstanceKey {
    InstanceKey { id: InstanceId::new(instance), app: AppId::new("shop/web") }
}

/// How often each body came.
fn counted(came: &[Came]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    came.iter().for_each(|c| *counts.entry(c.body.clone()).or_default() += 1);
    counts
}
