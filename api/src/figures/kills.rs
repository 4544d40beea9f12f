//! OOM kills per app and data centre since the store is there: made from the notes of the bus, each counted once. Pure.

use crate::reconcile::OOM_KILLS;
use common::api_types::{Event, EventType};
use common::ids::AppId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The totals after an event. Saved as a whole, so that a restart counts on from there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kills {
    /// The last event that is in it.
    pub seq: u64,
    /// By app, then dc.
    totals: BTreeMap<AppId, BTreeMap<String, u64>>,
}

impl Kills {
    /// Takes in the next event. True if it was a kill.
    pub fn take(&mut self, event: &Event) -> bool {
        if event.seq <= self.seq {
            return false;
        }
        self.seq = event.seq;
        if event.kind != EventType::OomKilled {
            return false;
        }
        let text = |key| event.payload.get(key).and_then(Value::as_str);
        let (Some(app), Some(dc)) = (text("app"), text("dc")) else { return false };
        let kills = event.payload.get(OOM_KILLS).and_then(Value::as_u64).unwrap_or(1);
        let total = self.totals.entry(AppId::new(app)).or_default().entry(dc.to_owned());
        let total = total.or_default();
        *total = total.saturating_add(kills);
        true
    }

    /// Every total.
    pub fn all(&self) -> impl Iterator<Item = (&AppId, &str, u64)> {
        self.totals
            .iter()
            .flat_map(|(app, by_dc)| by_dc.iter().map(move |(dc, n)| (app, dc.as_str(), *n)))
    }

    /// Forgets the totals of apps that are deleted: one that comes back later begins at 0, as a counter may.
    pub fn keep(&mut self, here: impl Fn(&AppId) -> bool) {
        self.totals.retain(|app, _| here(app));
    }
}
