//! An event as one line: `2026-11-25T10:00:00.123Z WARN carbon: message key=value`. Pure.

use crate::printable::printable;
use std::fmt;
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// The line, newline included.
pub(super) fn print(event: &Event<'_>, now: SystemTime, colour: bool) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let level = event.metadata().level();
    let (on, off) = if colour { (ink(level), "\x1b[0m") } else { ("", "") };
    // an episode names its subject itself
    let room = match short(event.metadata().target()) {
        "logging" => String::new(),
        room => format!("{room}: "),
    };
    let time = humantime::format_rfc3339_millis(now);
    format!("{time} {on}{level:>5}{off} {room}{}{}\n", fields.message, fields.rest)
}

/// The room of the house the event comes from: `common::carbon::lane` is `carbon`, `dadvisor` itself stays.
fn short(target: &str) -> &str {
    target.split("::").nth(1).unwrap_or(target)
}

fn ink(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[2m",
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_error(&mut self, field: &Field, error: &(dyn std::error::Error + 'static)) {
        let mut told = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            // thiserror's messages often hold their source already
            let inner_told = inner.to_string();
            if !told.contains(&inner_told) {
                told = format!("{told}: {inner_told}");
            }
            cause = inner.source();
        }
        self.take(field, &told);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, &format!("{value:?}"));
    }
}

impl Fields {
    fn take(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = printable(value).into_owned();
            return;
        }
        let value = printable(value);
        let quote = value.is_empty() || value.contains([' ', '=']);
        let mark = if quote && !value.starts_with('"') { "\"" } else { "" };
        self.rest.push_str(&format!(" {}={mark}{value}{mark}", field.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    struct Keep(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Keep {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_600_800_123);
            self.0.lock().unwrap().push(print(event, at, false));
        }
    }

    #[test]
    fn a_line_has_time_level_room_message_and_fields_and_cannot_be_forged() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Keep(lines.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "common::carbon::lane", spool = 12, "carbon is away");
            let name = "a\nb\x1b[2J\u{202e}";
            tracing::info!(target: "dadvisor", app = name, kind = %"two words", empty = "", "named {name}");
            let error = std::io::Error::other("refused");
            tracing::error!(target: "dadvisor::http", error = &error as &dyn std::error::Error, "no");
        });
        let lines = lines.lock().unwrap();
        assert_eq!(lines[0], "2026-11-25T10:00:00.123Z  WARN carbon: carbon is away spool=12\n");
        assert_eq!(
            lines[1],
            "2026-11-25T10:00:00.123Z  INFO dadvisor: named a\\u{a}b\\u{1b}[2J\\u{202e} \
             app=a\\u{a}b\\u{1b}[2J\\u{202e} kind=\"two words\" empty=\"\"\n"
        );
        assert_eq!(lines[2], "2026-11-25T10:00:00.123Z ERROR http: no error=refused\n");
    }
}
