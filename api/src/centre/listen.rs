//! PostgreSQL says when another process has written. Only a nudge: what was written is read from the tables, and the writer looks every
//! second anyway, so a lost one costs a second.

use super::Centre;
use crate::store;
use common::backoff::{self, Backoff};
use common::logging::Episode;
use sqlx::postgres::PgListener;
use sqlx::{AnyConnection, Error, Executor};
use std::time::Duration;
use tokio::time::timeout;

/// After so long without a word it listens anew.
const SILENCE: Duration = Duration::from_secs(300);

/// Tells the others, when the transaction commits. The epoch keeps stores that share a database apart; it is hexadecimal.
pub(super) async fn notify(
    c: &mut AnyConnection,
    epoch: &str,
    seq: u64,
) -> Result<(), store::Error> {
    c.execute(format!("NOTIFY qae_{epoch}, '{seq}'").as_str()).await?;
    Ok(())
}

/// Nudges the writer until the stop.
pub(super) async fn run(centre: Centre) {
    let stop = centre.stopping().clone();
    stop.run_until_cancelled(follow(centre)).await;
}

async fn follow(centre: Centre) {
    let (mut back_off, mut episode) = (Backoff::default(), Episode::new("store: LISTEN"));
    let channel = format!("qae_{}", centre.epoch());
    'listen: loop {
        let listening = async {
            let mut listener = PgListener::connect(centre.inner.store.url()).await?;
            listener.listen(&channel).await?;
            Ok::<_, Error>(listener)
        };
        let error = match listening.await {
            Ok(mut listener) => {
                episode.recovered();
                back_off.worked();
                loop {
                    // a connection can be cut without a word
                    match timeout(SILENCE, listener.recv())
                        .await
                        .unwrap_or(Err(Error::PoolTimedOut))
                    {
                        // our own come back too
                        Ok(told) => {
                            let seq = told.payload().parse::<u64>().unwrap_or(u64::MAX);
                            if seq > centre.inner.recent_head() {
                                centre.inner.nudge.notify_one();
                            }
                        }
                        Err(Error::PoolTimedOut) => continue 'listen,
                        Err(e) => break e,
                    }
                }
            }
            Err(e) => e,
        };
        episode.failed(&error);
        tokio::time::sleep(back_off.failed(backoff::random())).await;
    }
}
