//! The sender: asks the plan what to do, does it, and tells plan and books what came of it.
//!
//! Per destination one connection is always kept idle as a sentinel, opened before the one in use carries its batch: when carbon
//! ends, the sentinel ends. The next batch is then sent over that sentinel, after a new one is open, so there is no moment without
//! one, none grows older than a batch, and each batch costs one connection.

use super::connection::{self, Failure};
use super::ledger::Chunk;
use super::plan::{Plan, Step};
use super::segment::Reader;
use super::spool::{Spool, lock};
use super::status::wall_ms;
use super::{Inner, Protocol, pickle};
use crate::logging::Episode;
use futures_util::future::select_all;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// How long the last attempts may take once the stop has come.
const GRACE: Duration = Duration::from_secs(5);
/// How long the position's last write may take after that.
const LAST_SAVE: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Sender {
    inner: Arc<Inner>,
    plan: Plan,
    started: Instant,
    /// The sentinel of each destination, and how sending there goes.
    sentinels: Vec<Option<TcpStream>>,
    sending: Vec<Episode>,
    reading: Episode,
    /// Reused: one record's lines, and the same as pickle.
    lines: Vec<u8>,
    pickled: Vec<u8>,
    /// Writing the position down, which may take as long as the disk likes.
    saving: Option<JoinHandle<()>>,
}

impl Sender {
    pub fn new(inner: Arc<Inner>) -> Self {
        let (settings, count) = (&inner.settings, inner.settings.destinations.len());
        Self {
            plan: Plan::new(settings),
            started: Instant::now(),
            sentinels: std::iter::repeat_with(|| None).take(count).collect(),
            sending: settings
                .destinations
                .iter()
                .map(|destination| Episode::new(format!("carbon at {destination}")))
                .collect(),
            reading: Episode::new("reading the spool"),
            lines: Vec::new(),
            pickled: Vec::new(),
            saving: None,
            inner,
        }
    }

