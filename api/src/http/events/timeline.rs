//! The past of the bus as a list, the latest first, as far as the store keeps it.

use super::super::list::{Place, not_a_cursor};
use super::super::problem::Refused;
use super::super::state::Api;
use super::super::when::moment;
use super::EventsQuery;
use crate::access::{Caller, Role};
use crate::scope::Scope;
use crate::store::timeline;
use axum::response::Response;
use common::api_types::{EventType, Page, Topic};
use common::moment::Moment;
use common::printable::printable;
use common::serve::json;

/// The page that is asked for.
pub async fn page(api: &Api, caller: &Caller, asked: &EventsQuery) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let now = Moment::now();
    let time = |name, text: &Option<String>| {
        text.as_deref().map(|text| moment(name, text, now)).transpose()
    };
    let wanted = timeline::Asked {
        kinds: kinds(asked.kind.as_deref())?,
        app: asked.app.clone(),
        node: asked.node.clone(),
        subject: asked.subject.clone(),
        actor: asked.actor.clone(),
        since: time("since", &asked.since)?,
        until: time("until", &asked.until)?,
        before: before(asked.cursor.as_deref())?,
        limit: Place::of(asked.limit, None)?.limit,
    };
    let scope = Scope::new(&[Topic::All], &caller.apps);
    let (store, epoch) = (api.centre.store(), api.centre.epoch());
    let found = timeline::timeline(store, epoch, &wanted, |event| scope.event(event)).await;
    let found = found.map_err(|e| Refused::store(&e))?;
    Ok(json(&Page { items: found.items, next: found.next.map(|seq| seq.to_string()) }))
}

/// `a,b`: several types.
fn kinds(text: Option<&str>) -> Result<Vec<EventType>, Refused> {
    let named = |name: &str| {
        EventType::named(name.trim()).ok_or_else(|| {
            let known: Vec<&str> = EventType::ALL.iter().map(|t| t.name()).collect();
            let (name, known) = (printable(name), known.join(", "));
            Refused::bad_query(format!("type: no event type \"{name}\"; there are {known}"))
        })
    };
    let mut kinds =
        text.iter().flat_map(|t| t.split(',')).map(named).collect::<Result<Vec<_>, _>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn before(cursor: Option<&str>) -> Result<Option<u64>, Refused> {
    let Some(text) = cursor else { return Ok(None) };
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(Some).ok_or_else(not_a_cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_places_are_read() {
        let two = kinds(Some("oom_killed, app_changed,oom_killed")).unwrap();
        assert_eq!(two, [EventType::AppChanged, EventType::OomKilled]);
        assert_eq!(kinds(None).unwrap(), []);
        for wrong in ["", "oom", "app_changed,,"] {
            assert_eq!(kinds(Some(wrong)).unwrap_err().code(), "bad_query", "{wrong}");
        }
        assert_eq!(before(Some("17")).unwrap(), Some(17));
        for wrong in ["", "-1", "+1", "a", "1234567890123456789"] {
            assert!(before(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
