//! Live logs through the centre: the streams of an app's instances merged into one, for those who cannot reach the nodes
//! (contracts.md section 4, docs/live-logs.md).
//!
//! ```text
//! log-agent --frames--> reader --'instance' put in--> outlet --pieces--> WebSocket, NDJSON or text
//!   (one reader per instance; instances come and go with the world, each reader has a ticket of its own)
//! ```
//!
//! Promise: nothing is kept here but what is on its way. A viewer that is slow fills the outlet ([`ROOM`] bytes), then its readers stop
//! reading, and the log-agents do what they do with slow viewers: jump to the end with a `gap` that says what was left out. A log-agent that
//! is away is told (`away`) and tried again, and goes on from the last place that was seen. The stream ends with its caller's permission,
//! at once, and says so.

mod asked;
mod frame;
pub(crate) mod fuzzing;
mod hub;
mod outlet;
mod past;
mod places;
mod reader;
mod say;
pub mod text;

pub use asked::{Given, Wanted};
pub use outlet::{Piece, Stream};
pub use say::Say;

use crate::access::{Access, Caller};
use crate::centre::Centre;
use crate::nodes::LOG_AGENT;
use crate::ways::{Way, Ways};
use common::api_types::Instance;
use common::http::{HeaderValue, Options, bearer};
use common::ids::AppId;
use common::moment::Moment;
use common::ticket::Right;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Most streams of one token or session, and of everybody.
const OF_ONE: usize = 32;
const OF_ALL: usize = 512;
/// Most instances in one stream.
const INSTANCES: usize = 64;
/// Bytes that wait for a viewer.
const ROOM: usize = 1 << 20;
/// Most bytes of one frame of a log-agent: a piece of a line has 256 KiB, and JSON may make six of one.
const FRAME: usize = 2 << 20;
/// For a log-agent's answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the centre's own tickets last; a stream takes a new one when the old has ended.
const TICKET: Duration = Duration::from_secs(3_600);

/// What is read.
#[derive(Debug, Clone)]
pub enum Members {
    /// The living instances of an app, those to come too, and these that ended.
    App(AppId, Vec<Arc<Instance>>),
    /// This one.
    One(Arc<Instance>),
}

/// All places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The caller's.
    #[error("{OF_ONE} log streams are open with this token already; close some")]
    Yours,
    /// Everybody's.
    #[error("{OF_ALL} log streams are open; come back later")]
    All,
}

/// What is counted.
#[derive(Debug, Default)]
pub struct Counts {
    opened: AtomicU64,
    refused: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    connected: AtomicU64,
    away: AtomicU64,
    foreign: AtomicU64,
}

/// The relay. Clones are the same one.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    centre: Centre,
    ways: Ways,
    access: Access,
    closing: CancellationToken,
    counts: Counts,
    open: Mutex<HashMap<String, usize>>,
}

impl Relay {
    /// `closing` ends every stream.
    pub fn new(centre: Centre, ways: Ways, access: Access, closing: CancellationToken) -> Self {
        let (counts, open) = (Counts::default(), Mutex::default());
        Self(Arc::new(Inner { centre, ways, access, closing, counts, open }))
    }

    /// Opens a stream for somebody who may see all of `members`.
    pub fn open(&self, caller: &Caller, members: Members, wanted: Wanted) -> Result<Stream, Full> {
        let place =
            Place::take(&self.0, &caller.id).inspect_err(|_| count(&self.0.counts.refused))?;
        count(&self.0.counts.opened);
        Ok(hub::start(Arc::clone(&self.0), caller.clone(), members, wanted, place))
    }

    /// The files of an instance, as its log-agent lists them: a page as JSON, or why there is none.
    pub async fn files(
        &self,
        caller: &Caller,
        instance: &Instance,
        query: &str,
    ) -> Result<common::http::Response, String> {
        past::files(&self.0, caller, instance, query).await
    }

    /// Every figure by name, for `/metrics`.
    pub fn each_count(&self, mut emit: impl FnMut(&'static str, u64)) {
        let counts = &self.0.counts;
        for (name, count) in [
            ("opened", &counts.opened),
            ("refused", &counts.refused),
            ("frames", &counts.frames),
            ("bytes", &counts.bytes),
            ("connected", &counts.connected),
            ("away", &counts.away),
            ("foreign", &counts.foreign),
        ] {
            emit(name, count.load(Ordering::Relaxed));
        }
        emit("open", self.0.open().values().sum::<usize>() as u64);
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self, instance: &Instance) -> Result<Way, String> {
        self.ways.to(LOG_AGENT, instance)
    }

    /// `Authorization` for the log-agent of this instance, on the caller's behalf.
    fn credential(&self, caller: &Caller, key: &str) -> Result<HeaderValue, String> {
        let ticket = self.access.own_ticket(caller, key, &[Right::Read], TICKET, Moment::now());
        let ticket = ticket.map_err(|e| format!("no ticket can be made: {e}"))?;
        bearer(&ticket).ok_or_else(|| "a ticket that no header takes".to_owned())
    }

    fn options(&self, max_body: usize) -> Options {
        self.ways.options(PATIENCE, max_body)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A stream that is counted, until it is dropped.
struct Place {
    inner: Arc<Inner>,
    who: String,
}

impl Place {
    fn take(inner: &Arc<Inner>, who: &str) -> Result<Self, Full> {
        let mut open = inner.open();
        if open.values().sum::<usize>() >= OF_ALL {
            return Err(Full::All);
        }
        let mine = open.entry(who.to_owned()).or_default();
        if *mine >= OF_ONE {
            return Err(Full::Yours);
        }
        *mine += 1;
        drop(open);
        Ok(Self { inner: Arc::clone(inner), who: who.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.inner.open();
        if let Some(mine) = open.get_mut(&self.who) {
            *mine -= 1;
            if *mine == 0 {
                open.remove(&self.who);
            }
        }
    }
}
