//! After each pass: ask what runs inside the containers that want it, and send it with the pass's timestamp in a batch of its own.
//! Nothing here can hold up a pass; a scrape that is late for its tick is dropped by its time-out, never sent under a later one.

use crate::board::{Board, lock};
use crate::discover::watch::Containers;
use crate::inapp::{Scraped, Scraper, asked};
use common::carbon::Carbon;
use common::container::Container;
use common::metric::{Batch, Name};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What the task is given.
pub struct Scrapes {
    /// Asks.
    pub scraper: Arc<Scraper>,
    /// Who is here.
    pub inventory: watch::Receiver<Containers>,
    /// Timestamp of the last pass.
    pub passed: watch::Receiver<u64>,
    /// Takes the batch.
    pub carbon: Carbon,
    /// Where readers look.
    pub board: Arc<Board>,
    /// All scrapes of a tick together may take this long.
    pub limit: Duration,
}

impl Scrapes {
    /// Until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Batch::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.passed.changed() => if changed.is_err() { return },
            }
            let timestamp = *self.passed.borrow_and_update();
            let targets = self.targets();
            if targets.is_empty() {
                continue;
            }
            let scraped = self.scraper.scrape(&targets, Instant::now() + self.limit).await;
            batch.restart(timestamp);
            self.print(scraped, &mut batch);
            self.carbon.submit(&batch);
        }
    }

    /// Containers with at least one label that asks for something.
    fn targets(&self) -> Vec<Arc<Container>> {
        let inventory = Arc::clone(&self.inventory.borrow());
        inventory.iter().filter(|c| !asked(&c.labels).is_empty()).cloned().collect()
    }

    /// Into the batch, under the same series as the container's own metrics, and onto the board.
    fn print(&self, scraped: Vec<Scraped>, batch: &mut Batch) {
        let mut by_id: HashMap<_, _> = scraped.into_iter().map(|s| (s.id, s.figures)).collect();
        for entry in self.board.entries() {
            let mut entry = lock(&entry);
            entry.inside = by_id.remove(&entry.container.id).unwrap_or_default();
            for (name, value) in &entry.inside {
                batch.push(&entry.series, Name::from(name.as_str()), *value);
            }
        }
    }
}
