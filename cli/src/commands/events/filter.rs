//! Which events are wanted. Pure.

use crate::args;
use crate::client::query::Query;
use common::api_types::{Effect, Entity, Event, EventType, Instance};
use common::moment::Moment;

/// As the command line asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    kinds: Vec<EventType>,
    app: Option<String>,
    node: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Filter {
    /// Reads the arguments; what is wrong with them in words.
    pub fn of(asked: &args::Events) -> Result<Self, String> {
        let kinds = asked.kinds.iter().map(|name| kind(name)).collect::<Result<_, _>>()?;
        let time = |text: &Option<String>| text.as_deref().map(time).transpose();
        Ok(Self {
            kinds,
            app: asked.app.clone(),
            node: asked.node.clone(),
            since: time(&asked.since)?,
            until: time(&asked.until)?,
        })
    }

    /// The same for the centre.
    pub fn query(&self) -> Query {
        let kinds: Vec<_> = self.kinds.iter().map(|k| k.name()).collect();
        Query::new()
            .maybe("type", (!kinds.is_empty()).then(|| kinds.join(",")).as_deref())
            .maybe("app", self.app.as_deref())
            .maybe("node", self.node.as_deref())
            .maybe("since", self.since.as_deref())
            .maybe("until", self.until.as_deref())
    }

    /// Whether an event of the stream is wanted.
    pub fn admits(&self, event: &Event) -> bool {
        let (app, node) = of(event);
        let same = |wanted: &Option<String>, found: Option<String>| {
            wanted.as_ref().is_none_or(|wanted| found.as_ref() == Some(wanted))
        };
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && same(&self.app, app)
            && same(&self.node, node)
    }
}

/// The app and the node an event is about.
fn of(event: &Event) -> (Option<String>, Option<String>) {
    let of_instance =
        |i: &Instance| (Some(i.app.to_string()), i.node.as_ref().map(ToString::to_string));
    match event.effect() {
        Some(Effect::Put(Entity::Instance(i)) | Effect::Forget(Entity::Instance(i))) => {
            of_instance(&i)
        }
        Some(Effect::Put(Entity::App(a)) | Effect::Forget(Entity::App(a))) => {
            (Some(a.id.to_string()), None)
        }
        Some(Effect::Put(Entity::Node(n)) | Effect::Forget(Entity::Node(n))) => {
            (None, Some(n.name.to_string()))
        }
        // a note about an instance carries it
        None => serde_json::from_value::<Instance>(event.payload.clone())
            .map_or((None, None), |i| of_instance(&i)),
    }
}

fn kind(name: &str) -> Result<EventType, String> {
    EventType::named(name).ok_or_else(|| {
        let known: Vec<_> = EventType::ALL.iter().map(|k| k.name()).collect();
        match common::config::nearest(name, known.iter().copied()) {
            Some(near) => format!("--type {name}: no such type, did you mean {near}?"),
            None => format!("--type {name}: no such type; there are {}", known.join(", ")),
        }
    })
}

/// `1h` is an hour ago; else RFC 3339.
fn time(text: &str) -> Result<String, String> {
    let ago = text.trim_start_matches('-');
    if humantime::parse_duration(ago).is_ok() {
        return Ok(format!("-{}", ago.replace(' ', "")));
    }
    Moment::parse(text).map(|at| at.to_string()).ok_or_else(|| {
        format!("{text}: no time; write 2026-01-13T15:20:20Z, or a while ago such as 1h or 15m")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(kind: EventType, payload: serde_json::Value) -> Event {
        Event {
            epoch: "e".into(),
            seq: 1,
            time: Moment::from_unix_ms(0),
            kind,
            subject: String::new(),
            actor: String::new(),
            cause: String::new(),
            payload,
        }
    }

    fn asked(app: Option<&str>, node: Option<&str>, kinds: &[&str]) -> args::Events {
        args::Events {
            app: app.map(Into::into),
            node: node.map(Into::into),
            kinds: kinds.iter().map(|k| (*k).to_owned()).collect(),
            since: Some("1h".into()),
            ..args::Events::default()
        }
    }

    #[test]
    fn events_are_of_an_app_and_of_a_node() {
        let instance = json!({"key": "k", "id": "i", "app": "shop/web", "dc": "d", "cluster": "c",
            "node": "n1", "state": "running"});
        let (web, oom) = (
            event(EventType::InstanceChanged, instance.clone()),
            event(EventType::OomKilled, instance),
        );
        let node = event(EventType::NodeSilent, json!({"name": "n1", "dc": "d"}));
        let app = event(EventType::AppDeleted, json!({"id": "shop/web"}));
        let passed = |asked: &args::Events| {
            let filter = Filter::of(asked).unwrap();
            [&web, &oom, &node, &app].map(|e| filter.admits(e))
        };
        assert_eq!(passed(&asked(Some("shop/web"), None, &[])), [true, true, false, true]);
        assert_eq!(passed(&asked(None, Some("n1"), &[])), [true, true, true, false]);
        assert_eq!(passed(&asked(None, None, &["oom_killed"])), [false, true, false, false]);
        assert_eq!(passed(&asked(Some("x"), None, &[])), [false; 4]);
    }

    #[test]
    fn the_centre_is_asked_the_same() {
        let filter = Filter::of(&asked(Some("a/b"), None, &["oom_killed", "app_changed"])).unwrap();
        assert_eq!(
            filter.query().to_string(),
            "?type=oom_killed%2Capp_changed&app=a%2Fb&since=-1h"
        );
    }

    #[test]
    fn what_is_no_type_and_no_time_is_refused() {
        let refused = Filter::of(&asked(None, None, &["instance_gon"])).unwrap_err();
        assert!(refused.contains("did you mean instance_gone?"), "{refused}");
        assert!(
            Filter::of(&asked(None, None, &["x"])).unwrap_err().contains("there are app_changed")
        );
        for wrong in ["yesterday", "", "-", "5"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!(time("2026-01-13T15:20:20+01:00").unwrap(), "2026-01-13T14:20:20.000Z");
    }
}
