//! Passes over real cgroups that are made and removed hierarchy by hierarchy, as engines do.

use crate::sandbox::{Sandbox, alone, kernel};
use common::container::Container;
use common::metric::{Batch, Namer, Style};
use common::tick::{Now, Tick};
use dadvisor::board::{Board, lock};
use dadvisor::collector::{Collector, Surroundings};
use dadvisor::sample::Field;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// A collector with one container, and its clock.
struct Passes {
    collector: Collector,
    board: Arc<Board>,
    seconds: u64,
}

impl Passes {
    fn over(container: Container) -> Self {
        let board = Arc::new(Board::default());
        let mut collector = Collector::new(
            kernel(true),
            Surroundings {
                board: Arc::clone(&board),
                namer: Namer::new("qae", "dc1", Style::Path),
                recent_max: 1 << 20,
                started_ms: 0,
            },
        );
        collector.reconcile(&[Arc::new(container)]);
        Self { collector, board, seconds: 1_795_600_000 }
    }

    /// Takes one, so many seconds after the last: its points.
    fn take(&mut self, later: u64) -> u32 {
        self.seconds += later;
        let at = Duration::from_secs(self.seconds);
        let tick = Tick { timestamp: self.seconds, missed: 0, stepped_ms: 0 };
        let mut batch = Batch::default();
        batch.restart(self.seconds);
        self.collector.pass(
            tick,
            &|| Now { wall: at, mono: at },
            None,
            &mut batch,
            &mut |_| {},
            &mut |_| {},
        );
        batch.points
    }

    fn has(&self, field: Field) -> bool {
        lock(&self.board.entries()[0]).sample.figures.get(field).is_some()
    }
}

#[test]
fn hierarchies_that_come_later_are_taken_up_without_a_new_life() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    let later = sandbox.besides_memory();
    if later.is_empty() {
        return; // v2: a cgroup is made at once
    }
    later.iter().for_each(|dir| fs::remove_dir(dir).unwrap());
    let mut passes = Passes::over(sandbox.container(None));
    assert!(passes.take(0) > 0);
    later.iter().for_each(|dir| fs::create_dir(dir).unwrap());
    passes.take(1);
    assert!(passes.has(Field::MemoryUsage) && !passes.has(Field::CpuUsage));
    passes.take(70);
    assert!(passes.has(Field::MemoryUsage) && passes.has(Field::CpuUsage));
    assert!(passes.has(Field::PidsCurrent));
    let entry = &passes.board.entries()[0];
    assert_eq!(lock(entry).elapsed, Some(Duration::from_secs(70)));
}

#[test]
fn what_is_left_of_a_container_is_no_container() {
    let _alone = alone();
    let mut sandbox = Sandbox::new();
    let remains = sandbox.besides_memory();
    let mut passes = Passes::over(sandbox.container(None));
    assert!(passes.take(0) > 0);
    sandbox.remove();
    remains.iter().for_each(|dir| fs::create_dir(dir).unwrap());
    for later in [1, 1, 100] {
        assert_eq!(passes.take(later), 0, "points of what is left in {remains:?}");
    }
    remains.iter().for_each(|dir| fs::remove_dir(dir).unwrap());
    sandbox.create();
    assert!(passes.take(1) > 0);
    assert_eq!(lock(&passes.board.entries()[0]).elapsed, None, "another life");
    assert_eq!(passes.collector.not_found(), 3);
}
