//! The tables of access, row by row. Only hashes of secrets come here.

use super::Error;
use super::audit::{loaded, stored};
use super::caller::Grant;
use super::known::{Known, SessionRow};
use super::role::Role;
use super::secret::Hash;
use super::signing::{META as KEYS, Signing};
use super::token::Token;
use crate::store;
use common::ids::NodeName;
use common::moment::Moment;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, Row as _};

/// Under which key of `meta` the version is.
const VERSION: &str = "access_version";
const TOKEN: &str =
    "SELECT id, name, hash, role, apps, node, topics, created, expires, last_used FROM tokens";

/// Raises the version. First thing in every change: its row is the lock that makes the processes that share a store change one after
/// the other, so that what a change reads stays true until it commits.
pub async fn bump(c: &mut AnyConnection) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, '1') ON CONFLICT (key) DO UPDATE \
         SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)",
    )
    .bind(VERSION)
    .execute(c)
    .await?;
    Ok(())
}

/// The version; 0 before the first change.
pub async fn version(pool: &AnyPool) -> Result<i64, Error> {
    let text = meta(pool, VERSION).await?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

async fn meta(pool: &AnyPool, key: &str) -> Result<Option<String>, Error> {
    let query = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1");
    Ok(query.bind(key).fetch_optional(pool).await?)
}

/// Stores the signing keys.
pub async fn put_signing(c: &mut AnyConnection, signing: &Signing) -> Result<(), Error> {
    let put = "INSERT INTO meta (key, value) VALUES ($1, $2) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    sqlx::query(put).bind(KEYS).bind(signing.text()).execute(c).await?;
    Ok(())
}

/// The signing keys, in a transaction.
pub async fn signing(c: &mut AnyConnection) -> Result<Option<Signing>, Error> {
    let query = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1").bind(KEYS);
    let text: Option<String> = query.fetch_optional(c).await?;
    Ok(text.as_deref().map(Signing::read).transpose()?)
}

/// Everything, as of now or a little later than the version it names: then the next look finds another version and loads again.
pub async fn load(pool: &AnyPool, now: Moment) -> Result<Known, Error> {
    let version = version(pool).await?;
    let text = meta(pool, KEYS).await?;
    let text = text.ok_or_else(|| wrong("meta", KEYS, "the row is missing"))?;
    let signing = Signing::read(&text)?;
    let mut tokens = Vec::new();
    for row in sqlx::query(TOKEN).fetch_all(pool).await? {
        match granted(&row) {
            Ok(token) => tokens.push(token),
            // one row that somebody wrote by hand must not lock everybody else out
            Err(e) => tracing::error!("a token that is not let in: {e}"),
        }
    }
    let query = sqlx::query("SELECT hash, token_id, expires FROM sessions WHERE expires > $1");
    let rows = query.bind(stored(now)).fetch_all(pool).await?;
    let sessions = rows.iter().map(session).collect::<Result<_, _>>()?;
    let query = sqlx::query("SELECT hash, expires FROM sign_ins WHERE expires > $1");
    let rows = query.bind(stored(now)).fetch_all(pool).await?;
    let code = |row| Ok((hash(row, "sign_ins", "")?, loaded(row.try_get("expires")?)));
    let codes = rows.iter().map(code).collect::<Result<_, Error>>()?;
    Ok(Known::new(version, tokens, sessions, codes, signing))
}

fn granted(row: &AnyRow) -> Result<(Hash, Grant), Error> {
    let token = token(row)?;
    let name = token.name.clone();
    let hash = hash(row, "tokens", &name)?;
    let grant = Grant::new(token).map_err(|what| wrong("tokens", &name, what))?;
    Ok((hash, grant))
}

fn session(row: &AnyRow) -> Result<SessionRow, Error> {
    let token: String = row.try_get("token_id")?;
    let hash = hash(row, "sessions", &token)?;
    Ok(SessionRow { hash, token, expires: loaded(row.try_get("expires")?) })
}

fn hash(row: &AnyRow, table: &'static str, key: &str) -> Result<Hash, Error> {
    let text: String = row.try_get("hash")?;
    Hash::from_hex(&text).ok_or_else(|| wrong(table, key, "`hash` is no SHA-256"))
}

fn token(row: &AnyRow) -> Result<Token, Error> {
    let name: String = row.try_get("name")?;
    let odd = |what: &str| wrong("tokens", &name, what);
    let (role, apps): (String, String) = (row.try_get("role")?, row.try_get("apps")?);
    let topics: Option<String> = row.try_get("topics")?;
    let topics = topics.as_deref().map(serde_json::from_str).transpose();
    Ok(Token {
        id: row.try_get("id")?,
        role: Role::named(&role).ok_or_else(|| odd("`role` is none"))?,
        apps: serde_json::from_str(&apps).map_err(|_| odd("`apps` is no list"))?,
        node: row.try_get::<Option<String>, _>("node")?.map(NodeName::new),
        topics: topics.map_err(|_| odd("`topics` is no list of topics"))?,
        created: loaded(row.try_get("created")?),
        expires: row.try_get::<Option<i64>, _>("expires")?.map(loaded),
        last_used: row.try_get::<Option<i64>, _>("last_used")?.map(loaded),
        name,
    })
}

/// A row that does not hold what it should.
pub fn wrong(table: &'static str, row: &str, what: impl Into<String>) -> Error {
    Error::Store(store::Error::Row { table, row: row.to_owned(), what: what.into() })
}

/// All tokens, by name.
pub async fn tokens(pool: &AnyPool) -> Result<Vec<Token>, Error> {
    let rows = sqlx::query(TOKEN).fetch_all(pool).await?;
    let mut tokens = rows.iter().map(token).collect::<Result<Vec<_>, _>>()?;
    // here and not in SQL: PostgreSQL may order names by a language's rules
    tokens.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tokens)
}

