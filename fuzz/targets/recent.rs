//! The last hour in memory: damaged chunks, and ticks that must come back as they went in.
#![no_main]

use dadvisor::fuzzing::damaged;
use dadvisor::recent::Recent;
use dadvisor::sample::{FIELDS, Field, Figures};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let chunks: Vec<&[u8]> = data.split(|b| *b == 0xff).collect();
    for metric in ["cpu.percent", "cpu.usage_seconds_total", "net.rx_bytes_per_second"] {
        let series = damaged(&chunks, metric, 1_000);
        assert!(series.len() <= data.len());
        assert!(series.iter().all(|(at, value)| *at >= 1_000 && *value >= 0.0));
    }

    // five bytes a tick: seconds ahead, elapsed, which field, its value
    let (mut recent, mut at, mut expected) = (Recent::default(), 1_000, Vec::new());
    for tick in data.chunks_exact(5) {
        at += u64::from(tick[0] % 16);
        let mut figures = Figures::default();
        let field = Field::ALL[usize::from(tick[2]) % FIELDS];
        figures.set(field, u64::from_le_bytes([tick[3], 0, tick[4], 0, 0, tick[3], 0, tick[4]]));
        if let Some(value) = figures.value(Field::NetRxBytes) {
            expected.push((at, value.as_f64()));
        }
        let elapsed = (tick[1] > 0).then(|| Duration::from_millis(u64::from(tick[1]) * 100));
        recent.push(at, elapsed, &figures, 1 << 24);
    }
    let since = at.saturating_sub(3600);
    expected.retain(|(at, _)| *at >= since);
    assert_eq!(recent.series("net.rx_bytes_total", since), expected);
});
