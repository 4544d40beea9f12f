//! The audit log: who changed what, from where, why, and what it was before. A row is written in the transaction of the change it tells
//! of: there is no change without one, and none without its change. (Of a node that is deleted the row comes with the first step of it, in
//! the transaction that takes what its agents said out of the store; the second is an event of the bus.)

use super::Error;
use super::secret::Secret;
use common::moment::Moment;
use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, Row as _};
use std::net::IpAddr;
use std::time::Duration;

/// How long rows are kept.
pub const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// Keys whose values are never written, whatever holds them. No change puts them there; this is for the one that will.
const HIDDEN: [&str; 7] =
    ["token", "secret", "password", "hash", "code", "ticket", "authorization"];

/// Who acts, from where, and why.
#[derive(Debug, Clone)]
pub struct By {
    /// `user:<token name>`, `node:<name>`, `api`.
    pub actor: String,
    /// In its own words; mostly empty.
    pub cause: String,
    /// Where from; None for the centre itself.
    pub address: Option<IpAddr>,
}

impl By {
    /// The centre itself.
    pub fn centre(cause: &str) -> Self {
        Self { actor: "api".to_owned(), cause: cause.to_owned(), address: None }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A token was made.
    TokenCreated,
    /// A token was made anew under its name: the old secret is worth nothing.
    TokenRenewed,
    /// A token was revoked.
    TokenDeleted,
    /// A one-time sign-in code was made.
    SignInCreated,
    /// A browser signed in.
    SessionCreated,
    /// A browser signed out.
    SessionEnded,
    /// A ticket was made.
    TicketCreated,
    /// Logs were read through the centre.
    LogsRelayed,
    /// Tickets are signed with a new key.
    KeyRotated,
    /// A node that reports no more is forgotten.
    NodeDeleted,
}

impl Action {
    /// As in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenCreated => "token_created",
            Self::TokenRenewed => "token_renewed",
            Self::TokenDeleted => "token_deleted",
            Self::SignInCreated => "sign_in_created",
            Self::SessionCreated => "session_created",
            Self::SessionEnded => "session_ended",
            Self::TicketCreated => "ticket_created",
            Self::LogsRelayed => "logs_relayed",
            Self::KeyRotated => "key_rotated",
            Self::NodeDeleted => "node_deleted",
        }
    }
}

/// A row, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Entry {
    /// Its number.
    pub id: i64,
    /// When.
    pub time: Moment,
    /// Who: `user:<token name>`, `node:<name>`, `api`.
    pub actor: String,
    /// What: `token_created`, `token_renewed`, `token_deleted`, `sign_in_created`, `session_created`, `session_ended`, `ticket_created`,
    /// `logs_relayed`, `key_rotated`, `node_deleted`.
    pub action: String,
    /// To what: a token's name, an app, an instance's key, a key's id, a node.
    pub subject: String,
    /// Why, in the actor's words.
    pub cause: String,
    /// As it was; null if it was not there.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// As it is now; null if it is no more.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// Where the request came from; null for the centre itself.
    pub address: Option<String>,
}

/// What changed.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// What was done.
    pub action: Action,
    /// To what.
    pub subject: &'a str,
    /// As it was.
    pub before: Option<Value>,
    /// As it is.
    pub after: Option<Value>,
}

