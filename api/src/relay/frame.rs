//! Frames of a log-agent on their way to a viewer: looked into as far as needed, and given their instance. Pure.
//!
//! A log-agent is believed about its own instances and nothing else: whatever it says, its frames carry the instance they were asked for.

use common::moment::Moment;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What is looked at; lines are only checked to be JSON.
#[derive(Debug, Default, Deserialize)]
pub struct Peek {
    /// Which frame it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// As in [`common::api_types::live::Of`].
    #[serde(default)]
    pub source: String,
    /// Likewise.
    #[serde(default)]
    pub generation: u64,
    /// Where lines begin.
    #[serde(default)]
    pub offset: u64,
    /// Behind the last byte of lines.
    #[serde(default)]
    pub next: u64,
    /// Behind the last byte of a gap.
    #[serde(default)]
    pub to: u64,
    /// Why the stream ends.
    #[serde(default)]
    pub why: String,
    #[serde(default, deserialize_with = "there")]
    instance: bool,
    #[serde(default, deserialize_with = "there")]
    expires: bool,
}

/// Whether a key is there, be it with null.
fn there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// Looks into a frame. What is no JSON object with a type, or has a key twice, is no frame.
pub fn peek(text: &str) -> Result<Peek, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}

/// The frame in one line, with its instance, and with the end of the whole stream where it tells one.
pub fn tagged(text: &str, peek: &Peek, instance: &str, expires: Moment) -> Option<String> {
    // where a frame is a line, a line end between its parts would begin another: in JSON's strings there is none
    let one_line = !text.contains(['\n', '\r']);
    if one_line && !peek.instance && !peek.expires {
        let rest = text.trim_start().strip_prefix('{')?;
        let name = Value::from(instance).to_string();
        return Some(format!("{{\"instance\":{name},{rest}"));
    }
    let mut frame: Value = serde_json::from_str(text).ok()?;
    let object = frame.as_object_mut()?;
    object.insert("instance".to_owned(), instance.into());
    if peek.expires {
        object.insert("expires".to_owned(), expires.to_string().into());
    }
    Some(frame.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::api_types::live::{Frame, Told};
    use proptest::prelude::*;

    fn pass(text: &str) -> Option<Value> {
        let end = Moment::from_unix_ms(5_000);
        let tagged = tagged(text, &peek(text).ok()?, "i\"1", end)?;
        Some(serde_json::from_str(&tagged).unwrap())
    }

    #[test]
    fn an_agents_frame_carries_the_instance_it_was_asked_for() {
        let lines = r#"  {"type":"lines","source":"ff","generation":1,"offset":3,"next":9,"lines":["{\"a\""]}"#;
        let looked = peek(lines).unwrap();
        assert_eq!((looked.source.as_str(), looked.generation, looked.next), ("ff", 1, 9));
        let got = pass(lines).unwrap();
        assert_eq!((&got["instance"], &got["lines"][0]), (&"i\"1".into(), &"{\"a\"".into()));
        let hello = r#"{"type":"hello","instance":"other","expires":"2026-01-01T00:00:00.000Z"}"#;
        let got = pass(hello).unwrap();
        assert_eq!(got["instance"], "i\"1");
        assert_eq!(got["expires"], "1970-01-01T00:00:05.000Z");
        assert_eq!(pass(r#"{"type":"end","inst\u0061nce":"x"}"#).unwrap()["instance"], "i\"1");
    }

    #[test]
    fn null_is_no_way_round_that() {
        let got = pass(r#"{"type":"end","instance":null,"expires":null}"#).unwrap();
        assert_eq!(got["instance"], "i\"1");
        assert_eq!(got["expires"], "1970-01-01T00:00:05.000Z");
        // once: of two, browsers take the last
        let text = r#"{"type":"end","instance":null}"#;
        let tagged = tagged(text, &peek(text).unwrap(), "i", Moment::LAST).unwrap();
        assert_eq!(tagged.matches("instance").count(), 1, "{tagged}");
    }

    #[test]
    fn a_frame_is_one_line() {
        for end in ["\n", "\r\n", "\r"] {
            let forged = r#"{"instance":"other","type":"end"}"#;
            let text = format!(r#"{{"type":"end","x":{end}{forged}{end}}}"#);
            let tagged = tagged(&text, &peek(&text).unwrap(), "i", Moment::LAST).unwrap();
            assert!(!tagged.contains(['\n', '\r']), "{tagged}");
            assert_eq!(serde_json::from_str::<Value>(&tagged).unwrap()["instance"], "i");
        }
    }

    #[test]
    fn what_is_no_frame_does_not_pass() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"type":1}"#,
            r#"{"type":"end"} {"type":"end"}"#,
            r#"{"type":"end","type":"lines"}"#,
            r#"{"type":"end","instance":"a","instance":"b"}"#,
        ] {
            assert_eq!(pass(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_one_object_of_this_instance(
            text in r#".{0,60}|\{"type":"[a-z]{1,6}"(,"[a-z]{1,8}":("[^"]{0,9}"|[0-9]{1,4}|null)){0,4}\}"#
        ) {
            if let Some(got) = pass(&text) {
                prop_assert_eq!(&got["instance"], "i\"1");
            }
        }

        #[test]
        fn frames_stay_what_they_are(line in any::<String>(), offset in any::<u64>()) {
            let frame = Frame::Lines {
                of: common::api_types::live::Of { source: "s".into(), file: "f".into(), generation: 0 },
                offset, next: offset, time: Moment::from_unix_ms(0), lines: vec![line],
                replaced: Vec::new(), continues: false, open: false,
            };
            let text = serde_json::to_string(&Told { instance: None, frame: frame.clone() }).unwrap();
            let tagged = tagged(&text, &peek(&text).unwrap(), "i", Moment::LAST).unwrap();
            let told: Told = serde_json::from_str(&tagged).unwrap();
            prop_assert_eq!(told.frame, frame);
            let instance = told.instance.unwrap();
            prop_assert_eq!(instance.as_str(), "i");
        }
    }
}