    /// Sends until `stop`, then for a little while what still waits, if it is taken at the first attempt.
    pub async fn run(mut self, stop: CancellationToken) {
        let over = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            () = self.work(&stop) => {}
            () = over => {}
        }
        self.inner.spool.ledger().failed();
        let left = self.inner.spool.ledger().waiting_points();
        if left > 0 {
            tracing::info!(points = left, "left in the spool for the next start");
        }
        if timeout(LAST_SAVE, self.on_disk(|spool| spool.save(true))).await.is_err() {
            tracing::warn!(
                "the spool's position is not kept, the disk does not answer: the next start sends more than needed"
            );
        }
    }

    async fn work(&mut self, stop: &CancellationToken) {
        let mut stopping = false;
        loop {
            if stop.is_cancelled() && !stopping {
                stopping = true;
                self.plan.hurry();
            }
            let waiting = self.inner.spool.ledger().waiting().is_some();
            match self.plan.next(self.now(), waiting) {
                Step::Wait(_) if stopping => return,
                Step::Wait(until) => self.wait(until, stop).await,
                Step::Probe(current) => self.probe(current).await,
                Step::Deliver(destination) => self.deliver(destination).await,
            }
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for a batch, the stop, a time, or a sentinel's end.
    async fn wait(&mut self, until: Option<Duration>, stop: &CancellationToken) {
        let time = async {
            match until {
                Some(until) => sleep_until(self.started + until).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            () = self.inner.wake.notified() => None,
            () = time => None,
            ended = first_end(&self.sentinels) => Some(ended),
        };
        if let Some((destination, failure)) = ended {
            self.ended(destination, &failure);
        }
    }

    /// A destination's sentinel or connection ended: what it acknowledged inside the window is sent again.
    fn ended(&mut self, destination: usize, failure: &Failure) {
        self.sentinels[destination] = None;
        let points = self.inner.spool.ledger().ended(destination);
        let to = &self.inner.settings.destinations[destination];
        {
            let mut health = lock(&self.inner.health);
            health.broken = true;
            health.sending.replays += u64::from(points > 0);
        }
        if points > 0 {
            tracing::info!(
                points,
                "carbon at {to}: {failure}; what it acknowledged last is sent again"
            );
        } else {
            tracing::debug!("carbon at {to}: {failure}");
        }
    }

    async fn probe(&mut self, current: usize) {
        let limit = self.inner.settings.connect_timeout;
        let mut found = None;
        for (destination, name) in self.inner.settings.destinations[..current].iter().enumerate() {
            if connection::answers(name, limit).await {
                found = Some(destination);
                break;
            }
        }
        self.plan.probed(self.now(), found);
    }

    async fn deliver(&mut self, destination: usize) {
        let began = self.now();
        match self.attempt(destination).await {
            Ok(Some((chunk, damaged))) => self.acknowledged(destination, began, chunk, damaged),
            Ok(None) => {}
            Err(failure) => self.failed(destination, &failure),
        }
        if self.saving.as_ref().is_none_or(JoinHandle::is_finished) {
            let inner = Arc::clone(&self.inner);
            self.saving = Some(spawn_blocking(move || inner.spool.save(false)));
        }
    }

    /// Sends one chunk and waits for its acknowledgement. `None` if nothing readable waits any more.
    async fn attempt(&mut self, to: usize) -> Result<Option<(Chunk, (u64, u64))>, Failure> {
        let mut stream = self.connection(to).await?;
        let Some((chunk, mut reader)) =
            self.on_disk(Spool::take).await.and_then(|t| t).map_err(Failure::Spool)?
        else {
            return Ok(None);
        };
        let limit = self.inner.settings.ack_timeout;
        loop {
            let (points, back) = self.read(reader).await.map_err(Failure::Spool)?;
            reader = back;
            let Some(points) = points else { break };
            let bytes = match self.inner.settings.protocol {
                Protocol::Plaintext => &self.lines,
                Protocol::Pickle => {
                    self.pickled.clear();
                    let refused = pickle::encode(&self.lines, &mut self.pickled);
                    lock(&self.inner.health).sending.refused_lines += refused;
                    &self.pickled
                }
            };
            connection::send(&mut stream, bytes, limit).await?;
            lock(&self.inner.health).sending.sent_points += u64::from(points);
        }
        connection::finish(&mut stream, limit).await?;
        Ok(Some((chunk, reader.damaged)))
    }

    /// The sentinel, to be used now, with a new one in its place.
    async fn connection(&mut self, to: usize) -> Result<TcpStream, Failure> {
        let limit = self.inner.settings.connect_timeout;
        if let Some(Err(failure)) = self.sentinels[to].as_ref().map(connection::check) {
            self.ended(to, &failure);
        }
        let name = self.inner.settings.destinations[to].clone();
        if self.sentinels[to].is_none() {
            self.sentinels[to] = Some(connection::connect(&name, limit).await?);
        }
        let fresh = connection::connect(&name, limit).await?;
        match self.sentinels[to].replace(fresh) {
            Some(stream) => Ok(stream),
            None => connection::connect(&name, limit).await,
        }
    }

    fn acknowledged(&mut self, by: usize, began: Duration, chunk: Chunk, damaged: (u64, u64)) {
        let now = self.now();
        self.plan.delivered(began, chunk.points);
        let mut ledger = self.inner.spool.ledger();
        ledger.acked(now, by, damaged.0, damaged.1);
        for (destination, sentinel) in self.sentinels.iter_mut().enumerate() {
            // one that is not in use is watched only as long as something could have to be replayed
            if destination != by && !ledger.in_window(destination) {
                *sentinel = None;
            }
        }
        drop(ledger);
        lock(&self.inner.health).acknowledged(by, wall_ms());
        self.sending[by].recovered();
        self.reading.recovered();
    }

    fn failed(&mut self, destination: usize, failure: &Failure) {
        self.inner.spool.ledger().failed();
        if failure.is_end() {
            self.ended(destination, failure);
        }
        let told = match failure {
            Failure::Spool(_) => failure.to_string(),
            _ => format!("carbon at {}: {failure}", self.inner.settings.destinations[destination]),
        };
        let all = self.plan.failed(self.started.elapsed(), crate::backoff::random());
        let episode = match failure {
            Failure::Spool(_) => &mut self.reading,
            _ => &mut self.sending[destination],
        };
        match all {
            true => episode.failed(&format_args!("{failure}; batches wait in the spool")),
            false => episode.failed(failure),
        }
        lock(&self.inner.health).failed(told, wall_ms());
    }

    /// The next record's lines into `self.lines`, and how many; the reader comes back.
    async fn read(&mut self, mut reader: Reader) -> io::Result<(Option<u32>, Reader)> {
        let mut lines = std::mem::take(&mut self.lines);
        let (points, reader, lines) = self
            .on_disk(move |_| {
                let points = reader.next(&mut lines);
                (points, reader, lines)
            })
            .await?;
        self.lines = lines;
        Ok((points?, reader))
    }

    /// Runs what may block on the disk where it stops nobody: a stalled disk must not stall the runtime.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Spool) -> T + Send + 'static,
    ) -> io::Result<T> {
        let inner = Arc::clone(&self.inner);
        spawn_blocking(move || work(&inner.spool)).await.map_err(io::Error::other)
    }
}

/// The first of the sentinels that ends.
async fn first_end(sentinels: &[Option<TcpStream>]) -> (usize, Failure) {
    let watched = sentinels.iter().enumerate().filter_map(|(destination, sentinel)| {
        let stream = sentinel.as_ref()?;
        Some(Box::pin(async move { (destination, connection::end_of(stream).await) }))
    });
    let watched: Vec<_> = watched.collect();
    if watched.is_empty() {
        return std::future::pending().await;
    }
    select_all(watched).await.0
}
