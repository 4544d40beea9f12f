//! The beginning of a connection: who leads, and where its stream is.

use crate::config::Cluster;
use crate::schedulers::marathon::client::{Client, Trouble};
use crate::schedulers::marathon::status::Shared;
use crate::schedulers::marathon::stream::Reader;
use crate::schedulers::marathon::translate;
use common::http::Url;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Broken streams in a row after which the cluster is only listed for a while.
pub const MOST_BROKEN: u32 = 3;
/// Without a stream, how long until one is tried again: where this Marathon has none, and where it did not work.
const NO_STREAM: Duration = Duration::from_secs(300);
const STREAM_AGAIN: Duration = Duration::from_secs(60);

/// A cluster that answers.
pub struct Opened {
    /// Who is asked for lists.
    pub(super) base: Url,
    /// Its events, if there are any.
    pub(super) reader: Option<Reader>,
    /// Without a stream: when one is to be tried again, and why there is none.
    pub(super) again: Instant,
    pub(super) without: String,
}

/// Finds the leader and opens the stream there, or at the configured server where the leader cannot be reached from here.
pub async fn open(
    client: &mut Client,
    cluster: &Cluster,
    turn: usize,
    stream: bool,
    shared: &Arc<Shared>,
) -> Result<Opened, Trouble> {
    let count = cluster.url.len().max(1);
    let Some(url) = cluster.url.get(turn % count).cloned() else {
        return Err(Trouble::NoLeader { url: cluster.name.clone() });
    };
    client.identify(cluster.user.as_deref(), cluster.password_file.as_deref()).await?;
    let info = client.info(&url).await?;
    let leader = client.hosts.leader().cloned().filter(|leader| client.hosts.check(leader).is_ok());
    shared.seen();
    shared.edit(|status| {
        status.version = info.version.map(|version| translate::word(&version));
        status.leader = leader.as_ref().map(|url| format!("{}:{}", url.host(), url.port()));
    });
    let now = Instant::now();
    let listed_only = |again, without: String| Opened {
        base: url.clone(),
        reader: None,
        again: now + again,
        without,
    };
    if !stream {
        let why = "its streams of events did not last, so it is only listed".to_owned();
        return Ok(listed_only(STREAM_AGAIN, why));
    }
    let mut trouble = None;
    for base in leader.into_iter().chain([url.clone()]) {
        match client.stream(&base).await {
            Ok(Some((base, stream))) => {
                return Ok(Opened {
                    base,
                    reader: Some(Reader::new(stream, shared.clone())),
                    again: now,
                    without: String::new(),
                });
            }
            Ok(None) => {
                let why = "this Marathon has no stream of events, so it is only listed".to_owned();
                return Ok(listed_only(NO_STREAM, why));
            }
            // a password that is refused is refused everywhere
            Err(e @ Trouble::Unauthorized { .. }) => return Err(e),
            Err(e) => trouble = trouble.or(Some(e)),
        }
    }
    // the server that was asked answers: better listed than not followed
    let why = trouble.map(|e| format!("events cannot be followed, so it is only listed: {e}"));
    Ok(listed_only(STREAM_AGAIN, why.unwrap_or_default()))
}
