//! Rows of the bus.

use super::{Error, many};
use crate::scope::About;
use common::api_types::{Event, EventType};
use common::moment::Moment;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::sync::Arc;

/// Columns as [`event`] reads them.
pub(super) const COLUMNS: &str = "seq, time, type, subject, actor, cause, payload";

/// Writes events, in the transaction of the state that they make.
pub(crate) async fn append(c: &mut AnyConnection, events: &[Arc<Event>]) -> Result<(), Error> {
    for events in many::groups(events) {
        let sql = format!(
            "INSERT INTO events ({COLUMNS}, app, node) VALUES {}",
            many::places(events.len(), 9)
        );
        let mut insert = sqlx::query(&sql);
        for event in events {
            let about = About::of(event);
            insert = insert
                .bind(many::number(event.seq))
                .bind(many::number(event.time.unix_ms()))
                .bind(event.kind.name())
                .bind(event.subject.clone())
                .bind(event.actor.clone())
                .bind(event.cause.clone())
                .bind(event.payload.to_string())
                .bind(about.app().map(ToString::to_string))
                .bind(about.node().map(ToString::to_string));
        }
        insert.execute(&mut *c).await?;
    }
    Ok(())
}

/// Events after a number, in order, at most `limit`.
pub(crate) async fn after(
    c: &mut AnyConnection,
    epoch: &str,
    after: u64,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE seq > $1 ORDER BY seq LIMIT $2");
    let rows = sqlx::query(&sql)
        .bind(many::number(after))
        .bind(i64::from(limit))
        .fetch_all(&mut *c)
        .await?;
    rows.iter().map(|row| event(row, epoch)).collect()
}

/// Number of the oldest event that is kept; None when there is none.
pub(crate) async fn oldest(c: &mut AnyConnection) -> Result<Option<u64>, Error> {
    let seq: Option<i64> =
        sqlx::query_scalar("SELECT MIN(seq) FROM events").fetch_one(&mut *c).await?;
    Ok(seq.and_then(|s| u64::try_from(s).ok()))
}

/// The event of a row.
pub(super) fn event(row: &AnyRow, epoch: &str) -> Result<Event, Error> {
    let seq: i64 = row.try_get(0)?;
    let kind: String = row.try_get(2)?;
    let payload: String = row.try_get(6)?;
    let payload = serde_json::from_str(&payload).map_err(|e| Error::Row {
        table: "events",
        row: seq.to_string(),
        what: format!("payload: {e}"),
    })?;
    Ok(Event {
        epoch: epoch.to_owned(),
        seq: u64::try_from(seq).unwrap_or(0),
        time: Moment::from_unix_ms(u64::try_from(row.try_get::<i64, _>(1)?).unwrap_or(0)),
        kind: EventType::named(&kind).unwrap_or(EventType::Other),
        subject: row.try_get(3)?,
        actor: row.try_get(4)?,
        cause: row.try_get(5)?,
        payload,
    })
}
