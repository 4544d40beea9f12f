//! Follows one cluster for as long as the process holds its lease: connects, lists, listens, and begins again.

use super::client::{Client, Trouble};
use super::ledger::Ledger;
use super::pace;
use super::session::{self, Session};
use super::sink::Sink;
use super::status::{Counts, Phase, Shared};
use super::stream::End;
use crate::centre::Lease;
use crate::config::Cluster;
use common::backoff::{self, Backoff};
use common::logging::Episode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A connection that lasted so long was a good one: the next failure waits shortly again.
const GOOD: Duration = Duration::from_secs(120);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// No answer, or one of no use.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The stream ended.
    #[error(transparent)]
    Stream(#[from] End),
    /// It ended before anything came. A leader that is not ready accepts and closes at once.
    #[error("the stream of events ended before anything came: {0}")]
    StillBorn(End),
    /// It was open and nothing came.
    #[error("the stream of events gave nothing for {0:?}")]
    Mute(Duration),
    /// It is time to look whether there is a stream.
    #[error("to see whether events can be followed now")]
    Again,
}

/// Runs until the stop.
pub async fn follow(
    cluster: Cluster,
    sink: Sink,
    mut lease: Lease,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let mut follower = Follower::new(cluster, sink, shared);
    loop {
        if !lease.held() {
            follower.shared.edit(|status| {
                status.phase = Phase::Elsewhere;
                status.detail = "another process of qae-api follows it".to_owned();
            });
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = lease.acquired() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = lease.lost() => {}
            () = follower.run() => {}
        }
    }
}

struct Follower {
    cluster: Cluster,
    sink: Sink,
    shared: Arc<Shared>,
    client: Option<Client>,
    failures: Backoff,
    /// Streams in a row that did not last.
    broken_streams: u32,
    /// Which of the configured servers is asked next.
    turn: usize,
    connection: Episode,
    list: Episode,
    store: Episode,
}

impl Follower {
    fn new(cluster: Cluster, sink: Sink, shared: Arc<Shared>) -> Self {
        let episode = |what: &str| Episode::new(format!("cluster {}: {what}", cluster.name));
        Self {
            connection: episode("Marathon"),
            list: episode("listing"),
            store: episode("storing what Marathon says"),
            client: None,
            failures: Backoff::default(),
            broken_streams: 0,
            turn: 0,
            cluster,
            sink,
            shared,
        }
    }

    /// Never ends by itself.
    async fn run(&mut self) {
        self.shared.edit(|status| {
            status.phase = Phase::Unknown;
            status.detail.clear();
        });
        // others may have followed it meanwhile, and stored what they saw
        let mut ledger = self.sink.restore();
        loop {
            let begun = tokio::time::Instant::now();
            let why = self.connect(&mut ledger).await;
            ledger.failed();
            ledger.doubt();
            if begun.elapsed() >= GOOD {
                self.failures.worked();
                self.broken_streams = 0;
            }
            if matches!(why, Why::Again) {
                // one try; if it does not last either, only lists again
                self.broken_streams = self.broken_streams.min(session::MOST_BROKEN - 1);
                continue;
            }
            if !matches!(why, Why::Trouble(_)) {
                self.broken_streams += 1;
            }
            Counts::add(&self.shared.counts.failures, 1);
            self.connection.failed(&why);
            self.shared.edit(|status| {
                status.phase = match status.last_list {
                    Some(_) => Phase::Away,
                    None => Phase::Unknown,
                };
                status.streaming = false;
                status.detail = why.to_string();
            });
            tokio::time::sleep(pace::wait(&mut self.failures, backoff::random())).await;
        }
    }

    /// One connection, to its end.
    async fn connect(&mut self, ledger: &mut Ledger) -> Why {
        let mut client =
            self.client.take().unwrap_or_else(|| Client::new(self.cluster.url.clone()));
        let opened = session::open(
            &mut client,
            &self.cluster,
            self.turn,
            self.broken_streams < session::MOST_BROKEN,
            &self.shared,
        )
        .await;
        Counts::add(&self.shared.counts.redirects_refused, client.take_refused());
        let opened = match opened {
            Ok(opened) => opened,
            Err(trouble) => {
                // the next one may know more
                self.turn = self.turn.wrapping_add(1);
                self.client = Some(client);
                return trouble.into();
            }
        };
        let session = Session {
            ledger,
            sink: &self.sink,
            shared: &self.shared,
            connection: &mut self.connection,
            list: &mut self.list,
            store: &mut self.store,
        };
        let why = session.run(client, opened).await;
        if matches!(why, Why::Trouble(_)) {
            self.turn = self.turn.wrapping_add(1);
        }
        why
    }
}
