//! Putting the daemon together: the store, with the patience that each kind deserves, then the parts that stand on it; and what is said
//! about them.

use crate::Error;
use crate::access::Access;
use crate::bus::Bus;
use crate::centre::{Centre, Settings};
use crate::config::{Config, Kind};
use crate::figures::Figures;
use crate::http::state::Api;
use crate::nodes::Nodes;
use crate::reconcile::Clusters;
use crate::relay::Relay;
use crate::schedulers::marathon::Marathons;
use crate::snapshots::Snapshots;
use crate::store::{self, Store};
use crate::ways::Ways;
use common::logging::Episode;
use common::moment::Moment;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long SQLite's file is waited for: the process before may still be ending.
const FILE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a database server is waited for: after a power cut it may come up later than this daemon.
const SERVER_PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Opens the store. None: told to stop while it was waited for.
pub async fn store(url: &str, stop: &CancellationToken) -> Result<Option<Store>, store::Error> {
    let begun = Instant::now();
    let mut opening = Episode::new("opening the store");
    loop {
        let error = match Store::open(url).await {
            Ok(store) => {
                opening.recovered();
                return Ok(Some(store));
            }
            Err(error) => error,
        };
        let patience = match &error {
            store::Error::InUse(_) => FILE_PATIENCE,
            store::Error::Sql(_) if url.starts_with("postgres") => SERVER_PATIENCE,
            _ => Duration::ZERO,
        };
        if begun.elapsed() >= patience {
            return Err(error);
        }
        opening.failed(&error);
        if stop.run_until_cancelled(sleep(PAUSE)).await.is_none() {
            return Ok(None);
        }
    }
}

/// What all parts stand on: their tasks, and the word to end them, which comes after the last reader has gone.
#[derive(Debug, Default)]
pub struct Ground {
    /// Every task of every part.
    pub tasks: TaskTracker,
    /// The word to end them.
    pub stop: CancellationToken,
}

/// Puts the parts together. `closing` tells readers and followers to go.
pub async fn assemble(
    config: Config,
    store: Store,
    ground: &Ground,
    closing: &CancellationToken,
) -> Result<Arc<Api>, Error> {
    let Ground { tasks, stop } = ground;
    let settings = Settings {
        keep_events: config.server.keep_events,
        keep_for: config.server.keep_for,
        ..Settings::default()
    };
    let centre = Centre::open(store.clone(), settings, tasks, stop.clone()).await?;
    let access = Access::open(store, &config.state_dir(), tasks, stop.clone()).await?;
    let clusters = Clusters::new(&config.clusters);
    let nodes = Nodes::open(centre.clone(), clusters, tasks, stop.clone()).await?;
    let marathons = Marathons::start(&config.clusters, &centre, &nodes, tasks, closing);
    let figures =
        Figures::open(centre.clone(), nodes.clone(), &config.graphite, &config.state_dir())?;
    if let Some(figures) = figures.clone() {
        tasks.spawn(figures.run(stop.clone()));
    }
    let vouching = config.server.agents_ca.as_deref();
    let ways = Ways::new(centre.clone(), nodes.clone(), vouching)?;
    let relay = Relay::new(centre.clone(), ways.clone(), access.clone(), closing.clone());
    Ok(Arc::new(Api {
        ways,
        relay,
        bus: Bus::new(centre.clone()),
        snapshots: Snapshots::new(centre.clone()),
        centre,
        access,
        nodes,
        marathons,
        figures,
        counts: Arc::default(),
        pulse: Arc::default(),
        closing: closing.clone(),
        started: Moment::now(),
        config,
    }))
}

/// Says what the daemon works with.
pub fn announce(config: &Config, address: SocketAddr) {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    tracing::info!("listening on {scheme}://{address}");
    if config.server.tls.is_none() && !address.ip().is_loopback() {
        tracing::warn!(
            "tokens travel in clear text to {address}: set [server] cert and key, or put TLS in front"
        );
    }
    tracing::info!("the state is kept in {}", without_password(&config.store_url()));
    tracing::info!("the admin's token is in {}", config.state_dir().join("admin-token").display());
    for cluster in &config.clusters {
        let url: Vec<String> = cluster.url.iter().map(ToString::to_string).collect();
        match cluster.kind {
            Kind::Marathon => tracing::info!(
                "cluster {} ({}): Marathon at {}",
                cluster.name,
                cluster.dc,
                url.join(", ")
            ),
            Kind::Docker => tracing::info!(
                "cluster {} ({}): plain Docker, told by its nodes",
                cluster.name,
                cluster.dc
            ),
        }
    }
    if !config.clusters.iter().any(|c| c.kind == Kind::Marathon) {
        tracing::info!("no Marathon is configured: nodes tell what runs");
    }
}

/// A database's URL as it may be logged.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // a password in the query, as some libraries take it, goes with the query
    let rest = rest.split('?').next().unwrap_or(rest);
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_logged() {
        for (url, shown) in [
            ("sqlite:/var/lib/qae/api/qae.db", "sqlite:/var/lib/qae/api/qae.db"),
            ("postgres://qae:s@cret@db:5432/qae?password=x", "postgres://qae@db:5432/qae"),
            ("postgres://db/qae", "postgres://db/qae"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