/// One token.
pub async fn token_named(c: &mut AnyConnection, name: &str) -> Result<Option<Token>, Error> {
    let sql = format!("{TOKEN} WHERE name = $1");
    sqlx::query(&sql).bind(name).fetch_optional(c).await?.as_ref().map(token).transpose()
}

/// One token, by its id.
pub async fn token_with_id(c: &mut AnyConnection, id: &str) -> Result<Option<Token>, Error> {
    let sql = format!("{TOKEN} WHERE id = $1");
    sqlx::query(&sql).bind(id).fetch_optional(c).await?.as_ref().map(token).transpose()
}

/// How many tokens there are.
pub async fn count_tokens(c: &mut AnyConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM tokens").fetch_one(c).await?)
}

/// How many tokens of role admin there are that have not expired; with `now` None, expired ones too.
pub async fn count_admins(c: &mut AnyConnection, now: Option<Moment>) -> Result<i64, Error> {
    let sql =
        "SELECT COUNT(*) FROM tokens WHERE role = 'admin' AND (expires IS NULL OR expires > $1)";
    Ok(sqlx::query_scalar(sql).bind(now.map_or(-1, stored)).fetch_one(c).await?)
}

/// Enters a token.
pub async fn insert_token(c: &mut AnyConnection, token: &Token, hash: &Hash) -> Result<(), Error> {
    // lists of strings: nothing of them can fail to print
    let apps = serde_json::to_string(&token.apps).unwrap_or_default();
    let topics = token.topics.as_ref().map(|t| serde_json::to_string(t).unwrap_or_default());
    sqlx::query(
        "INSERT INTO tokens (id, name, hash, role, apps, node, topics, created, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(hash.hex())
    .bind(token.role.name())
    .bind(apps)
    .bind(token.node.as_ref().map(|node| node.as_str().to_owned()))
    .bind(topics)
    .bind(stored(token.created))
    .bind(token.expires.map(stored))
    .execute(c)
    .await?;
    Ok(())
}

/// Takes a token out, with its sessions and codes.
pub async fn delete_token(c: &mut AnyConnection, id: &str) -> Result<(), Error> {
    for sql in [
        "DELETE FROM sessions WHERE token_id = $1",
        "DELETE FROM sign_ins WHERE token_id = $1",
        "DELETE FROM tokens WHERE id = $1",
    ] {
        sqlx::query(sql).bind(id).execute(&mut *c).await?;
    }
    Ok(())
}

/// Notes that these tokens were used; how many rows changed.
pub async fn mark_used(c: &mut AnyConnection, ids: &[String], at: Moment) -> Result<u64, Error> {
    let places: Vec<String> = (2..ids.len() + 2).map(|place| format!("${place}")).collect();
    let sql = format!("UPDATE tokens SET last_used = $1 WHERE id IN ({})", places.join(", "));
    let mut query = sqlx::query(&sql).bind(stored(at));
    for id in ids {
        query = query.bind(id.clone());
    }
    Ok(query.execute(c).await?.rows_affected())
}

/// Enters a one-time code.
pub async fn insert_code(
    c: &mut AnyConnection,
    hash: &Hash,
    token: &str,
    expires: Moment,
) -> Result<(), Error> {
    let sql = "INSERT INTO sign_ins (hash, token_id, expires) VALUES ($1, $2, $3)";
    sqlx::query(sql).bind(hash.hex()).bind(token).bind(stored(expires)).execute(c).await?;
    Ok(())
}

/// Codes of a token that still work.
pub async fn count_codes(c: &mut AnyConnection, token: &str, now: Moment) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) FROM sign_ins WHERE token_id = $1 AND expires > $2";
    Ok(sqlx::query_scalar(sql).bind(token).bind(stored(now)).fetch_one(c).await?)
}

