//! Opening: SQLite's file with its rights and settings, or a pool of connections to PostgreSQL.

use super::{Engine, Error, Inner, Limits, Store};
use rustix::fs::FlockOperation;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, ConnectOptions, Connection, Executor};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Of every connection to SQLite. `synchronous = FULL` with WAL: a commit that returned survives a power cut.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; \
                       PRAGMA journal_size_limit = 67108864;";

pub(super) async fn open(url: &str, limits: Limits) -> Result<Store, Error> {
    sqlx::any::install_default_drivers();
    let inner = match url.split_once(':') {
        Some(("sqlite", path)) => sqlite(url, path, limits).await?,
        Some(("postgres" | "postgresql", _)) => postgres(url, limits).await?,
        _ => return Err(Error::Url(scheme(url))),
    };
    Ok(Store { inner: Arc::new(inner) })
}

/// What may be shown of a URL: it can hold a password.
fn scheme(url: &str) -> String {
    url.split_once("://").map_or_else(|| url.to_owned(), |(scheme, _)| format!("{scheme}://..."))
}

async fn postgres(url: &str, limits: Limits) -> Result<Inner, Error> {
    let pool = AnyPoolOptions::new()
        .max_connections(10)
        .acquire_timeout(limits.patience)
        // sqlx asks without a time limit whether a connection still works before it takes it back; one to a host that has vanished
        // would be missing until the kernel gives up, a quarter of an hour later
        .after_release(move |connection, _| {
            Box::pin(async move {
                let works = tokio::time::timeout(limits.patience, connection.ping()).await;
                works.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
            })
        });
    let read = pool.connect_with(quiet(url)?).await?;
    Ok(Inner {
        url: url.to_owned(),
        engine: Engine::Postgres,
        longest: limits.longest,
        write: read.clone(),
        read,
        turn: Mutex::new(()),
        _lock: None,
    })
}

async fn sqlite(url: &str, path: &str, limits: Limits) -> Result<Inner, Error> {
    // `sqlite:/path` and `sqlite:///path` are the same file
    let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
    if path.as_os_str().is_empty() || path.file_name().is_none() {
        return Err(Error::Url(url.to_owned()));
    }
    let lock = files(&path)?;
    let address = address(&path);
    // one connection writes, as SQLite has it anyway; the others read beside it
    let (write, read) = (pool(&address, 1, limits).await?, pool(&address, 4, limits).await?);
    Ok(Inner {
        url: url.to_owned(),
        engine: Engine::Sqlite,
        longest: limits.longest,
        read,
        write,
        turn: Mutex::new(()),
        _lock: Some(lock),
    })
}

async fn pool(address: &str, connections: u32, limits: Limits) -> Result<AnyPool, Error> {
    let options = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(limits.patience)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(PRAGMAS).await?;
                Ok(())
            })
        });
    Ok(options.connect_with(quiet(address)?).await?)
}

/// sqlx would log statements, with what is in them.
fn quiet(address: &str) -> Result<AnyConnectOptions, Error> {
    Ok(address.parse::<AnyConnectOptions>()?.disable_statement_logging())
}

/// The path as a URL: what means something there is escaped.
fn address(path: &Path) -> String {
    let mut address = String::from("sqlite://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => address.push(char::from(*byte)),
            b if b.is_ascii_alphanumeric() => address.push(char::from(*b)),
            b => address.push_str(&format!("%{b:02X}")),
        }
    }
    address
}

/// Makes the directory and the file, both readable by this user only, and takes the file for this process.
fn files(path: &Path) -> Result<File, Error> {
    let failed = |step, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { step, path, source }
    };
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(failed("create the directory", dir))?;
    }
    let create = |path: &Path| {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    // SQLite gives its `-wal` and `-shm` the rights of this file
    create(path).map_err(failed("create", path))?;
    // a file of its own: closing any descriptor of the database would drop SQLite's own POSIX locks on it
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let lock = create(&name).map_err(failed("create", &name))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse(path.to_owned())),
        Err(e) => Err(failed("lock", &name)(e.into())),
    }
}
