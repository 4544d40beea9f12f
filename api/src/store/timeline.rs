//! What has happened, newest first.

use super::filter::Filter;
use super::{Error, Store, events, many};
use common::api_types::{Event, EventType};
use common::moment::Moment;

/// Rows that are read at once, and how often for one page: a page for somebody who may see little can be short, or empty, and have a
/// next one all the same.
const ROWS: usize = 500;
const READS: usize = 10;

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only of these types; none: of any.
    pub kinds: Vec<EventType>,
    /// Only about this app or its instances.
    pub app: Option<String>,
    /// Only about this node or instances on it.
    pub node: Option<String>,
    /// Only about this entity.
    pub subject: Option<String>,
    /// Only made by this one.
    pub actor: Option<String>,
    /// Not before.
    pub since: Option<Moment>,
    /// Before.
    pub until: Option<Moment>,
    /// Only those with a lower number: `next` of the page before.
    pub before: Option<u64>,
    /// Most events of a page.
    pub limit: usize,
}

/// A page, and where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T, A> {
    /// What is on it.
    pub items: Vec<T>,
    /// None on the last one.
    pub next: Option<A>,
}

/// The events that are asked for and that `sees` lets through.
pub async fn timeline(
    store: &Store,
    epoch: &str,
    asked: &Asked,
    sees: impl Fn(&Event) -> bool,
) -> Result<Found<Event, u64>, Error> {
    let mut c = store.read().acquire().await?;
    let mut found = Found { items: Vec::new(), next: None };
    let mut before = asked.before.unwrap_or(u64::MAX);
    for _ in 0..READS {
        let select = format!("SELECT {} FROM events", events::COLUMNS);
        let rest = format!("ORDER BY seq DESC LIMIT {ROWS}");
        let rows = filter(asked, before).rows(&mut c, &select, &rest).await?;
        for row in &rows {
            let event = events::event(row, epoch)?;
            if found.items.len() == asked.limit {
                found.next = Some(before);
                return Ok(found);
            }
            before = event.seq;
            if sees(&event) {
                found.items.push(event);
            }
        }
        if rows.len() < ROWS {
            return Ok(found);
        }
    }
    found.next = Some(before);
    Ok(found)
}

fn filter(asked: &Asked, before: u64) -> Filter {
    let mut filter = Filter::default();
    filter.number("seq <", many::number(before));
    filter.one_of("type", asked.kinds.iter().map(|kind| kind.name()));
    let texts = [
        ("app =", asked.app.as_deref()),
        ("node =", asked.node.as_deref()),
        ("subject =", asked.subject.as_deref()),
        ("actor =", asked.actor.as_deref()),
    ];
    for (left, text) in texts {
        text.into_iter().for_each(|text| filter.text(left, text));
    }
    for (left, time) in [("time >=", asked.since), ("time <", asked.until)] {
        time.into_iter().for_each(|t| filter.number(left, many::number(t.unix_ms())));
    }
    filter
}
