//! Instances, ended ones too: those that live first, by key, then the ended ones, the latest first.

use super::filter::Filter;
use super::timeline::Found;
use super::{Error, Store, entities, many};
use common::api_types::{Instance, InstanceState};
use sqlx::Row;
use std::fmt;

/// As in the timeline.
const ROWS: usize = 500;
const READS: usize = 10;

/// Which instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only of this app.
    pub app: Option<String>,
    /// Only on this node.
    pub node: Option<String>,
    /// Only with this key or id.
    pub named: Option<String>,
    /// Which, by what they do.
    pub state: Which,
    /// Only those further down: `next` of the page before.
    pub after: Option<After>,
    /// Most instances of a page.
    pub limit: usize,
}

/// Which instances, by what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those that have not ended.
    Live,
    /// Those in this state.
    State(InstanceState),
}

/// A place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// After the living one with this key.
    Live(String),
    /// After the one that this event ended.
    Ended(u64),
}

impl After {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("live", key) => Some(Self::Live(key.to_owned())),
            ("ended", seq) => seq.parse().ok().map(Self::Ended),
            _ => None,
        }
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live(key) => write!(f, "live:{key}"),
            Self::Ended(seq) => write!(f, "ended:{seq}"),
        }
    }
}

/// The instances that are asked for and that `sees` lets through.
pub async fn history(
    store: &Store,
    asked: &Asked,
    sees: impl Fn(&Instance) -> bool,
) -> Result<Found<Instance, After>, Error> {
    let mut c = store.read().acquire().await?;
    let mut found = Found { items: Vec::new(), next: None };
    let (mut place, mut reads) = (asked.after.clone().or_else(|| first(asked.state)), 0);
    let only_live = match asked.state {
        Which::All => false,
        Which::Live => true,
        Which::State(state) => state != InstanceState::Ended,
    };
    while let Some(at) = place.take() {
        let (select, rest) = ("SELECT key, gone, body FROM instances", order(&at));
        let rows = filter(asked, &at).rows(&mut c, select, &rest).await?;
        let mut last = at;
        for row in &rows {
            if found.items.len() == asked.limit {
                found.next = Some(last);
                return Ok(found);
            }
            let (key, gone): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let instance = entities::body("instances", &key, row.try_get(2)?)?;
            last = match last {
                After::Live(_) => After::Live(key),
                After::Ended(_) => After::Ended(u64::try_from(gone).unwrap_or(0)),
            };
            if sees(&instance) {
                found.items.push(instance);
            }
        }
        reads += 1;
        place = match (last, rows.len() == ROWS) {
            (After::Live(_), false) if only_live => None,
            (After::Live(_), false) => Some(After::Ended(u64::MAX)),
            (After::Ended(_), false) => None,
            (last, true) => Some(last),
        };
        if reads == READS {
            found.next = place.take();
        }
    }
    Ok(found)
}

fn first(which: Which) -> Option<After> {
    Some(match which {
        Which::State(InstanceState::Ended) => After::Ended(u64::MAX),
        _ => After::Live(String::new()),
    })
}

fn order(at: &After) -> String {
    match at {
        After::Live(_) => format!("ORDER BY key LIMIT {ROWS}"),
        After::Ended(_) => format!("ORDER BY gone DESC LIMIT {ROWS}"),
    }
}

fn filter(asked: &Asked, at: &After) -> Filter {
    let mut filter = Filter::default();
    match at {
        After::Live(key) => {
            filter.is("gone = 0");
            filter.text("key >", key);
        }
        After::Ended(seq) => {
            filter.is("gone > 0");
            filter.number("gone <", many::number(*seq));
        }
    }
    if let Some(app) = &asked.app {
        filter.text("app =", app);
    }
    if let Some(node) = &asked.node {
        filter.text("node =", node);
    }
    if let Some(named) = &asked.named {
        filter.text("key =", named);
        filter.or_text("id =", named);
    }
    if let Which::State(state) = asked.state {
        filter.text("state =", entities::state(state));
    }
    filter
}
