//! What the store keeps of agents, and what it is asked before something is told a second time.

use super::entry::Known;
use crate::reconcile::{Doubts, Told};
use crate::store::{Error, Store, many};
use common::api_types::{Instance, LOST, LogGap, LogLossFact};
use common::ids::{AppId, InstanceId, NodeName};
use common::moment::Moment;
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

/// Rows of one transaction: others wait for it.
const MOST: usize = 500;
/// Columns of what is said by the headers alone.
const HEADS: &str = "node, agent, run, digest, last_seen";

/// The last report of an agent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub node: NodeName,
    pub agent: String,
    pub run: String,
    pub digest: String,
    pub last_seen: Moment,
    /// Its JSON; empty where only the rest was read.
    pub report: String,
}

impl Row {
    pub fn of(node: &NodeName, known: &Known, report: String) -> Self {
        Self {
            node: node.clone(),
            agent: known.agent.name.clone(),
            run: known.run.as_str().to_owned(),
            digest: known.digest.clone(),
            last_seen: known.seen_at,
            report,
        }
    }

    fn read(row: &AnyRow, whole: bool) -> Result<Self, Error> {
        Ok(Self {
            node: NodeName::new(row.try_get::<String, _>(0)?),
            agent: row.try_get(1)?,
            run: row.try_get(2)?,
            digest: row.try_get(3)?,
            last_seen: moment(row.try_get(4)?),
            report: if whole { row.try_get(5)? } else { String::new() },
        })
    }
}

/// All of them.
pub(super) async fn load(store: &Store) -> Result<Vec<Row>, Error> {
    let sql = format!("SELECT {HEADS}, report FROM agents ORDER BY node, agent");
    let rows = sqlx::query(&sql).fetch_all(store.read()).await?;
    rows.iter().map(|row| Row::read(row, true)).collect()
}

/// Those that reported since, without their reports.
pub(super) async fn since(store: &Store, since: Moment) -> Result<Vec<Row>, Error> {
    let sql = format!("SELECT {HEADS} FROM agents WHERE last_seen >= $1");
    let rows =
        sqlx::query(&sql).bind(many::number(since.unix_ms())).fetch_all(store.read()).await?;
    rows.iter().map(|row| Row::read(row, false)).collect()
}

/// One of them, whole.
pub(super) async fn one(store: &Store, node: &NodeName, agent: &str) -> Result<Option<Row>, Error> {
    let sql = format!("SELECT {HEADS}, report FROM agents WHERE node = $1 AND agent = $2");
    let query = sqlx::query(&sql).bind(node.to_string()).bind(agent.to_owned());
    query.fetch_optional(store.read()).await?.map(|row| Row::read(&row, true)).transpose()
}

/// Writes reports.
pub(super) async fn save(store: &Store, rows: &[Row]) -> Result<(), Error> {
    for some in rows.chunks(MOST) {
        let some = some.to_vec();
        store
            .write(move |c| {
                Box::pin(async move {
                    for group in many::groups(&some) {
                        let sql = format!(
                            "INSERT INTO agents ({HEADS}, report) VALUES {} ON CONFLICT (node, agent) DO UPDATE SET \
                             run = excluded.run, digest = excluded.digest, last_seen = excluded.last_seen, report = excluded.report",
                            many::places(group.len(), 6)
                        );
                        let mut insert = sqlx::query(&sql);
                        for row in group {
                            insert = insert
                                .bind(row.node.to_string())
                                .bind(row.agent.clone())
                                .bind(row.run.clone())
                                .bind(row.digest.clone())
                                .bind(many::number(row.last_seen.unix_ms()))
                                .bind(row.report.clone());
                        }
                        insert.execute(&mut *c).await?;
                    }
                    Ok::<(), Error>(())
                })
            })
            .await?;
    }
    Ok(())
}

/// Notes that these agents were heard of at that time, their reports being as they were.
pub(super) async fn saw(
    store: &Store,
    agents: &[(NodeName, String)],
    at: Moment,
) -> Result<(), Error> {
    for some in agents.chunks(MOST) {
        let some = some.to_vec();
        store
            .write(move |c| {
                Box::pin(async move {
                    for group in many::groups(&some) {
                        let which: Vec<String> = (0..group.len())
                            .map(|n| format!("(node = ${} AND agent = ${})", 2 * n + 2, 2 * n + 3))
                            .collect();
                        let sql = format!(
                            "UPDATE agents SET last_seen = $1 WHERE {}",
                            which.join(" OR ")
                        );
                        let mut update = sqlx::query(&sql).bind(many::number(at.unix_ms()));
                        for (node, agent) in group {
                            update = update.bind(node.to_string()).bind(agent.clone());
                        }
                        update.execute(&mut *c).await?;
                    }
                    Ok::<(), Error>(())
                })
            })
            .await?;
    }
    Ok(())
}

