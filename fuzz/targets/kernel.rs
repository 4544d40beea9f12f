//! A container's kernel files: every text through every parser of its family, then through the rates.
#![no_main]

use common::metric::{Batch, Namer, Style};
use dadvisor::collect::{cpu, io, memory, net, oom, pids, pressure, text};
use dadvisor::kernel::hierarchy::{Hierarchies, Tree, place};
use dadvisor::sample::{Field, MAX_ROWS, RowName, Sample};
use dadvisor::kernel::mountinfo;
use dadvisor::rate;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fn cpu_memory(data: &[u8], sample: &mut Sample) {
    let out = &mut sample.figures;
    let _ = cpu::usage_v1(data, out);
    let _ = cpu::stat(data, out);
    let _ = cpu::per_core_v1(data, &mut sample.rows.cores);
    assert!(sample.rows.cores.len() <= MAX_ROWS);
    if let cpu::Quota::Milli(milli) = cpu::quota_v2(data) {
        out.set(Field::CpuLimit, milli);
    }
    let _ = cpu::quota_v1(data, text::single(data));
    let _ = cpu::cpu_list(data);
    let (stat, _) = memory::stat_v1(data, out);
    let _ = memory::swap_limit_v1(stat);
    let _ = memory::stat_v2(data, out);
    let _ = memory::value(data, Field::MemoryUsage, out);
    let mut least = None;
    let _ = memory::least(data, &mut least);
    out.put(Field::MemoryLimit, memory::effective_limit(least, Some(1 << 34)));
    let _ = oom::control_v1(data, out);
    let (events, _) = oom::events_v2(data);
    out.set_some(Field::MemoryLimitHits, events.limit_hits());
}

fn rest(data: &[u8], sample: &mut Sample) {
    let mut rows = Vec::new();
    let _ = io::stat_v2(data, &mut rows);
    let _ = io::blkio_v1(data, io::Counted::Bytes, &mut rows);
    let _ = io::blkio_v1(data, io::Counted::Operations, &mut rows);
    assert!(rows.len() <= io::MAX_DEVICES);
    let _ = io::has_device(data);
    let out = &mut sample.figures;
    let _ = pids::events(data, out);
    let mut processes = 0;
    let _ = pids::processes(data, |_| processes += 1);
    assert!(processes <= data.len());
    let _ = pressure::pressure(data, |_, _| {});
    let _ = net::dev(data, |name, _| {
        let _ = RowName::new(&String::from_utf8_lossy(name));
    });
    let _ = net::sockstat(data, out);
    let _ = net::snmp(data, out);
    // a table comes in pieces of any size and must count the same
    let (mut whole, mut cut) = (net::TcpStates::default(), net::TcpStates::default());
    whole.begin();
    cut.begin();
    whole.feed(data);
    for piece in data.chunks(7) {
        cut.feed(piece);
    }
    assert_eq!(whole, cut);
    let _ = whole.finish(out);
}

fn places(data: &[u8]) {
    if let Some(found) = Hierarchies::parse(data, b"/sys/fs/cgroup") {
        for path in place::of_process(data).into_iter().flatten() {
            for mount in Tree::ALL.into_iter().filter_map(|tree| found.mount(tree)) {
                if let Some(below) = mount.below(path) {
                    assert!(!below.starts_with(b"/"));
                    assert!(below.split(|b| *b == b'/').all(|part| part != b".."), "{below:?}");
                }
            }
        }
    }
    for path in place::of_process(data).into_iter().flatten() {
        if let Some(own) = place::own_part(path, "0123456789ab") {
            assert!(place::is_within(path, own));
        }
    }
    let (mounts, _) = mountinfo::parse(data);
    for mount in &mounts {
        let _ = mount.option("upperdir");
    }
}

fuzz_target!(|data: &[u8]| {
    let [was, now] = fuzz::pieces(data);
    let samples = [was, now].map(|text| {
        let mut sample = Sample::default();
        cpu_memory(text, &mut sample);
        rest(text, &mut sample);
        sample
    });
    places(data);
    let series = Namer::new("qae", "dc1", Style::Path).node(&common::ids::NodeName::new("n"));
    let mut batch = Batch::default();
    batch.restart(1);
    let previous = rate::Previous::new(&samples[0], Duration::from_secs(10));
    rate::each(&samples[1], previous, &mut |name, value| {
        assert!(value.as_f64() >= 0.0, "{name} {value:?}");
        batch.push(&series, name, value);
    });
    assert_eq!(batch.refused, 0);
    for line in std::str::from_utf8(&batch.lines).expect("ASCII").lines() {
        fuzz::path(fuzz::line(line));
    }
});
