//! Who may do what: tokens, sessions of browsers, tickets for logs, and the audit log of all that changes them.
//!
//! Promise: of every secret only the SHA-256 is stored. A request is let in from memory, without a question to the store, and a token
//! that is revoked here is worth nothing at once, elsewhere within [`POLL`] (and open streams end: [`Access::ended`]). Every change and
//! its audit row are one transaction. Failed tries are slowed, but a right secret is let in whatever others at its address do: what
//! protects secrets is that they are 256 random bits, and a host with one stale token must not lock out its neighbours behind one NAT.

pub mod audit;
mod browser;
pub mod caller;
mod counts;
mod denied;
mod desk;
mod ended;
mod first;
mod housekeeping;
mod known;
mod once;
mod role;
mod rows;
mod secret;
mod signing;
mod throttle;
pub mod token;
mod used;

#[cfg(test)]
mod tests;

pub use browser::{clear_cookie, is_own_page, set_cookie};
pub use caller::Caller;
pub use denied::Denied;
pub use desk::{Made, NewTicket, SignIn, Signed, SignedIn, version_of_keys};
pub use ended::Ended;
pub use first::renew as renew_admin;
pub use once::OnceKey;
pub use role::Role;
pub use secret::{Kind, Secret};
pub use signing::LONGEST_TICKET;

use crate::store::{self, Store};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, Method};
use browser::Cookie;
use caller::{Grant, Session};
use common::logging::Episode;
use common::moment::Moment;
use common::serve::Problem;
use counts::Counts;
use known::Known;
use secret::Hash;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use throttle::Throttle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use used::Used;

/// How often the store is asked whether another process changed something.
pub const POLL: Duration = Duration::from_secs(2);
/// An unknown secret makes us look before that, and whoever brings it wait, but not more often than this.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The header with the caller's reason.
pub const HEADER_CAUSE: &str = "qae-cause";
/// Longest reason, in bytes.
const LONGEST_CAUSE: usize = 200;

