//! What the daemon counts about itself, in the words of `/metrics`.

use crate::board::PassStats;
use crate::collector::Collector;
use crate::host::Host;
use crate::kernel::read::stats::{Cause, Family};
use common::carbon::Carbon;
use common::figures::Count;
use common::metric::Batch;
use common::tick::Tick;
use std::time::Duration;

/// Counters that only rise.
#[derive(Debug, Default)]
pub struct Counts {
    /// Ticks without a pass.
    pub ticks_missed: u64,
    /// Steps of the wall clock.
    pub clock_steps: u64,
    /// Points of this pass handed over so far.
    pub points: u64,
    /// Points that were not finite or too long.
    pub points_refused: u64,
    /// Containers that started.
    pub started: u64,
    /// Containers that ended.
    pub ended: u64,
}

impl Counts {
    /// Gives a batch to carbon and empties it.
    pub fn hand_over(&mut self, carbon: &Carbon, batch: &mut Batch) {
        carbon.submit(batch);
        self.points += u64::from(batch.points);
        self.points_refused += u64::from(batch.refused);
        batch.restart(batch.timestamp);
    }

    /// Counts and tells what is odd about a tick.
    pub fn note(&mut self, tick: Tick, last_pass_seconds: f64) {
        if tick.stepped_ms != 0 {
            self.clock_steps += 1;
            tracing::warn!(
                stepped_ms = tick.stepped_ms,
                timestamp = tick.timestamp,
                "the wall clock stepped; ticks follow it"
            );
        }
        if tick.missed > 0 {
            self.ticks_missed += tick.missed;
            tracing::warn!(missed = tick.missed, last_pass_seconds, "ticks passed without a pass");
        }
    }
}

/// The figures of a pass that just ended.
pub fn pass_stats(
    before: &PassStats,
    tick: Tick,
    took: Duration,
    collector: &Collector,
    counts: &Counts,
    host: &Host,
) -> PassStats {
    let reading = collector.kernel().stats();
    let mut counters = vec![
        Count::one("ticks_missed", counts.ticks_missed),
        Count::one("clock_steps", counts.clock_steps),
        Count::one("points_refused", counts.points_refused),
        Count::one("containers_started", counts.started),
        Count::one("containers_ended", counts.ended),
        Count::one("files_spared", reading.spared()),
        Count::one("containers_not_found", collector.not_found()),
    ];
    counters.extend(
        Family::ALL.map(|family| Count::of("files_read", family.name(), reading.files(family))),
    );
    counters.extend(
        Cause::ALL.map(|cause| Count::of("read_errors", cause.name(), reading.total(cause))),
    );
    counters.extend(
        host.errors().map(|(source, failures)| Count::of("node_errors", source, failures.total)),
    );
    let seconds = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64();
    PassStats {
        timestamp: tick.timestamp,
        passes: before.passes + 1,
        seconds: took.as_secs_f64(),
        seconds_total: before.seconds_total + took.as_secs_f64(),
        containers: collector.read_last(),
        points: counts.points,
        counters,
        family_seconds: Family::ALL
            .map(|family| (family.name(), seconds(reading.nanos(family))))
            .to_vec(),
    }
}
