//! What a log-agent says to the centre that relays it: whatever it is, what viewers get is one line of JSON for the instance that was asked
//! for, safe as text, and the next question is a proper one.
#![no_main]

use common::moment::Moment;
use common::printable::acts;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::Value;

/// Asked for; a quote in it must not end a string.
const INSTANCE: &str = "i\"1";

/// What must be there, and once.
#[derive(Deserialize)]
struct Passed {
    instance: String,
    #[serde(default)]
    expires: Present,
}

/// Whether a key is there, and what it has: null is something, too.
#[derive(Default)]
struct Present(Option<Value>);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Value::deserialize(from).map(|value| Self(Some(value)))
    }
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let frames: Vec<&str> = text.split('\0').collect();
    let expires = Moment::from_unix_ms(1_795_392_000_000);
    let (passed, next) = api::fuzzing::relayed(&frames, INSTANCE, expires);
    assert!(passed.len() <= frames.len());
    for frame in passed {
        assert!(!frame.contains(['\n', '\r']), "more than a line: {frame:?}");
        let told: Passed = serde_json::from_str(&frame).unwrap_or_else(|e| panic!("{e}: {frame}"));
        assert_eq!(told.instance, INSTANCE);
        if let Present(Some(said)) = told.expires {
            assert_eq!(said, expires.to_string(), "{frame}");
        }
        shown(&api::relay::text::text(&frame, false));
    }
    let proper = |b: u8| b.is_ascii_alphanumeric() || b"&=.".contains(&b);
    assert!(next.bytes().all(proper) && next.matches("&from=").count() <= 64, "{next}");
});

/// As text, each line is of the instance, and nothing acts but tabs and colours that end with it.
fn shown(text: &str) {
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.split_terminator('\n') {
        assert!(line.starts_with(INSTANCE), "{line:?}");
        let without = line.replace("\x1b[", "");
        assert!(!without.contains(|c| acts(c) && c != '\t'), "{line:?}");
        assert!(without.len() == line.len() || line.ends_with("\x1b[0m"), "{line:?}");
    }
}
