//! From raw figures to metrics: every figure as it is, and the usual rates of two samples ready-made.
//!
//! A rate exists only between two samples of the same incarnation, and only if its counter did not fall: v1's hierarchical counters
//! go backwards when children die, and anyone may reset some of them. No previous sample, no rate; never a negative one, never a spike.

use crate::sample::{DEVICE_METRICS, DeviceRow, Field, INTERFACE_METRICS, InterfaceRow, Sample};
use common::metric::{Name, Value};
use std::time::Duration;

/// Two samples closer than this give no rates: CPU time in user mode has a grain of 10 ms.
pub const SHORTEST: Duration = Duration::from_millis(200);

/// The sample before, of the same incarnation, and how long ago it was taken by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Previous<'a> {
    /// The sample before.
    pub sample: &'a Sample,
    /// Time between the two.
    pub elapsed: Duration,
}

impl<'a> Previous<'a> {
    /// None where the two are too close for a rate.
    pub fn new(sample: &'a Sample, elapsed: Duration) -> Option<Self> {
        (elapsed >= SHORTEST).then_some(Self { sample, elapsed })
    }

    fn per_second(self, now: u64, before: u64) -> Option<f64> {
        let risen = Value::Int(now.checked_sub(before)?).as_f64();
        Some(risen / self.elapsed.as_secs_f64())
    }

    fn field_per_second(self, now: &Sample, field: Field) -> Option<f64> {
        self.per_second(now.figures.get(field)?, self.sample.figures.get(field)?)
    }
}

/// Names of the rates [`each`] can emit besides every [`Field`]'s own: flat ones only.
pub const DERIVED: [&str; 12] = [
    "cpu.percent",
    "cpu.user_percent",
    "cpu.system_percent",
    "cpu.limit_percent",
    "cpu.throttled_percent",
    "memory.percent",
    "io.read_bytes_per_second",
    "io.write_bytes_per_second",
    "io.reads_per_second",
    "io.writes_per_second",
    "net.rx_bytes_per_second",
    "net.tx_bytes_per_second",
];

/// Every metric of a sample.
pub fn each(now: &Sample, previous: Option<Previous<'_>>, emit: &mut impl FnMut(Name<'_>, Value)) {
    flat(now, previous, &mut |name, value| emit(Name::from(name), value));
    devices(now, previous, emit);
    interfaces(now, previous, emit);
    cores(now, previous, emit);
}

