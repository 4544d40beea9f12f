//! Ten thousand starts and stops: nothing may be left behind.

use crate::process::resident;
use crate::simulated::Cgroups;
use crate::table::Table;
use anyhow::Result;
use common::metric::{Batch, Namer, Style};
use common::tick::{Now, Tick};
use dadvisor::board::Board;
use dadvisor::collector::{Collector, Surroundings};
use dadvisor::kernel::{Families, Kernel, Roots};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Cgroups alive at a time.
const ALIVE: usize = 100;
const STARTS: usize = 10_000;

/// The table.
pub fn run() -> Result<String> {
    let cgroups = Cgroups::make(ALIVE)?;
    let kernel =
        Kernel::open(Roots::default(), Families { net: false, ..Families::default() }, false)?;
    let around = Surroundings {
        board: Arc::new(Board::default()),
        namer: Namer::new("qae", "dc1", Style::Path),
        recent_max: 8 << 20,
        started_ms: 0,
    };
    let mut collector = Collector::new(kernel, around);
    let mut batch = Batch::default();
    let begin = Instant::now();
    let clock = || Now {
        wall: Duration::from_secs(1_795_392_000) + begin.elapsed(),
        mono: begin.elapsed(),
    };
    let mut figures = Vec::new();
    for round in 0..STARTS / ALIVE {
        let mut list = Vec::new();
        for n in 0..ALIVE {
            cgroups.stop(n);
            cgroups.start(n)?;
            let mut container = (*cgroups.container(n)).clone();
            container.id = format!("{}-{round}", container.id);
            list.push(Arc::new(container));
        }
        collector.reconcile(&list);
        batch.restart(1_795_392_000);
        let tick = Tick { timestamp: 1_795_392_000, missed: 0, stepped_ms: 0 };
        collector.pass(tick, &clock, None, &mut batch, &mut |_| (), &mut |_| ());
        if round == 9 || round == STARTS / ALIVE - 1 {
            let descriptors = std::fs::read_dir("/proc/self/fd")?.count();
            figures.push((resident(std::process::id())?, descriptors));
        }
    }
    let mut table = Table::new(&["after starts and stops", "resident", "descriptors"]);
    for (starts, (rss, descriptors)) in [ALIVE * 10, STARTS].iter().zip(figures) {
        table.row(vec![starts.to_string(), format!("{} KiB", rss / 1024), descriptors.to_string()]);
    }
    Ok(table.render())
}
