//! The door to one container's figures: open it once, read it on every tick, drop it when it is gone.
//!
//! A group is one run of one container: (path, inode). Restarted, the container has the same path and another cgroup; the old group
//! says [`Reading::Gone`] and a new one is to be opened, so that no rate is ever made across the two. Limits and other figures that
//! change only when somebody changes them are read on slow passes (once a minute, and after `docker update`) and repeated in between;
//! of those, what only the container itself can change is spared while it does not run (`quiet`).
//! Dropping a group closes everything it held.

mod families;
mod io;
mod limits;
mod open;
mod pace;
mod quiet;

use crate::kernel::network::{NetView, Network};
use crate::kernel::read::files::Files;
use crate::kernel::read::stats::{Family, ReadStats};
use crate::kernel::read::table::File;
use crate::kernel::shared::{Error, Families, Kernel};
use crate::sample::{Figures, Sample};
use pace::Pace;
use quiet::Quiet;
use rustix::fd::AsFd;
use std::path::Path;
use std::time::Instant;

/// How a reading went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Reading {
    /// The sample holds what could be read.
    Ok,
    /// The cgroup was removed; the sample is empty.
    Gone,
}

/// One run of one container.
#[derive(Debug)]
pub struct Group {
    id: String,
    files: Files,
    network: Network,
    /// What slow passes read.
    carried: Figures,
    memory_stat: Pace,
    quiet: Quiet,
    fresh: bool,
}

impl Group {
    /// The container's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Inode of its cgroup (in the memory hierarchy, on v1): another one at the same path is another run.
    pub fn inode(&self) -> u64 {
        self.files.inode()
    }

    /// Directory of its cgroup (in the memory hierarchy, on v1).
    pub fn path(&self) -> &Path {
        self.files.path(self.files.main()).unwrap_or_else(|| Path::new(""))
    }

    /// Whose network its figures are, as of the last reading.
    pub fn net_view(&self) -> &NetView {
        self.network.view()
    }

    /// How well the hierarchies it was found in identify it; 0 is best. A removal takes them one by one, so what is left of a group that
    /// is being removed has a higher one than the group had.
    pub fn rank(&self) -> usize {
        self.files.rank()
    }

    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// Reads everything asked for into `sample`, which is emptied first. The first reading of a group is slow whatever `slow` says.
    pub fn read(&mut self, kernel: &mut Kernel, slow: bool, sample: &mut Sample) -> Reading {
        sample.clear();
        let fresh = std::mem::take(&mut self.fresh);
        let slow = fresh || slow;
        let families = kernel.families;
        let mut lap = Lap(Instant::now());
        self.files.begin(&mut kernel.reader);
        if families.cpu {
            self.cpu(kernel, fresh || kernel.all, slow, sample);
            lap.to(&mut kernel.reader.stats, Family::Cpu);
        }
        if slow && !self.quiet.spares() {
            self.files.forget_absent();
        }
        if families.memory {
            self.memory(kernel, lap.0, &mut sample.figures);
            lap.to(&mut kernel.reader.stats, Family::Memory);
        }
        if families.oom || families.memory {
            self.oom(kernel, &mut sample.figures);
            lap.to(&mut kernel.reader.stats, Family::Oom);
        }
        if families.io {
            io::read(&mut self.files, kernel, lap.0, sample);
            lap.to(&mut kernel.reader.stats, Family::Io);
        }
        if families.pids {
            self.pids(kernel, &mut sample.figures);
            lap.to(&mut kernel.reader.stats, Family::Pids);
        }
        if families.pressure {
            self.pressure(kernel, &mut sample.figures);
            lap.to(&mut kernel.reader.stats, Family::Pressure);
        }
        if slow {
            self.limits(kernel);
            lap.to(&mut kernel.reader.stats, Family::Limits);
        }
        if families.net && !self.files.is_gone() {
            self.net(kernel, slow, sample);
            lap.to(&mut kernel.reader.stats, Family::Net);
        }
        self.files.end();
        if self.files.is_gone() {
            sample.clear();
            return Reading::Gone;
        }
        sample.figures.overlay(&self.carried);
        self.quiet.end(&sample.figures);
        Reading::Ok
    }

    /// The OOM kills so far, read at once: for when [`crate::kernel::oom_watch`] says that there was one.
    pub fn oom_kills(&mut self, kernel: &mut Kernel) -> Option<u64> {
        let mut figures = Figures::default();
        self.files.begin(&mut kernel.reader);
        self.kills(kernel, &mut figures);
        self.files.end();
        figures.get(crate::sample::Field::OomKills)
    }

    fn net(&mut self, kernel: &mut Kernel, slow: bool, sample: &mut Sample) {
        let states = (slow && kernel.families.tcp_states).then_some(&mut self.carried);
        let Kernel { reader, networks, proc, .. } = kernel;
        let mut pass = crate::kernel::network::Pass {
            reader,
            networks,
            proc: proc.as_fd(),
            files: &self.files,
        };
        let quiet = &mut self.quiet;
        let silent = |net_dev: &[u8], out: &mut Figures| quiet.is_silent(net_dev, out);
        self.network.read(&mut pass, slow, states, silent, sample);
    }

    /// Reads a file into figures and counts what was wrong in it.
    fn figures(
        &mut self,
        kernel: &mut Kernel,
        file: File,
        out: &mut Figures,
        parse: impl FnOnce(&[u8], &mut Figures) -> crate::collect::text::Flaws,
    ) {
        if let Some(text) = self.files.read(&mut kernel.reader, file) {
            let flaws = parse(text, out);
            self.files.note(&mut kernel.reader, file, flaws);
        }
    }
}

/// Splits the time of a pass over its families.
struct Lap(Instant);

impl Lap {
    fn to(&mut self, stats: &mut ReadStats, family: Family) {
        let now = Instant::now();
        stats.time(family, now.saturating_duration_since(self.0));
        self.0 = now;
    }
}
