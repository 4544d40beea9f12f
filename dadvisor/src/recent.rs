//! The last hour of one container in memory, for live charts.
//!
//! What is kept are the raw figures, not the metrics: rates are made when someone asks, by the same code that makes them for Graphite.
//! A tick is written as the difference to the tick before, so an idle container costs about 15 bytes a tick and a busy one under 200.
//! Chunks begin with a full sample; the oldest chunk goes when it is older than an hour or the container's share of `recent_max` is
//! used up. Format of a tick: varints of seconds since the last tick, milliseconds by the monotonic clock since the last sample
//! of the same run (0 = none: no rates), the changed presence bits, then pairs of (fields skipped, zigzag of the change).

pub(crate) mod fuzzing;

use crate::rate::{self, Previous};
use crate::sample::{Field, Figures, Sample};
use std::collections::VecDeque;
use std::time::Duration;

/// How far back the memory goes.
pub const SPAN_SECONDS: u64 = 3600;
/// Ticks per chunk: history is dropped in steps of a sixth at the default interval.
const CHUNK_TICKS: u32 = 60;
/// A chunk grows by so many bytes: doubling would leave a third of the memory of many containers unused.
const STEP: usize = 128;

/// The last hour of one container.
#[derive(Debug, Default)]
pub struct Recent {
    chunks: VecDeque<Chunk>,
    last: Figures,
    last_timestamp: u64,
}

#[derive(Debug, Default)]
struct Chunk {
    /// Timestamp before the first tick of the chunk: what its first difference is relative to.
    base: u64,
    ticks: u32,
    bytes: Vec<u8>,
}

impl Recent {
    /// Adds a tick. `elapsed` is None for the first sample of a run.
    pub fn push(
        &mut self,
        timestamp: u64,
        elapsed: Option<Duration>,
        figures: &Figures,
        budget: usize,
    ) {
        // timestamps in a chunk never fall; a wall clock that stepped back starts a new one
        let full = self
            .chunks
            .back()
            .is_none_or(|c| c.ticks >= CHUNK_TICKS || timestamp < self.last_timestamp);
        if full {
            self.drop_old(timestamp, budget);
            if let Some(last) = self.chunks.back_mut() {
                last.bytes.shrink_to_fit();
            }
            self.chunks.push_back(Chunk { base: timestamp, ticks: 0, bytes: Vec::new() });
            self.last = Figures::default();
            self.last_timestamp = timestamp;
        }
        let Some(chunk) = self.chunks.back_mut() else { return };
        let ms = elapsed.map_or(0, |e| u64::try_from(e.as_millis()).unwrap_or(u64::MAX).max(1));
        if chunk.bytes.capacity() - chunk.bytes.len() < STEP / 2 {
            chunk.bytes.reserve_exact(STEP);
        }
        put(&mut chunk.bytes, timestamp - self.last_timestamp);
        put(&mut chunk.bytes, ms);
        encode(&mut chunk.bytes, &self.last, figures);
        chunk.ticks += 1;
        self.last = *figures;
        self.last_timestamp = timestamp;
    }