/// Takes a code out: whose it was. Nobody else can take the same.
pub async fn take_code(
    c: &mut AnyConnection,
    hash: &Hash,
    now: Moment,
) -> Result<Option<String>, Error> {
    let sql = "DELETE FROM sign_ins WHERE hash = $1 AND expires > $2 RETURNING token_id";
    Ok(sqlx::query_scalar(sql).bind(hash.hex()).bind(stored(now)).fetch_optional(c).await?)
}

/// Enters a session; of one token the newest `most` are kept.
pub async fn insert_session(
    c: &mut AnyConnection,
    row: &SessionRow,
    now: Moment,
    most: i64,
) -> Result<(), Error> {
    sqlx::query("INSERT INTO sessions (hash, token_id, created, expires) VALUES ($1, $2, $3, $4)")
        .bind(row.hash.hex())
        .bind(&row.token)
        .bind(stored(now))
        .bind(stored(row.expires))
        .execute(&mut *c)
        .await?;
    sqlx::query(
        "DELETE FROM sessions WHERE token_id = $1 AND hash NOT IN \
         (SELECT hash FROM sessions WHERE token_id = $1 ORDER BY created DESC, hash LIMIT $2)",
    )
    .bind(&row.token)
    .bind(most)
    .execute(c)
    .await?;
    Ok(())
}

/// Takes a session out; false if it was gone.
pub async fn delete_session(c: &mut AnyConnection, hash: &Hash) -> Result<bool, Error> {
    let query = sqlx::query("DELETE FROM sessions WHERE hash = $1").bind(hash.hex());
    Ok(query.execute(c).await?.rows_affected() > 0)
}

/// Takes out sessions and codes whose time is over; how many.
pub async fn prune(c: &mut AnyConnection, now: Moment) -> Result<u64, Error> {
    let mut rows = 0;
    for sql in
        ["DELETE FROM sessions WHERE expires <= $1", "DELETE FROM sign_ins WHERE expires <= $1"]
    {
        rows += sqlx::query(sql).bind(stored(now)).execute(&mut *c).await?.rows_affected();
    }
    Ok(rows)
}
