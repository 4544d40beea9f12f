//! Stores for tests: SQLite in a directory of its own and, with QAE_TEST_POSTGRES, a schema of its own there.

use super::{Limits, Store};
use sqlx::Executor;
use std::time::Duration;
use tempfile::TempDir;

/// One store; what it was made in goes with it.
pub(crate) struct TestStore {
    /// Opened and empty.
    pub(crate) store: Store,
    /// For messages.
    pub(crate) name: &'static str,
    url: String,
    _dir: Option<TempDir>,
}

impl TestStore {
    /// The same database as another process sees it; None where there cannot be two.
    pub(crate) async fn again(&self) -> Option<Store> {
        match self.name {
            "postgres" => Some(Store::open(&self.url).await.unwrap()),
            _ => None,
        }
    }

    /// Closed, and opened again as after a restart.
    pub(crate) async fn reopen(self) -> Self {
        let Self { store, name, url, _dir } = self;
        store.close().await;
        drop(store);
        let store = Store::open(&url).await.unwrap();
        Self { store, name, url, _dir }
    }
}

/// A store whose database is soon given up.
pub(crate) async fn impatient(url: &str) -> Store {
    let limits = Limits { patience: Duration::from_millis(500), longest: Duration::from_secs(1) };
    Store::within(url, limits).await.unwrap()
}

/// Every kind of store there is here, new and empty. Names on standard error which one is in turn.
pub(crate) async fn test_stores() -> Vec<TestStore> {
    let mut stores = vec![sqlite().await];
    if let Ok(url) = std::env::var("QAE_TEST_POSTGRES") {
        stores.push(postgres(&url).await);
    }
    stores
}

/// SQLite alone.
pub(crate) async fn sqlite() -> TestStore {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("a b?#%/qae.db").display());
    let store = Store::open(&url).await.unwrap();
    TestStore { store, name: "sqlite", url, _dir: Some(dir) }
}

async fn postgres(url: &str) -> TestStore {
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()).unwrap();
    let schema = format!("qae_{}", common::api_types::digest::hex(&random));
    pool.execute(format!("CREATE SCHEMA {schema}").as_str()).await.unwrap();
    pool.close().await;
    let mark = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{mark}options[search_path]={schema}");
    let store = Store::open(&url).await.unwrap();
    TestStore { store, name: "postgres", url, _dir: None }
}