    /// Bytes of heap in use.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|c| c.bytes.capacity() + size_of::<Chunk>()).sum()
    }

    /// Values of one flat metric since a moment, oldest first. Ticks in which the metric was absent are left out.
    pub fn series(&self, metric: &str, since: u64) -> Vec<(u64, f64)> {
        let mut out = Vec::new();
        let mut before: Option<Sample> = None;
        for chunk in &self.chunks {
            let (mut rest, mut timestamp, mut figures) =
                (chunk.bytes.as_slice(), chunk.base, Figures::default());
            while let Some((ahead, ms, next)) = decode(&mut rest, &figures) {
                timestamp = timestamp.saturating_add(ahead);
                figures = next;
                let now = Sample { figures, ..Sample::default() };
                if timestamp >= since {
                    let elapsed = Duration::from_millis(ms);
                    let previous =
                        before.as_ref().filter(|_| ms > 0).and_then(|b| Previous::new(b, elapsed));
                    rate::flat(&now, previous, &mut |name, value| {
                        if name == metric {
                            out.push((timestamp, value.as_f64()));
                        }
                    });
                }
                before = Some(now);
            }
        }
        out
    }

    fn drop_old(&mut self, now: u64, budget: usize) {
        while let Some(oldest) = self.chunks.front() {
            let ends = self.chunks.get(1).map_or(self.last_timestamp, |next| next.base);
            let old = ends + SPAN_SECONDS < now;
            // room for one more chunk of the usual size
            let large = self.bytes() + oldest.bytes.len() > budget;
            if !old && !large {
                return;
            }
            self.chunks.pop_front();
        }
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Small changes of either sign become small numbers.
fn zigzag(before: u64, now: u64) -> u64 {
    let change = now.wrapping_sub(before);
    (change << 1) ^ 0u64.wrapping_sub(change >> 63)
}

fn unzigzag(before: u64, coded: u64) -> u64 {
    before.wrapping_add((coded >> 1) ^ 0u64.wrapping_sub(coded & 1))
}

/// Fields that changed, each as (fields skipped + 1, change), then 0. A field that is absent now is left out of the values; which
/// fields changed their presence stands before, in the same way.
fn encode(out: &mut Vec<u8>, before: &Figures, now: &Figures) {
    let mut skipped = 1;
    for field in Field::ALL {
        if before.get(*field).is_some() == now.get(*field).is_some() {
            skipped += 1;
        } else {
            put(out, skipped);
            skipped = 1;
        }
    }
    put(out, 0);
    skipped = 1;
    for field in Field::ALL {
        match now.get(*field) {
            Some(value) if before.get(*field) != Some(value) => {
                put(out, skipped);
                put(out, zigzag(before.get(*field).unwrap_or(0), value));
                skipped = 1;
            }
            _ => skipped += 1,
        }
    }
    put(out, 0);
}

/// The next tick: seconds since the last, elapsed milliseconds, figures. None at the end of the chunk.
fn decode(rest: &mut &[u8], before: &Figures) -> Option<(u64, u64, Figures)> {
    let (ahead, ms) = (take(rest)?, take(rest)?);
    let mut figures = *before;
    let mut at = 0usize;
    loop {
        let skipped = usize::try_from(take(rest)?).ok()?;
        if skipped == 0 {
            break;
        }
        at += skipped;
        let field = *Field::ALL.get(at - 1)?;
        match before.get(field) {
            Some(_) => figures.unset(field),
            None => figures.set(field, 0),
        }
    }
    at = 0;
    loop {
        let skipped = usize::try_from(take(rest)?).ok()?;
        if skipped == 0 {
            return Some((ahead, ms, figures));
        }
        at += skipped;
        let field = *Field::ALL.get(at - 1)?;
        figures.set(field, unzigzag(before.get(field).unwrap_or(0), take(rest)?));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn figures(pairs: &[(usize, u64)]) -> Figures {
        let mut out = Figures::default();
        for (i, v) in pairs {
            out.set(Field::ALL[i % Field::ALL.len()], *v);
        }
        out
    }

    #[test]
    fn rates_come_out_as_they_went_to_graphite() {
        let mut recent = Recent::default();
        let cpu = |seconds: u64| {
            let mut f = Figures::default();
            f.set(Field::CpuUsage, seconds * 1_000_000_000);
            f
        };
        recent.push(1000, None, &cpu(1), 1 << 20);
        recent.push(1010, Some(Duration::from_secs(10)), &cpu(6), 1 << 20);
        recent.push(1020, None, &cpu(0), 1 << 20);
        assert_eq!(recent.series("cpu.percent", 0), [(1010, 50.0)]);
        assert_eq!(recent.series("cpu.usage_seconds_total", 1010), [(1010, 6.0), (1020, 0.0)]);
        assert!(recent.series("nonsense", 0).is_empty());
    }

    #[test]
    fn an_hour_and_the_budget_are_kept_and_idle_is_cheap() {
        let mut recent = Recent::default();
        let idle = figures(&(0..60).map(|i| (i, 1_000_000_000 + i as u64)).collect::<Vec<_>>());
        for tick in 0..2000u64 {
            recent.push(tick * 10, Some(Duration::from_secs(10)), &idle, 1 << 20);
        }
        let seen = recent.series("cpu.user_seconds_total", 0);
        assert!(seen.len() >= 360 && seen.len() <= 480, "{}", seen.len());
        assert!(recent.bytes() < 9_000, "{}", recent.bytes());
        let mut tight = Recent::default();
        for tick in 0..2000u64 {
            tight.push(
                tick * 10,
                Some(Duration::from_secs(10)),
                &figures(&[(0, tick * 7), (1, tick << 40)]),
                2_000,
            );
            assert!(tight.bytes() <= 4_000);
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(ticks in proptest::collection::vec(
            (0u64..100, proptest::option::of(1u64..100_000), proptest::collection::vec((0usize..80, any::<u64>()), 0..20)), 0..200)) {
            let mut recent = Recent::default();
            let (mut timestamp, mut expected) = (1_000_000, Vec::new());
            for (ahead, ms, pairs) in &ticks {
                timestamp += ahead;
                let f = figures(pairs);
                recent.push(timestamp, ms.map(Duration::from_millis), &f, 1 << 24);
                if let Some(v) = f.value(Field::NetRxBytes) { expected.push((timestamp, v.as_f64())); }
            }
            let since = timestamp.saturating_sub(SPAN_SECONDS);
            let seen = recent.series(Field::NetRxBytes.name(), since);
            expected.retain(|(t, _)| *t >= since);
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn damaged_bytes_end_the_series(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut recent = Recent::default();
            recent.chunks.push_back(Chunk { base: 0, ticks: 1, bytes });
            prop_assert!(recent.series("cpu.percent", 0).len() <= 300);
        }
    }
}
