//! What is done with each frame of the bus, and where to go on after a break. Pure.

use super::filter::Filter;
use crate::client::query::Query;
use common::api_types::Event;
use common::center::sse::Item;
use common::ids::Cursor;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Largest event, in bytes.
pub const LARGEST: usize = 4 << 20;
/// Longest pause a server may ask for.
const RETRY_MOST: Duration = Duration::from_secs(60);

/// A reader of the bus between two frames.
#[derive(Debug)]
pub struct Following {
    filter: Filter,
    cursor: Option<String>,
    retry: Duration,
}

/// What a frame comes to.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// An event that is wanted, and its JSON as it came: a newer centre may say more than is known here.
    Show(Box<(Event, Value)>),
    /// One that is not, or a heartbeat.
    Nothing,
    /// The server ends the stream, and says why.
    Closed(String),
    /// It does not speak as a centre does.
    Foreign(String),
}

impl Following {
    /// After an event, or from now.
    pub fn new(filter: Filter, after: Option<Cursor>) -> Self {
        Self { filter, cursor: after.map(|c| c.to_string()), retry: Duration::ZERO }
    }

    /// Where to go on.
    pub fn path(&self) -> String {
        let query = Query::new().with("topics", "all").maybe("after", self.cursor.as_deref());
        format!("/v1/events{query}")
    }

    /// Events up to there are gone.
    pub fn go_on_from(&mut self, cursor: String) {
        self.cursor = Some(cursor);
    }

    /// Shortest pause before the next try, as the server asks.
    pub fn retry(&self) -> Duration {
        self.retry
    }

    /// Takes what the stream brings.
    pub fn take(&mut self, item: &Item) -> Step {
        let frame = match item {
            Item::Event(frame) => frame,
            Item::Retry(pause) => {
                self.retry = (*pause).min(RETRY_MOST);
                return Step::Nothing;
            }
            Item::TooLarge => {
                return Step::Foreign(format!("an event larger than {LARGEST} bytes"));
            }
        };
        if frame.event == "closed" {
            return Step::Closed(closed(&frame.data));
        }
        if Cursor::parse(&frame.id).is_none() {
            let shown: String = frame.id.chars().take(100).collect();
            return Step::Foreign(format!("a frame with the id {shown:?}"));
        }
        if frame.event == "heartbeat" {
            self.cursor = Some(frame.id.clone());
            return Step::Nothing;
        }
        let read = serde_json::from_str::<Value>(&frame.data)
            .and_then(|value| Ok((Event::deserialize(&value)?, value)));
        match read {
            Ok((event, value)) => {
                self.cursor = Some(frame.id.clone());
                if self.filter.admits(&event) {
                    Step::Show(Box::new((event, value)))
                } else {
                    Step::Nothing
                }
            }
            Err(error) => Step::Foreign(format!("an event that is none: {error}")),
        }
    }
}

/// Why the server ended the stream, in its words.
fn closed(data: &str) -> String {
    let said: Value = serde_json::from_str(data).unwrap_or_default();
    let text = |key| said.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    match (text("code"), text("detail")) {
        (Some(code), Some(detail)) => format!("the centre ended the stream: {detail} ({code})"),
        (Some(one), None) | (None, Some(one)) => format!("the centre ended the stream: {one}"),
        (None, None) => "the centre ended the stream".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::center::sse::Frame;

    fn frame(id: &str, event: &str, data: &str) -> Item {
        Item::Event(Frame { id: id.into(), event: event.into(), data: data.into() })
    }

    const EVENT: &str = r#"{"epoch":"e","seq":8,"time":"2026-01-13T15:20:20Z","type":"node_changed",
        "subject":"n","actor":"api","payload":{"name":"n","dc":"d"}}"#;

    #[test]
    fn it_goes_on_after_what_was_seen() {
        let mut following = Following::new(Filter::default(), Cursor::parse("e:6"));
        assert_eq!(following.path(), "/v1/events?topics=all&after=e%3A6");
        assert_eq!(following.take(&frame("e:7", "heartbeat", "{}")), Step::Nothing);
        assert!(following.path().ends_with("e%3A7"));
        let Step::Show(shown) = following.take(&frame("e:8", "node_changed", EVENT)) else {
            panic!()
        };
        assert_eq!((shown.0.seq, shown.1["seq"].as_u64()), (8, Some(8)));
        assert!(following.path().ends_with("e%3A8"));
        following.go_on_from("f:1".into());
        assert!(following.path().ends_with("f%3A1"));
        assert_eq!(Following::new(Filter::default(), None).path(), "/v1/events?topics=all");
    }

    #[test]
    fn the_server_may_ask_for_patience_and_say_why_it_ends() {
        let mut following = Following::new(Filter::default(), None);
        assert_eq!(following.take(&Item::Retry(Duration::MAX)), Step::Nothing);
        assert_eq!(following.retry(), RETRY_MOST);
        let closed = frame("", "closed", r#"{"code":"slow_reader","detail":"too slow"}"#);
        let Step::Closed(why) = following.take(&closed) else { panic!() };
        assert_eq!(why, "the centre ended the stream: too slow (slow_reader)");
    }

    #[test]
    fn what_is_no_event_is_foreign() {
        let mut following = Following::new(Filter::default(), None);
        let wrong = [frame("e:1", "x", "{"), frame("", "x", EVENT), frame("e", "heartbeat", "")];
        for wrong in wrong.into_iter().chain([Item::TooLarge]) {
            assert!(matches!(following.take(&wrong), Step::Foreign(_)), "{wrong:?}");
        }
    }
}
