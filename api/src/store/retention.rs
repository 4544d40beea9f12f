//! Deleting old events and instances that ended. What belongs to access is deleted there.

use super::{Error, Store, many};
use common::moment::Moment;

fn ms(moment: Moment) -> i64 {
    many::number(moment.unix_ms())
}

/// The first event that is not older than a time; None if all are. Times follow numbers, so only older ones are looked at.
pub(crate) async fn young(store: &Store, since: Moment) -> Result<Option<u64>, Error> {
    let sql = "SELECT seq FROM events WHERE time >= $1 ORDER BY seq LIMIT 1";
    let seq: Option<i64> =
        sqlx::query_scalar(sql).bind(ms(since)).fetch_optional(store.read()).await?;
    Ok(seq.and_then(|s| u64::try_from(s).ok()))
}

/// Deletes events up to a number, the oldest first, at most `slice`; how many there were.
pub(crate) async fn events(store: &Store, last: u64, slice: u64) -> Result<u64, Error> {
    let sql = "DELETE FROM events WHERE seq <= $1 AND seq < $2 + (SELECT MIN(seq) FROM events)";
    delete(store, sql, many::number(last), many::number(slice)).await
}

/// Deletes instances that ended before a time, and those beyond a number, at most `slice`; how many there were.
pub(crate) async fn ended(
    store: &Store,
    before: Moment,
    keep: u64,
    slice: u64,
) -> Result<u64, Error> {
    let slice = many::number(slice);
    let sql = "DELETE FROM instances WHERE gone > 0 AND gone IN \
               (SELECT gone FROM instances WHERE gone > 0 AND ended_at < $1 ORDER BY gone LIMIT $2)";
    let aged = delete(store, sql, ms(before), slice).await?;
    let sql = "DELETE FROM instances WHERE gone > 0 AND gone IN \
               (SELECT gone FROM instances WHERE gone > 0 ORDER BY gone DESC LIMIT $2 OFFSET $1)";
    Ok(aged + delete(store, sql, many::number(keep), slice).await?)
}

async fn delete(store: &Store, sql: &'static str, a: i64, b: i64) -> Result<u64, Error> {
    store
        .write(|c| {
            Box::pin(async move {
                Ok(sqlx::query(sql).bind(a).bind(b).execute(c).await?.rows_affected())
            })
        })
        .await
}
