//! Rows of the state: what lives, and the instances that ended.

use super::{Error, many};
use crate::world::World;
use common::api_types::{Entity, Event, EventType, Instance, InstanceState, Kind};
use common::ids::Cursor;
use serde::de::DeserializeOwned;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Number of the last event. In a transaction of PostgreSQL `lock` keeps every other process from writing until its end.
pub(crate) async fn head(c: &mut AnyConnection, lock: bool) -> Result<(u64, String), Error> {
    let lock = if lock { " FOR UPDATE" } else { "" };
    let sql = format!(
        "SELECT seq, COALESCE((SELECT value FROM meta WHERE key = 'epoch'), '') FROM head WHERE id = 1{lock}"
    );
    let row = sqlx::query(&sql).fetch_one(&mut *c).await?;
    let seq: i64 = row.try_get(0)?;
    Ok((u64::try_from(seq).unwrap_or(0), row.try_get(1)?))
}

/// Moves the number of the last event.
pub(crate) async fn set_head(c: &mut AnyConnection, seq: u64) -> Result<(), Error> {
    let sql = "UPDATE head SET seq = $1 WHERE id = 1";
    sqlx::query(sql).bind(many::number(seq)).execute(&mut *c).await?;
    Ok(())
}

/// The whole state; in a transaction that holds `head`.
pub(crate) async fn load(c: &mut AnyConnection, cursor: Cursor) -> Result<World, Error> {
    let mut world = World::new(cursor);
    let apps = sqlx::query("SELECT id, body FROM apps").fetch_all(&mut *c).await?;
    for row in apps {
        world.put(Entity::App(body("apps", &row.try_get::<String, _>(0)?, row.try_get(1)?)?));
    }
    let nodes = sqlx::query("SELECT name, body FROM nodes").fetch_all(&mut *c).await?;
    for row in nodes {
        world.put(Entity::Node(body("nodes", &row.try_get::<String, _>(0)?, row.try_get(1)?)?));
    }
    let sql = "SELECT key, body FROM instances WHERE gone = 0";
    for row in sqlx::query(sql).fetch_all(&mut *c).await? {
        let instance: Instance = body("instances", &row.try_get::<String, _>(0)?, row.try_get(1)?)?;
        world.put(Entity::Instance(Box::new(instance)));
    }
    Ok(world)
}

/// What a body column holds.
pub(super) fn body<T: DeserializeOwned>(
    table: &'static str,
    row: &str,
    body: String,
) -> Result<T, Error> {
    serde_json::from_str(&body).map_err(|e| Error::Row {
        table,
        row: row.to_owned(),
        what: e.to_string(),
    })
}

/// Makes the rows of these entities what `world` says, and keeps the instances that `events` ended.
pub(crate) async fn save(
    c: &mut AnyConnection,
    world: &World,
    touched: &BTreeSet<(Kind, String)>,
    events: &[Arc<Event>],
) -> Result<(), Error> {
    let of = |kind| touched.iter().filter(move |(k, _)| *k == kind).map(|(_, key)| key.as_str());
    let apps = of(Kind::App).map(|key| (key, world.app(&common::ids::AppId::new(key)).map(json)));
    plain(c, "apps", "id", apps).await?;
    let nodes =
        of(Kind::Node).map(|key| (key, world.node(&common::ids::NodeName::new(key)).map(json)));
    plain(c, "nodes", "name", nodes).await?;

    let (live, dead): (Vec<_>, Vec<_>) =
        of(Kind::Instance).partition(|key| world.instance(key).is_some());
    delete(c, "instances WHERE gone = 0 AND key", &dead).await?;
    let live = live.iter().filter_map(|key| Some((world.instance(key)?.as_ref().clone(), 0, None)));
    let mut rows: Vec<_> = live.collect();
    for event in events.iter().filter(|e| e.kind == EventType::InstanceGone) {
        let instance = body("events", &event.seq.to_string(), event.payload.to_string())?;
        // when it was heard, not the node's own clock: it decides how long the row is kept
        rows.push((instance, many::number(event.seq), Some(many::number(event.time.unix_ms()))));
    }
    instances(c, &rows).await
}

fn json<T: serde::Serialize>(entity: &Arc<T>) -> Result<String, Error> {
    serde_json::to_string(&**entity).map_err(|e| Error::Row {
        table: "state",
        row: String::new(),
        what: e.to_string(),
    })
}

/// Apps and nodes: a key and a body.
async fn plain(
    c: &mut AnyConnection,
    table: &str,
    key: &str,
    entities: impl Iterator<Item = (&str, Option<Result<String, Error>>)>,
) -> Result<(), Error> {
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    for (key, body) in entities {
        match body {
            Some(body) => rows.push((key, body?)),
            None => gone.push(key),
        }
    }
    delete(c, &format!("{table} WHERE {key}"), &gone).await?;
    for rows in many::groups(&rows) {
        let sql = format!(
            "INSERT INTO {table} ({key}, body) VALUES {} \
             ON CONFLICT ({key}) DO UPDATE SET body = excluded.body",
            many::places(rows.len(), 2)
        );
        let insert = rows
            .iter()
            .fold(sqlx::query(&sql), |insert, (key, body)| insert.bind(*key).bind(body.clone()));
        insert.execute(&mut *c).await?;
    }
    Ok(())
}

async fn delete(c: &mut AnyConnection, of: &str, keys: &[&str]) -> Result<(), Error> {
    for keys in many::groups(keys) {
        let sql = format!("DELETE FROM {of} IN {}", many::places(1, keys.len()));
        let delete = keys.iter().fold(sqlx::query(&sql), |delete, key| delete.bind(*key));
        delete.execute(&mut *c).await?;
    }
    Ok(())
}

/// Rows of `instances`: the instance, the number of the event that ended it or 0, and when that was.
async fn instances(
    c: &mut AnyConnection,
    rows: &[(Instance, i64, Option<i64>)],
) -> Result<(), Error> {
    for rows in many::groups(rows) {
        let sql = format!(
            "INSERT INTO instances (key, gone, id, app, node, state, ended_at, body) VALUES {} \
             ON CONFLICT (key, gone) DO UPDATE SET id = excluded.id, app = excluded.app, \
             node = excluded.node, state = excluded.state, body = excluded.body",
            many::places(rows.len(), 8)
        );
        let mut insert = sqlx::query(&sql);
        for (instance, gone, ended) in rows {
            let text = serde_json::to_string(instance).map_err(|e| Error::Row {
                table: "instances",
                row: instance.key.clone(),
                what: e.to_string(),
            })?;
            insert = insert
                .bind(instance.key.clone())
                .bind(*gone)
                .bind(instance.id.to_string())
                .bind(instance.app.to_string())
                .bind(instance.node.as_ref().map(ToString::to_string))
                .bind(state(instance.state))
                .bind(*ended)
                .bind(text);
        }
        insert.execute(&mut *c).await?;
    }
    Ok(())
}

/// As in JSON.
pub(super) fn state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Staging => "staging",
        InstanceState::Starting => "starting",
        InstanceState::Running => "running",
        InstanceState::Stopping => "stopping",
        InstanceState::Unreachable => "unreachable",
        InstanceState::Ended => "ended",
    }
}
