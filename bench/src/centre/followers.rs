//! Simulated followers of the bus: each a connection of its own that comes back with back-off and resumes where it was.

use super::api::Api;
use super::talk::Line;
use anyhow::{Result, bail};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::spawn_local;
use tokio::time::sleep;

/// What they share with whoever measures.
#[derive(Default)]
struct Shared {
    connected: Cell<usize>,
    /// Numbers and times of every event heard since they were last asked for.
    heard: RefCell<Vec<(u64, Instant)>>,
}

/// All of them.
pub struct Followers {
    shared: Rc<Shared>,
    count: usize,
}

impl Followers {
    /// Starts them all at once, within a [`tokio::task::LocalSet`].
    pub fn start(api: &Api, count: usize) -> Self {
        let shared = Rc::new(Shared::default());
        for n in 0..count {
            let (shared, address, token) = (shared.clone(), api.address.clone(), api.token.clone());
            spawn_local(async move {
                let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (n as u64 + 1));
                let (mut cursor, mut failed) = (String::new(), 0u32);
                loop {
                    if follow(&address, &token, &mut cursor, &shared).await {
                        failed = 0;
                    }
                    // contracts.md section 1: 1 s doubling to 30 s, full jitter
                    let longest = 1_000u64 << failed.min(5);
                    sleep(Duration::from_millis(dice.below(longest.min(30_000)))).await;
                    failed += 1;
                }
            });
        }
        Self { shared, count }
    }

    /// Waits until every follower has its stream.
    pub async fn all_connected(&self, within: Duration) -> Result<()> {
        let end = Instant::now() + within;
        while self.shared.connected.get() < self.count {
            if Instant::now() > end {
                bail!(
                    "{} of {} connected after {within:?}",
                    self.shared.connected.get(),
                    self.count
                );
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until every follower has heard event `seq`: how long after `sent` each did.
    pub async fn heard(&self, seq: u64, sent: Instant, within: Duration) -> Result<Vec<Duration>> {
        let end = Instant::now() + within;
        loop {
            let times: Vec<Duration> = {
                let heard = self.shared.heard.borrow();
                heard
                    .iter()
                    .filter(|(s, _)| *s == seq)
                    .map(|(_, at)| at.saturating_duration_since(sent))
                    .collect()
            };
            if times.len() >= self.count {
                self.shared.heard.borrow_mut().clear();
                return Ok(times);
            }
            if Instant::now() > end {
                bail!("{} of {} heard event {seq} within {within:?}", times.len(), self.count);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// One connection, to its end. True if the stream was had.
async fn follow(address: &str, token: &str, cursor: &mut String, shared: &Shared) -> bool {
    let Ok(mut line) = Line::open(address).await else { return false };
    let after = if cursor.is_empty() { String::new() } else { format!("&after={cursor}") };
    let path = format!("/v1/events?topics=instances:shop/**{after}");
    let Ok((200, _)) =
        line.begin(token, "GET", &path, &[("Accept", "text/event-stream")], "").await
    else {
        return false;
    };
    shared.connected.set(shared.connected.get() + 1);
    let mut id = String::new();
    while let Ok(Some(text)) = line.next().await {
        if let Some(new) = text.strip_prefix("id: ") {
            new.clone_into(&mut id);
        } else if text.starts_with("data: ") && !id.is_empty() {
            let seq = id.split(':').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
            if *cursor != id {
                shared.heard.borrow_mut().push((seq, Instant::now()));
            }
            cursor.clone_from(&id);
        }
    }
    shared.connected.set(shared.connected.get() - 1);
    true
}

/// Small and the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