/// The metrics without a device, interface or core in their name.
pub fn flat(
    now: &Sample,
    previous: Option<Previous<'_>>,
    emit: &mut impl FnMut(&'static str, Value),
) {
    for (field, raw) in now.figures.iter() {
        emit(field.name(), field.unit().value(raw));
    }
    let share = |part: Field, whole: Field| {
        let (part, whole) = (now.figures.get(part)?, now.figures.get(whole)?);
        (whole > 0).then(|| 100.0 * Value::Int(part).as_f64() / Value::Int(whole).as_f64())
    };
    if let Some(percent) = share(Field::MemoryWorkingSet, Field::MemoryLimit) {
        emit("memory.percent", Value::Float(percent));
    }
    let Some(previous) = previous else { return };
    // nanoseconds of CPU per second, as percent of one core
    let cpu = |field| previous.field_per_second(now, field).map(|rate| rate / 1e7);
    if let Some(percent) = cpu(Field::CpuUsage) {
        emit("cpu.percent", Value::Float(percent));
        if let Some(limit) = now.figures.value(Field::CpuLimit).filter(|limit| limit.as_f64() > 0.0)
        {
            emit("cpu.limit_percent", Value::Float(percent / limit.as_f64()));
        }
    }
    if let Some(percent) = cpu(Field::CpuUser) {
        emit("cpu.user_percent", Value::Float(percent));
    }
    if let Some(percent) = cpu(Field::CpuSystem) {
        emit("cpu.system_percent", Value::Float(percent));
    }
    if let Some(percent) = throttled(now, previous) {
        emit("cpu.throttled_percent", Value::Float(percent));
    }
    for (field, name) in PER_SECOND {
        if let Some(rate) = previous.field_per_second(now, field) {
            emit(name, Value::Float(rate));
        }
    }
}

const PER_SECOND: [(Field, &str); 6] = [
    (Field::IoReadBytes, "io.read_bytes_per_second"),
    (Field::IoWriteBytes, "io.write_bytes_per_second"),
    (Field::IoReads, "io.reads_per_second"),
    (Field::IoWrites, "io.writes_per_second"),
    (Field::NetRxBytes, "net.rx_bytes_per_second"),
    (Field::NetTxBytes, "net.tx_bytes_per_second"),
];

/// Share of the quota periods since the last sample in which the container was throttled; an idle one has no periods and is not.
fn throttled(now: &Sample, previous: Previous<'_>) -> Option<f64> {
    let risen = |field| now.figures.get(field)?.checked_sub(previous.sample.figures.get(field)?);
    let (periods, throttled) = (risen(Field::CpuPeriods)?, risen(Field::CpuThrottledPeriods)?);
    if periods == 0 {
        return Some(0.0);
    }
    Some((100.0 * Value::Int(throttled).as_f64() / Value::Int(periods).as_f64()).min(100.0))
}

fn devices(now: &Sample, previous: Option<Previous<'_>>, emit: &mut impl FnMut(Name<'_>, Value)) {
    for (index, row) in now.rows.devices.iter().enumerate() {
        let name = row.name.as_str();
        for (counter, metric) in row.counters.iter().zip(DEVICE_METRICS) {
            emit(Name("io.", name, metric), Value::Int(*counter));
        }
        let Some(previous) = previous else { continue };
        let Some(before) =
            same_row(&previous.sample.rows.devices, index, |r: &DeviceRow| r.name == row.name)
        else {
            continue;
        };
        for (i, metric) in [(0, ".read_bytes_per_second"), (1, ".write_bytes_per_second")] {
            if let Some(rate) = previous.per_second(row.counters[i], before.counters[i]) {
                emit(Name("io.", name, metric), Value::Float(rate));
            }
        }
    }
}

fn interfaces(
    now: &Sample,
    previous: Option<Previous<'_>>,
    emit: &mut impl FnMut(Name<'_>, Value),
) {
    for (index, row) in now.rows.interfaces.iter().enumerate() {
        let name = row.name.as_str();
        for (counter, metric) in row.counters.iter().zip(INTERFACE_METRICS) {
            emit(Name("net.", name, metric), Value::Int(*counter));
        }
        let Some(previous) = previous else { continue };
        let same = |r: &InterfaceRow| r.name == row.name;
        let Some(before) = same_row(&previous.sample.rows.interfaces, index, same) else {
            continue;
        };
        for (i, metric) in [(0, ".rx_bytes_per_second"), (4, ".tx_bytes_per_second")] {
            if let Some(rate) = previous.per_second(row.counters[i], before.counters[i]) {
                emit(Name("net.", name, metric), Value::Float(rate));
            }
        }
    }
}

fn cores(now: &Sample, previous: Option<Previous<'_>>, emit: &mut impl FnMut(Name<'_>, Value)) {
    for (core, nanos) in now.rows.cores.iter().enumerate() {
        let mut digits = itoa::Buffer::new();
        let core_name = digits.format(core);
        emit(Name("cpu.core.", core_name, ".usage_seconds_total"), Value::Nanos(*nanos));
        let Some(previous) = previous else { continue };
        let before = previous.sample.rows.cores.get(core);
        if let Some(rate) = before.and_then(|before| previous.per_second(*nanos, *before)) {
            emit(Name("cpu.core.", core_name, ".percent"), Value::Float(rate / 1e7));
        }
    }
}

