//! Any name at all: the series' lines are ones that carbon takes, in both styles.
#![no_main]

use common::ids::{AppId, InstanceId, NodeName, component};
use common::metric::{Batch, Name, Namer, Style, Value};
use dadvisor::sample::RowName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [prefix, dc, app, inst, row, number]: [String; 6] = fuzz::texts(data);
    let (app, inst, node) = (AppId::new(app), InstanceId::new(inst.clone()), NodeName::new(inst));
    fuzz::path(&component(&row));
    let row = RowName::new(&row);
    fuzz::path(row.as_str());
    let mut bits = [0; 8];
    bits.iter_mut().zip(number.as_bytes()).for_each(|(bit, byte)| *bit = *byte);
    let raw = u64::from_le_bytes(bits);
    let values = [
        Value::Int(raw),
        Value::Nanos(raw),
        Value::Micros(raw),
        Value::Milli(raw),
        Value::Float(f64::from_bits(raw)),
    ];

    for style in [Style::Path, Style::Tags] {
        let namer = Namer::new(&prefix, &dc, style);
        let mut batch = Batch::default();
        batch.restart(1_795_392_000);
        for series in [namer.instance(&app, &inst), namer.app(&app), namer.node(&node)] {
            for value in values {
                batch.push(&series, Name("io.", row.as_str(), ".read_bytes_total"), value);
            }
        }
        assert_eq!(batch.points + batch.refused, 15);
        let text = std::str::from_utf8(&batch.lines).expect("UTF-8");
        assert_eq!(text.lines().count(), batch.points as usize);
        for line in text.lines() {
            let name = fuzz::line(line);
            match style {
                Style::Path => fuzz::path(name),
                Style::Tags => {
                    let (name, tags) = name.split_once(';').expect("tags");
                    fuzz::path(name);
                    fuzz::tags(tags);
                }
            }
        }
    }
});
