//! What a pass costs per container, over the floor, at growing numbers of cgroups; and whether it allocates.

use crate::floor::{Floor, Method, V1_FILES, V2_FILES, trimmed};
use crate::simulated::Cgroups;
use crate::table::Table;
use anyhow::Result;
use common::metric::{Batch, Namer, Series, Style};
use dadvisor::kernel::read::stats::Family;
use dadvisor::kernel::{Families, Group, Kernel, Reading, Roots};
use dadvisor::rate::{self, Previous};
use dadvisor::sample::Sample;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Numbers of cgroups measured.
const SIZES: [usize; 4] = [10, 100, 1000, 3000];
/// Rounds per figure; the median counts, the machine is noisy.
const ROUNDS: usize = 7;
/// How often floors and dadvisor take turns.
const TURNS: usize = 3;

/// Default families, less the network: simulated cgroups have no processes.
fn families() -> Families {
    Families { net: false, ..Families::default() }
}

/// The table.
pub fn run() -> Result<String> {
    let mut table = Table::new(&[
        "cgroups",
        "files each",
        "floor, by path",
        "floor, beneath",
        "floor, held",
        "read and parse",
        "read to lines",
        "ratio read",
        "ratio all",
        "allocations",
    ]);
    for size in SIZES {
        table.row(measure(size)?);
    }
    Ok(table.render())
}

/// Floors and dadvisor take turns, each alone: together they would need more descriptors than a host allows.
fn measure(size: usize) -> Result<Vec<String>> {
    let cgroups = Cgroups::make(size)?;
    let groups: Vec<_> = (0..size).map(|n| directories(n, cgroups.v2)).collect();
    let mut times = vec![Vec::new(); 5];
    let (mut floor_files, mut files, mut allocations) = (0, 0, 0);
    for _ in 0..TURNS {
        for (i, method) in [Method::Path, Method::Beneath, Method::Held].into_iter().enumerate() {
            // more files than this process may hold: no figure
            let Ok(mut floor) = Floor::new(method, &groups, &[]) else { continue };
            floor.pass()?;
            for _ in 0..ROUNDS {
                times[i].push(timed(|| floor.pass().map(|_| ()))?);
            }
            floor_files = u64::try_from(floor.files())?;
        }
        let mut subject = Subject::open(&cgroups)?;
        // everything is warm, and every figure that is read rarely has been read
        subject.read(true)?;
        subject.read(false)?;
        let (allocated, read) = (crate::allocations(), subject.files_read());
        subject.read(false)?;
        allocations += crate::allocations() - allocated;
        files = subject.files_read() - read;
        for _ in 0..ROUNDS {
            times[3].push(timed(|| subject.read(false))?);
            times[4].push(timed(|| subject.pass())?);
        }
    }
    anyhow::ensure!(
        floor_files == files,
        "the floor reads {floor_files} files, dadvisor {files}: not the same work"
    );
    let containers = f64::from(u32::try_from(size)?);
    let each: Vec<f64> = times.iter_mut().map(|t| median(t) / containers).collect();
    let micros = |v: f64| if v.is_nan() { "-".to_owned() } else { format!("{:.1} µs", v * 1e6) };
    let mut row = vec![size.to_string(), (files / u64::try_from(size)?).to_string()];
    row.extend(each.iter().map(|v| micros(*v)));
    row.extend([
        format!("{:.2}", each[3] / each[1]),
        format!("{:.2}", each[4] / each[1]),
        allocations.to_string(),
    ]);
    Ok(row)
}

/// The directories of simulated cgroup `n` and the files to read there.
fn directories(n: usize, v2: bool) -> Vec<(PathBuf, &'static [&'static str])> {
    let root = Path::new("/sys/fs/cgroup");
    if v2 {
        return vec![(root.join(format!("qae-bench/c{n}")), &V2_FILES)];
    }
    let directory = |controller: &str| root.join(controller).join(format!("qae-bench/c{n}"));
    let dirs = V1_FILES.iter().map(|(controller, files)| (directory(controller), *files));
    dirs.map(|(dir, files)| (dir.clone(), trimmed(&dir, files))).collect()
}

/// What dadvisor does, without its threads.
struct Subject {
    kernel: Kernel,
    tracked: Vec<(Group, Sample, Sample, Series)>,
    batch: Batch,
}

impl Subject {
    fn open(cgroups: &Cgroups) -> Result<Self> {
        let mut kernel = Kernel::open(Roots::default(), families(), false)?.sparing_nothing();
        let namer = Namer::new("qae", "dc1", Style::Path);
        let mut tracked = Vec::new();
        for container in cgroups.containers() {
            let group = Group::open(&mut kernel, &container)?;
            let series = namer.instance(&container.app, &container.instance);
            tracked.push((group, Sample::default(), Sample::default(), series));
        }
        Ok(Self { kernel, tracked, batch: Batch::default() })
    }

    fn files_read(&self) -> u64 {
        Family::ALL.iter().map(|family| self.kernel.stats().files(*family)).sum()
    }

    fn read(&mut self, slow: bool) -> Result<()> {
        for (group, sample, previous, _) in &mut self.tracked {
            std::mem::swap(sample, previous);
            anyhow::ensure!(
                group.read(&mut self.kernel, slow, sample) == Reading::Ok,
                "{} is gone",
                group.id()
            );
        }
        Ok(())
    }

    fn pass(&mut self) -> Result<()> {
        self.read(false)?;
        self.batch.restart(1_795_392_000);
        for (_, sample, previous, series) in &self.tracked {
            let previous = Previous::new(previous, Duration::from_secs(10));
            rate::each(sample, previous, &mut |name, value| self.batch.push(series, name, value));
        }
        Ok(())
    }
}

fn timed(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
