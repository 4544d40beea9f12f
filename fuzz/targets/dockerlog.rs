//! Docker's json-file log: whatever bytes a line has, it is given; an object that JSON's own reader takes means the same here; and reading
//! that goes on at a later line goes on with what was begun.
#![no_main]

use libfuzzer_sys::fuzz_target;
use log_agent::dockerlog::{Decoder, Stream};
use log_agent::lines::Part;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let mut decoder = Decoder::new();
    let mut at = 0;
    for line in data.split(|b| *b == b'\n') {
        let mut resumed = Decoder::resume(&data[..at]);
        let before = decoder.unreadable();
        let record = decoder.decode(line);
        let step = record.step;
        assert!(record.body.len() <= line.len());
        let whole = matches!(record.part, Part::Whole | Part::Last);
        assert_eq!(record, resumed.decode(line), "resumed at {at}");
        let (body, stream) = (record.body.to_vec(), record.stream);
        decoder.took(step);
        if decoder.unreadable() > before {
            assert_eq!((&body[..], stream), (line, Stream::Out));
        } else if let Some((log, named)) = meaning(line) {
            assert_eq!(named, stream.name());
            assert_eq!(whole, log.ends_with('\n'));
            assert_eq!(String::from_utf8_lossy(&body), log.strip_suffix('\n').unwrap_or(&log));
        }
        at += line.len() + 1;
    }
});

/// What another reader makes of an object; None where it takes none, or takes a name in another spelling.
fn meaning(line: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let value: Value = serde_json::from_str(text).ok()?;
    let object = value.as_object()?;
    let plain = |name: &str| text.matches(&format!("\"{name}\"")).count() == 1;
    if !(plain("log") && plain("stream") && !text.contains("\\u00")) {
        return None;
    }
    Some((object.get("log")?.as_str()?.to_owned(), object.get("stream")?.as_str()?.to_owned()))
}
