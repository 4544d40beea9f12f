//! The database: SQLite in a file by default, PostgreSQL when several processes are to share it. The same tables and the same SQL on both.
//!
//! What [`Store::write`] is given happens whole or not at all, and one at a time: SQLite has one writer by nature, and the centre's
//! transactions queue up in order instead of failing on each other. Reads go on beside it. A commit that returned is on disk
//! (SQLite: WAL with `synchronous = FULL`; PostgreSQL: its own `synchronous_commit`).

pub(crate) mod entities;
pub(crate) mod events;
mod filter;
pub mod history;
pub(crate) mod many;
mod migrate;
mod open;
pub(crate) mod retention;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod timeline;

use futures_util::future::BoxFuture;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Executor};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

#[cfg(test)]
pub(crate) use testing::{TestStore, impatient, sqlite, test_stores};

/// How long to wait for a database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For a connection; then the caller is told that the database is away.
    patience: Duration,
    /// For one transaction, waiting for the turn included.
    longest: Duration,
}

const LIMITS: Limits =
    Limits { patience: Duration::from_secs(5), longest: Duration::from_secs(15) };

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL in `[server] store` is none of ours.
    #[error("store \"{0}\": give sqlite:/path/to/qae.db or postgres://user@host/database")]
    Url(String),
    /// The file of SQLite cannot be made or used.
    #[error("cannot {step} {path}: {source}", path = .path.display())]
    File {
        /// What was being done.
        step: &'static str,
        /// File or directory in hand.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another process has the SQLite file.
    #[error(
        "{path} is in use by another qae-api: stop that one, or share a postgres:// store",
        path = .0.display()
    )]
    InUse(PathBuf),
    /// The store was made by a newer version.
    #[error(
        "the store has schema {found}, this version knows up to {known}: install the newer version again"
    )]
    Newer {
        /// Version of the store.
        found: i64,
        /// Last one of this program.
        known: i64,
    },
    /// The database refused, or is away.
    #[error("store: {0}")]
    Sql(#[from] sqlx::Error),
    /// It did not answer; whether the last thing it was told has happened is not known.
    #[error("store: no answer in {0:?}")]
    Slow(Duration),
    /// A row does not hold what it should.
    #[error("store: table {table}, row \"{row}\": {what}")]
    Row {
        /// Its table.
        table: &'static str,
        /// Its key.
        row: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file of this process alone.
    Sqlite,
    /// A server that several processes share.
    Postgres,
}

/// An open store. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    url: String,
    engine: Engine,
    longest: Duration,
    read: AnyPool,
    write: AnyPool,
    turn: Mutex<()>,
    /// Holds SQLite's file for this process; let go with the last clone.
    _lock: Option<std::fs::File>,
}

/// A transaction that has the writer's turn. Dropped before [`Writing::commit`], it leaves no trace.
///
/// sqlx's own transaction is not used: when SQLite has rolled back by itself (a full disk), sqlx takes its connection for one that is
/// still in a transaction, for ever. Here a connection whose transaction did not end as asked is closed, which ends it in any case.
pub(crate) struct Writing<'s> {
    connection: PoolConnection<Any>,
    ended: bool,
    _turn: MutexGuard<'s, ()>,
}

impl Store {
    /// Opens or creates the store and brings its tables to this version.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::within(url, LIMITS).await
    }

    async fn within(url: &str, limits: Limits) -> Result<Self, Error> {
        let store = open::open(url, limits).await?;
        migrate::migrate(&store).await?;
        Ok(store)
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// Longest time of one transaction.
    pub(crate) fn longest(&self) -> Duration {
        self.inner.longest
    }

    /// Where it is, as configured: it may hold a password.
    pub(crate) fn url(&self) -> &str {
        &self.inner.url
    }

    /// Connections for reading.
    pub fn read(&self) -> &AnyPool {
        &self.inner.read
    }

    /// Does `work` in one transaction: commits when it answers Ok, else nothing of it has happened. An error of the commit itself leaves
    /// open whether it happened, as always over a network.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, E>>,
    {
        // a database that has vanished must not keep the turn
        let longest = self.longest();
        let written = tokio::time::timeout(longest, self.written(work)).await;
        written.unwrap_or_else(|_| Err(Error::Slow(longest).into()))
    }

    async fn written<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, E>>,
    {
        let mut writing = self.begin().await?;
        match work(writing.connection()).await {
            Ok(done) => {
                writing.commit().await?;
                Ok(done)
            }
            Err(refused) => {
                // told before the turn is over, so that the next one does not find the connection in this transaction
                writing.rollback().await;
                Err(refused)
            }
        }
    }

    /// Waits for the writer's turn and begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Writing<'_>, Error> {
        let turn = self.inner.turn.lock().await;
        let begin = match self.inner.engine {
            // not deferred: a transaction that reads first could not become a writing one if another process wrote meanwhile
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        };
        let mut writing =
            Writing { connection: self.inner.write.acquire().await?, ended: false, _turn: turn };
        writing.connection.execute(begin).await?;
        Ok(writing)
    }

    /// Lets all connections go; SQLite folds its log into the file.
    pub async fn close(&self) {
        self.inner.write.close().await;
        self.inner.read.close().await;
    }
}

impl Writing<'_> {
    /// The connection in this transaction.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.connection.execute("COMMIT").await?;
        self.ended = true;
        Ok(())
    }

    pub(crate) async fn rollback(mut self) {
        match self.connection.execute("ROLLBACK").await {
            Ok(_) => self.ended = true,
            // rolled back by itself, or the connection is broken
            Err(e) => tracing::debug!("rollback: {e}"),
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}