/// Why access could not be opened, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is at fault.
    #[error("{}", .0.detail)]
    Refused(Problem),
    /// The caller is not let in.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store is.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The signing keys are.
    #[error(transparent)]
    Signing(#[from] signing::Error),
    /// The kernel gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] std::io::Error),
    /// The admin token's file is not as it should be.
    #[error("cannot {step} {path}: {source}", path = .path.display())]
    File {
        /// What was being done.
        step: &'static str,
        /// File or directory in hand.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl From<sqlx::Error> for Error {
    fn from(e: sqlx::Error) -> Self {
        Self::Store(store::Error::Sql(e))
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// The door. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    known: RwLock<Arc<Known>>,
    version: watch::Sender<i64>,
    /// When the store was last asked, as of before the question; held while it is.
    asked: tokio::sync::Mutex<Option<Instant>>,
    asking: Mutex<Episode>,
    throttle: Mutex<Throttle>,
    used: Mutex<Used>,
    counts: Counts,
}

impl Access {
    /// Opens it on a store; the first time there, it makes the admin token in `dir` (`<state>/api`) and the signing key. What has to be
    /// done now and then runs among `tasks` until `stop`.
    pub async fn open(
        store: Store,
        dir: &Path,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let now = Moment::now();
        first::start(&store, dir, now).await?;
        desk::first_key(&store, now).await?;
        let known = rows::load(store.read(), now).await?;
        let access = Self {
            inner: Arc::new(Inner {
                store,
                version: watch::Sender::new(known.version()),
                known: RwLock::new(Arc::new(known)),
                asked: tokio::sync::Mutex::new(None),
                asking: Mutex::new(Episode::new("access: reading tokens")),
                throttle: Mutex::new(Throttle::new(Instant::now())),
                used: Mutex::new(Used::default()),
                counts: Counts::default(),
            }),
        };
        tasks.spawn(housekeeping::run(access.clone(), stop));
        Ok(access)
    }

    /// Who makes this request, from `from`.
    pub async fn caller(
        &self,
        method: &Method,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<Caller, Denied> {
        let now = Moment::now();
        let caller = self.identify(method, headers, from, now).await;
        match &caller {
            Ok(caller) => lock(&self.inner.used).touch(&caller.id, now),
            Err(denied) => self.inner.counts.denied(denied),
        }
        caller
    }

    async fn identify(
        &self,
        method: &Method,
        headers: &HeaderMap,
        from: IpAddr,
        now: Moment,
    ) -> Result<Caller, Denied> {
        let cause = cause(headers)?;
        let (grant, session) = match bearer(headers) {
            Bearer::Token(secret) => (self.grant(&secret, from, now).await?, None),
            Bearer::Malformed => return Err(self.failed(from, Denied::Malformed)),
            Bearer::Absent => match browser::cookie(headers) {
                Cookie::Absent => return Err(Denied::Missing),
                Cookie::Nonsense => return Err(self.failed(from, Denied::NoSession)),
                Cookie::Session(_)
                    if !browser::only_reads(method) && !browser::is_own_page(headers) =>
                {
                    return Err(Denied::ForeignPage);
                }
                Cookie::Session(secret) => {
                    let (grant, session) = self.signed_in(&secret, from, now).await?;
                    (grant, Some(session))
                }
            },
        };
        Ok(Caller { grant, session, cause, address: from })
    }

    /// What this token grants.
    async fn grant(
        &self,
        secret: &Secret,
        from: IpAddr,
        now: Moment,
    ) -> Result<Arc<Grant>, Denied> {
        let find = |known: &Known, hash: &Hash| known.token(hash).cloned();
        let grant = self.find(secret, from, Denied::UnknownToken, find).await?;
        if grant.token.expired(now) { Err(Denied::ExpiredToken) } else { Ok(grant) }
    }

    /// Whose session this is.
    async fn signed_in(
        &self,
        secret: &Secret,
        from: IpAddr,
        now: Moment,
    ) -> Result<(Arc<Grant>, Session), Denied> {
        let find = |known: &Known, hash: &Hash| known.session(hash).cloned();
        let (grant, session) = self.find(secret, from, Denied::NoSession, find).await?;
        if session.expires <= now || grant.token.expired(now) {
            return Err(Denied::NoSession);
        }
        Ok((grant, session))
    }

    /// Looks a secret up in memory, and for one that is not there in the store: it may have been made by another process just now.
    async fn find<T>(
        &self,
        secret: &Secret,
        from: IpAddr,
        unknown: Denied,
        find: impl Fn(&Known, &Hash) -> Option<T>,
    ) -> Result<T, Denied> {
        let hash = secret.hash();
        if let Some(found) = find(&self.known(), &hash) {
            return Ok(found);
        }
        self.not_slowed(from)?;
        self.look_again().await;
        find(&self.known(), &hash).ok_or_else(|| self.failed(from, unknown))
    }

    /// 429 while the door is closed to failed tries from there.
    fn not_slowed(&self, from: IpAddr) -> Result<(), Denied> {
        match lock(&self.inner.throttle).wait(from, Instant::now()) {
            Some(wait) => Err(Denied::Slowed(wait)),
            None => Ok(()),
        }
    }

    /// Notes a failed try; what it is answered.
    fn failed(&self, from: IpAddr, denied: Denied) -> Denied {
        if let Err(slowed) = self.not_slowed(from) {
            return slowed;
        }
        let closed = lock(&self.inner.throttle).failed(from, Instant::now());
        if let Some(wait) = closed {
            tracing::warn!(%from, ?wait, "failed tries are slowed, the last one: {denied}");
        }
        denied
    }

    fn known(&self) -> Arc<Known> {
        self.inner.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads again if the store has another version, unless it was asked since this began. Strangers make us ask, so that it waits its turn.
    async fn look_again(&self) {
        let came = Instant::now();
        loop {
            let mut asked = self.inner.asked.lock().await;
            let rest = match *asked {
                Some(at) if at >= came => return,
                Some(at) => LOOK_AGAIN.saturating_sub(at.elapsed()),
                None => Duration::ZERO,
            };
            if rest.is_zero() {
                return self.ask(&mut asked).await;
            }
            // without the lock: whoever changed something is not to wait for strangers
            drop(asked);
            tokio::time::sleep(rest).await;
        }
    }

    /// Loads again if the store has another version.
    async fn refresh(&self) {
        let mut asked = self.inner.asked.lock().await;
        self.ask(&mut asked).await;
    }

    async fn ask(&self, asked: &mut Option<Instant>) {
        *asked = Some(Instant::now());
        match self.load_if_changed().await {
            Ok(()) => lock(&self.inner.asking).recovered(),
            // whoever was let in stays so: agents must not stop because the database did
            Err(e) => lock(&self.inner.asking).failed(&e),
        }
    }

    async fn load_if_changed(&self) -> Result<(), Error> {
        let pool = self.inner.store.read();
        if rows::version(pool).await? == self.known().version() {
            return Ok(());
        }
        let known = rows::load(pool, Moment::now()).await?;
        let version = known.version();
        lock(&self.inner.used).keep(|id| known.has(id));
        *self.inner.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        self.inner.counts.loaded();
        self.inner.version.send_replace(version);
        Ok(())
    }

    /// Every count by name, for `/metrics`.
    pub fn each_count(&self, mut emit: impl FnMut(&'static str, u64)) {
        self.inner.counts.each(&mut emit);
        let (tokens, sessions) = self.known().counts();
        emit("tokens", tokens as u64);
        emit("sessions", sessions as u64);
        emit("slowed_addresses", lock(&self.inner.throttle).len() as u64);
    }
}

/// What the `authorization` header brings.
enum Bearer {
    Absent,
    Malformed,
    Token(Secret),
}

fn bearer(headers: &HeaderMap) -> Bearer {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Bearer::Absent };
    let only = values.next().is_none();
    let token = || {
        let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
        let secret = Secret::parse(text.trim())?;
        let ours = scheme.eq_ignore_ascii_case("bearer") && secret.kind() == Kind::Token;
        (ours && only).then_some(secret)
    };
    token().map_or(Bearer::Malformed, Bearer::Token)
}

/// The caller's reason, in its own words.
fn cause(headers: &HeaderMap) -> Result<String, Denied> {
    let mut values = headers.get_all(HEADER_CAUSE).iter();
    let Some(value) = values.next() else { return Ok(String::new()) };
    let text = std::str::from_utf8(HeaderValue::as_bytes(value)).ok();
    let good = |text: &&str| text.len() <= LONGEST_CAUSE && !text.contains(common::printable::acts);
    match (text.filter(good), values.next()) {
        (Some(text), None) => Ok(text.trim().to_owned()),
        _ => Err(Denied::BadCause),
    }
}

/// A lock whose holder panicked still holds whole values: each is changed in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of a row: 16 hex digits nobody has yet.
fn new_id() -> std::io::Result<String> {
    Ok(common::api_types::digest::hex(&secret::random()?[..8]))
}

/// A token as the audit log shows it.
fn shown(token: &token::Token) -> serde_json::Value {
    serde_json::to_value(token).unwrap_or_default()
}