/// Takes out all agents of a node.
pub(super) async fn delete(c: &mut AnyConnection, node: &NodeName) -> Result<(), Error> {
    sqlx::query("DELETE FROM agents WHERE node = $1").bind(node.to_string()).execute(c).await?;
    Ok(())
}

/// What of the doubtful is told already.
pub(super) async fn told(store: &Store, doubts: &Doubts) -> Result<Told, Error> {
    let mut told = Told::default();
    for group in many::groups(&doubts.ends) {
        let places: Vec<_> = (1..=group.len()).map(|n| format!("${n}")).collect();
        // the column has when it was told; when it was stands in the body
        let sql = format!(
            "SELECT key, body FROM instances AS i WHERE key IN ({}) AND gone > 0 \
             AND gone = (SELECT MAX(gone) FROM instances WHERE key = i.key)",
            places.join(",")
        );
        let mut query = sqlx::query(&sql);
        for key in group {
            query = query.bind(key.clone());
        }
        for row in query.fetch_all(store.read()).await? {
            let ended = serde_json::from_str::<Instance>(&row.try_get::<String, _>(1)?);
            if let Some(at) = ended.ok().and_then(|i| i.ended_at) {
                told.enter_end(row.try_get(0)?, at);
            }
        }
    }
    for (subject, app) in &doubts.kills {
        let sql = "SELECT payload FROM events WHERE app = $1 AND type = 'oom_killed' AND subject = $2 ORDER BY seq DESC LIMIT 1";
        let query = sqlx::query(sql).bind(app.clone()).bind(subject.clone());
        if let Some(row) = query.fetch_optional(store.read()).await? {
            let payload: String = row.try_get(0)?;
            // what cannot be read was not written by this: then it tells nothing
            told.enter_kill(subject.clone(), &serde_json::from_str(&payload).unwrap_or_default());
        }
    }
    Ok(told)
}

/// What the latest `log_gap` about an instance said.
pub(super) async fn last_gap(
    store: &Store,
    instance: &Instance,
) -> Result<Option<LogLossFact>, Error> {
    let sql = "SELECT payload FROM events WHERE app = $1 AND type = 'log_gap' AND subject = $2 ORDER BY seq DESC LIMIT 1";
    let query = sqlx::query(sql).bind(instance.app.to_string()).bind(instance.key.clone());
    let Some(row) = query.fetch_optional(store.read()).await? else { return Ok(None) };
    // what cannot be read was not written by this: then it tells nothing
    let payload: Value = serde_json::from_str(&row.try_get::<String, _>(0)?).unwrap_or_default();
    Ok(payload.get(LOST).and_then(|gap| LogGap::deserialize(gap).ok()).map(|gap| gap.account))
}

/// An ended instance of a node, as it last was.
pub(super) async fn last_of(
    store: &Store,
    node: &NodeName,
    app: &AppId,
    id: &InstanceId,
) -> Result<Option<Instance>, Error> {
    let sql = "SELECT body FROM instances WHERE app = $1 AND id = $2 AND node = $3 AND gone > 0 ORDER BY gone DESC LIMIT 1";
    let query = sqlx::query(sql).bind(app.to_string()).bind(id.to_string()).bind(node.to_string());
    let Some(row) = query.fetch_optional(store.read()).await? else { return Ok(None) };
    Ok(serde_json::from_str(&row.try_get::<String, _>(0)?).ok())
}

/// When the latest end of an instance of an app was told.
pub(super) async fn last_end(store: &Store, app: &AppId) -> Result<Option<Moment>, Error> {
    let sql = "SELECT MAX(ended_at) FROM instances WHERE app = $1 AND gone > 0";
    let row = sqlx::query(sql).bind(app.to_string()).fetch_one(store.read()).await?;
    Ok(row.try_get::<Option<i64>, _>(0)?.map(moment))
}

/// A small fact of the whole store.
pub(crate) async fn meta(store: &Store, key: &str) -> Result<Option<String>, Error> {
    let query = sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key.to_owned());
    let row = query.fetch_optional(store.read()).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Writes one.
pub(crate) async fn set_meta(store: &Store, key: &'static str, value: String) -> Result<(), Error> {
    store
        .write(move |c| {
            Box::pin(async move {
                let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
                sqlx::query(sql).bind(key).bind(value).execute(&mut *c).await?;
                Ok::<(), Error>(())
            })
        })
        .await
}

fn moment(ms: i64) -> Moment {
    Moment::from_unix_ms(u64::try_from(ms).unwrap_or(0))
}