/// Writes a row in the transaction at hand.
pub async fn write(
    c: &mut AnyConnection,
    by: &By,
    change: Change<'_>,
    now: Moment,
) -> Result<(), Error> {
    let text = |value: Option<Value>| value.map(|value| redacted(value).to_string());
    sqlx::query(
        "INSERT INTO audit (time, actor, action, subject, cause, before, after, address) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(stored(now))
    .bind(&by.actor)
    .bind(change.action.name())
    .bind(change.subject)
    .bind(&by.cause)
    .bind(text(change.before))
    .bind(text(change.after))
    .bind(by.address.map(|address| address.to_string()))
    .execute(c)
    .await?;
    Ok(())
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Exactly this actor.
    pub actor: Option<String>,
    /// Exactly this action.
    pub action: Option<String>,
    /// Exactly this subject.
    pub subject: Option<String>,
    /// Not before.
    pub since: Option<Moment>,
    /// Before.
    pub until: Option<Moment>,
    /// Older than this row.
    pub before_id: Option<i64>,
}

/// The newest rows that fit, newest first, at most `limit`.
pub async fn list(pool: &AnyPool, filter: &Filter, limit: usize) -> Result<Vec<Entry>, Error> {
    let mut sql = "SELECT id, time, actor, action, subject, cause, before, after, address \
                   FROM audit WHERE time >= $1 AND time < $2 AND id < $3"
        .to_owned();
    let texts =
        [("actor", &filter.actor), ("action", &filter.action), ("subject", &filter.subject)];
    // PostgreSQL has no text with a NUL, and refuses to look for one
    if texts.iter().any(|(_, text)| text.as_ref().is_some_and(|text| text.contains('\0'))) {
        return Ok(Vec::new());
    }
    let given = || texts.iter().filter_map(|(column, text)| Some((*column, text.as_ref()?)));
    for (place, (column, _)) in given().enumerate() {
        sql.push_str(&format!(" AND {column} = ${}", place + 4));
    }
    sql.push_str(&format!(" ORDER BY id DESC LIMIT {limit}"));
    let mut query = sqlx::query(&sql)
        .bind(filter.since.map_or(0, stored))
        .bind(filter.until.map_or(i64::MAX, stored))
        .bind(filter.before_id.unwrap_or(i64::MAX));
    for (_, text) in given() {
        query = query.bind(text.clone());
    }
    query.fetch_all(pool).await?.iter().map(entry).collect()
}

fn entry(row: &AnyRow) -> Result<Entry, Error> {
    // what we wrote ourselves; a value that does not read is shown as the text it is
    let json = |text: Option<String>| {
        text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
    };
    Ok(Entry {
        id: row.try_get("id")?,
        time: loaded(row.try_get("time")?),
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        cause: row.try_get("cause")?,
        before: json(row.try_get("before")?),
        after: json(row.try_get("after")?),
        address: row.try_get("address")?,
    })
}

/// Deletes what is older than [`KEPT`]; how many rows.
pub async fn prune(c: &mut AnyConnection, now: Moment) -> Result<u64, Error> {
    let oldest = stored(now.before(KEPT));
    Ok(sqlx::query("DELETE FROM audit WHERE time < $1")
        .bind(oldest)
        .execute(c)
        .await?
        .rows_affected())
}

/// A moment as it is stored.
pub fn stored(moment: Moment) -> i64 {
    i64::try_from(moment.unix_ms()).unwrap_or(i64::MAX)
}

/// A stored moment; one before 1970 reads as 1970.
pub fn loaded(ms: i64) -> Moment {
    Moment::from_unix_ms(u64::try_from(ms).unwrap_or(0))
}

/// The value with everything under a key of [`HIDDEN`] replaced, and whatever looks like one of our own secrets.
fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let hidden = HIDDEN.contains(&key.to_ascii_lowercase().as_str());
                *inner = if hidden && !inner.is_null() {
                    Value::from("(hidden)")
                } else {
                    redacted(inner.take())
                };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        Value::String(text) if Secret::parse(text).is_some() || text.starts_with("qtk1.") => {
            "(hidden)".clone_into(text);
        }
        _ => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_at_any_depth() {
        let before =
            json!({"name": "a", "Token": "qae_x", "list": [{"password": 1, "code": null}]});
        let after = json!({"name": "a", "Token": "(hidden)", "list": [{"password": "(hidden)", "code": null}]});
        assert_eq!(redacted(before), after);
        let secret = Secret::random(super::super::secret::Kind::Code).unwrap();
        assert_eq!(redacted(json!({"note": [secret.reveal()]})), json!({"note": ["(hidden)"]}));
    }
}
