//! Tables, brought to this version step by step; each step is one transaction and happens once.

use super::{Engine, Error, Store};
use sqlx::{AnyConnection, Executor};

/// The steps, from an empty database on. A released one is never changed: a change is a new step.
const STEPS: &[&str] = &[include_str!("schema/1.sql")];

/// Of PostgreSQL's advisory lock: two processes that start together must not both take a step.
const LOCK: i64 = 0x7161_655f_7363_6865;

pub(super) async fn migrate(store: &Store) -> Result<(), Error> {
    let engine = store.engine();
    store.write(|c| Box::pin(async move { steps(c, engine, STEPS).await })).await
}

/// Takes the steps that are missing.
pub(super) async fn steps(
    c: &mut AnyConnection,
    engine: Engine,
    steps: &[&str],
) -> Result<(), Error> {
    if engine == Engine::Postgres {
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *c).await?;
    }
    let table = "CREATE TABLE IF NOT EXISTS schema_version (id BIGINT PRIMARY KEY, version BIGINT NOT NULL)";
    sqlx::query(table).execute(&mut *c).await?;
    let found: Option<i64> =
        sqlx::query_scalar("SELECT version FROM schema_version").fetch_optional(&mut *c).await?;
    let found = found.unwrap_or(0);
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Error::Newer { found, known });
    }
    let taken = usize::try_from(found).unwrap_or(0);
    for step in steps.iter().skip(taken) {
        c.execute(dialect(step, engine).as_str()).await?;
    }
    if found < known {
        let note = "INSERT INTO schema_version (id, version) VALUES (1, $1) \
                    ON CONFLICT (id) DO UPDATE SET version = excluded.version";
        sqlx::query(note).bind(known).execute(&mut *c).await?;
        tracing::info!(from = found, to = known, "store: tables brought to this version");
    }
    Ok(())
}

/// The few words that differ.
fn dialect(sql: &str, engine: Engine) -> String {
    match engine {
        Engine::Sqlite => sql.replace("SERIAL PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        Engine::Postgres => {
            sql.replace("SERIAL PRIMARY KEY", "BIGSERIAL PRIMARY KEY").replace(" BLOB", " BYTEA")
        }
    }
}
