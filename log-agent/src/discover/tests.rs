//! Real files in temporary directories. Nothing sleeps: what must become true is waited for, with a deadline.

mod cost;
mod hostile;
mod model;
mod overflow;
mod rotation;

use crate::files::{Files, Known, Pace, Settings};
use crate::identity::Mark;
use crate::name::FileName;
use crate::source::{Place, Source, SourceId, Step};
use crate::volume::{Form, InstanceKey, Volume};
use common::ids::{AppId, InstanceId};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that passes never waits so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A volume in a temporary directory, and a shipper that keeps what it reads.
struct Lab {
    dir: tempfile::TempDir,
    files: Files,
    settings: Settings,
    shipped: Shipped,
}

/// Device, inode, birth.
type Inode = (u64, u64, Option<(i64, u32)>);

/// What was shipped, and what is remembered of it as the journal would.
#[derive(Default)]
struct Shipped {
    cursors: BTreeMap<SourceId, Place>,
    known: BTreeMap<(u64, u64), Known>,
    /// The bytes of each file, in the order they were read.
    bytes: BTreeMap<Inode, Vec<u8>>,
    skipped: u64,
}

fn quick() -> Settings {
    let pace = Pace {
        rescan: Duration::from_millis(200),
        gather: Duration::from_millis(1),
        linger: Duration::from_millis(0),
        copy: Duration::from_millis(150),
        idle: Duration::ZERO,
    };
    Settings { pace, ..Settings::default() }
}

fn volume(dir: &Path, instance: &str) -> Volume {
    Volume {
        instance: InstanceKey { id: InstanceId::new(instance), app: AppId::new("shop/web") },
        dir: dir.to_owned(),
        name: String::new(),
        ended_at: None,
        form: Form::Plain,
    }
}

impl Lab {
    fn new() -> Self {
        Self::with(quick())
    }

    fn with(settings: Settings) -> Self {
        Self::within(tempfile::tempdir().unwrap(), settings)
    }

    fn within(dir: tempfile::TempDir, settings: Settings) -> Self {
        fs::create_dir(dir.path().join("volume")).unwrap();
        let files = Files::resume(settings.clone(), Vec::new()).unwrap();
        let lab = Self { dir, files, settings, shipped: Shipped::default() };
        lab.files.set_volumes(Arc::new(vec![volume(&lab.path(""), "one")]));
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("volume").join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// The agent ends and starts again with what was acknowledged.
    fn restart(&mut self) {
        self.files.stop();
        self.resume();
    }

    fn resume(&mut self) {
        let known = self.shipped.known.values().cloned().collect();
        self.files = Files::resume(self.settings.clone(), known).unwrap();
        self.shipped.cursors.clear();
        self.files.set_volumes(Arc::new(vec![volume(&self.path(""), "one")]));
    }

    /// Ships what there is until something is true.
    fn ship_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(
                Instant::now() < until,
                "never: {what}; shipped {:?}; {:?}; {:#?}",
                self.text().chars().take(2_000).collect::<String>(),
                self.files.figures(),
                self.files.all()
            );
            for source in self.files.woken(0).wait(Duration::from_millis(10), 64) {
                self.shipped.ship(&source);
            }
        }
    }

    /// Ships until exactly this was shipped, whatever the order of files.
    fn expect(&mut self, lines: &[&str]) {
        let mut lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
        lines.sort();
        self.ship_until(&format!("{lines:?}"), |lab| lab.lines().len() >= lines.len());
        assert_eq!(self.lines(), lines);
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.text().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn text(&self) -> String {
        let all: Vec<u8> = self.shipped.bytes.values().flatten().copied().collect();
        String::from_utf8_lossy(&all).into_owned()
    }

    fn source(&self, name: &str) -> Option<Arc<Source>> {
        self.files.all().into_iter().find(|s| s.name().shown() == name)
    }

    /// Waits for something that has nothing to do with shipping.
    fn until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let mut set = self.files.subscribe();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let until = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(Instant::now() < until, "never: {what}; {:?}", self.files.figures());
            runtime.block_on(async {
                tokio::time::timeout(Duration::from_millis(20), set.changed()).await.ok();
            });
        }
    }

    fn refused(&self, reason: &str) -> u64 {
        self.files.figures().iter().map(|f| f.refused.get(reason).copied().unwrap_or(0)).sum()
    }

    fn gaps(&self, reason: &str) -> (u64, u64) {
        let figures = self.files.figures();
        figures.first().and_then(|f| f.gaps.get(reason).copied()).unwrap_or((0, 0))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.files.stop();
    }
}

impl Shipped {
    /// Reads a source to its end as the shipper does, and acknowledges at once.
    fn ship(&mut self, source: &Arc<Source>) {
        let Some(start) = source.start() else { return };
        let mut place = match self.cursors.get(&source.id()) {
            Some(place) if place.generation == start.generation => *place,
            _ => start,
        };
        self.journal(source, place);
        let of = source.identity();
        let mut buf = vec![0; 64 << 10];
        loop {
            match source.read_on(&place, &mut buf) {
                Ok(Step::Bytes(0)) => break,
                Ok(Step::Bytes(read)) => {
                    let keep = place.mark.behind();
                    let mut before = vec![0; keep];
                    source.read_at(place.mark.offset - keep as u64, &mut before).unwrap();
                    let bytes = self.bytes.entry((of.dev, of.ino, of.birth)).or_default();
                    bytes.extend_from_slice(&buf[..read]);
                    before.extend_from_slice(&buf[..read]);
                    place.mark = Mark::at(place.mark.offset + read as u64, &before);
                }
                Ok(Step::Skip { to }) => {
                    self.skipped += to - place.mark.offset;
                    let Some(mark) = source.mark_at(to).unwrap() else { break };
                    place.mark = mark;
                }
                Ok(Step::Restart) => match source.start() {
                    Some(start) if start.generation != place.generation => place = start,
                    // the follower looks again, and names it again
                    _ => break,
                },
                // let go
                Err(_) => break,
            }
        }
        self.cursors.insert(source.id(), place);
        source.acknowledged(place);
        self.journal(source, place);
    }

    /// Nothing is written down of a generation before something of it was shipped: the one before it is known as long as possible.
    fn journal(&mut self, source: &Arc<Source>, place: Place) {
        let identity = source.identity();
        if source.generation() == place.generation && place.mark.offset > 0 {
            let known = Known { identity, mark: place.mark, name: (*source.name()).clone() };
            self.known.insert((identity.dev, identity.ino), known);
        }
    }
}