/// The row of the sample before with the same name: nearly always at the same index.
fn same_row<T>(rows: &[T], index: usize, same: impl Fn(&T) -> bool) -> Option<&T> {
    rows.get(index).filter(|row| same(row)).or_else(|| rows.iter().find(|row| same(row)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::RowName;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn metrics(now: &Sample, before: Option<(&Sample, Duration)>) -> BTreeMap<String, f64> {
        let mut out = BTreeMap::new();
        let previous = before.and_then(|(s, elapsed)| Previous::new(s, elapsed));
        each(now, previous, &mut |name, value| {
            assert!(out.insert(name.to_string(), value.as_f64()).is_none(), "{name} twice");
        });
        out
    }

    fn sample(figures: &[(Field, u64)]) -> Sample {
        let mut sample = Sample::default();
        for (field, value) in figures {
            sample.figures.set(*field, *value);
        }
        sample
    }

    #[test]
    fn half_a_core_of_a_one_core_limit() {
        let before = sample(&[(Field::CpuUsage, 1_000_000_000)]);
        let now = sample(&[(Field::CpuUsage, 6_000_000_000), (Field::CpuLimit, 1_000)]);
        let m = metrics(&now, Some((&before, Duration::from_secs(10))));
        assert!((m["cpu.percent"] - 50.0).abs() < 1e-9);
        assert!((m["cpu.limit_percent"] - 50.0).abs() < 1e-9);
        assert!((m["cpu.usage_seconds_total"] - 6.0).abs() < 1e-9);
    }

    #[test]
    fn a_counter_that_fell_gives_no_rate_and_the_others_stay() {
        let before = sample(&[(Field::NetRxBytes, 500), (Field::NetTxBytes, 10)]);
        let now = sample(&[(Field::NetRxBytes, 100), (Field::NetTxBytes, 30)]);
        let m = metrics(&now, Some((&before, Duration::from_secs(10))));
        assert!(!m.contains_key("net.rx_bytes_per_second"));
        assert!((m["net.tx_bytes_per_second"] - 2.0).abs() < 1e-9);
        assert!((m["net.rx_bytes_total"] - 100.0).abs() < 1e-9);
    }

    #[test]
    fn rows_are_matched_by_name() {
        let row = |name, bytes| DeviceRow { name: RowName::new(name), counters: [bytes, 0, 0, 0] };
        let mut before = Sample::default();
        before.rows.devices = vec![row("sda", 100), row("sdb", 1000)];
        let mut now = Sample::default();
        now.rows.devices = vec![row("sdb", 2000)];
        let m = metrics(&now, Some((&before, Duration::from_secs(10))));
        assert!((m["io.sdb.read_bytes_per_second"] - 100.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_previous_sample_there_is_no_rate() {
        let now = sample(&[
            (Field::CpuUsage, 5),
            (Field::MemoryWorkingSet, 50),
            (Field::MemoryLimit, 200),
        ]);
        let m = metrics(&now, None);
        assert_eq!(
            m.keys().filter(|k| k.contains("per_second") || k.as_str() == "cpu.percent").count(),
            0
        );
        assert!((m["memory.percent"] - 25.0).abs() < 1e-9);
        assert!(Previous::new(&now, Duration::from_millis(1)).is_none());
    }

    proptest! {
        #[test]
        fn rates_are_never_negative_and_finite(a in any::<[u64; 8]>(), b in any::<[u64; 8]>(), ms in 200u64..100_000) {
            let fields = [Field::CpuUsage, Field::CpuUser, Field::CpuPeriods, Field::CpuThrottledPeriods,
                          Field::IoReads, Field::NetRxBytes, Field::MemoryWorkingSet, Field::MemoryLimit];
            let pair = |v: [u64; 8]| sample(&fields.into_iter().zip(v).collect::<Vec<_>>());
            let (before, now) = (pair(a), pair(b));
            for (name, value) in metrics(&now, Some((&before, Duration::from_millis(ms)))) {
                prop_assert!(value.is_finite() && value >= 0.0, "{name} {value}");
            }
        }
    }
}
