//! The centre's transactions: loading everything, taking in what others wrote, storing a batch of decisions.

use super::draft::Draft;
use super::{Answer, Centre, Error, Request, Told, recent};
use crate::store::{self, Store};
use crate::world::World;
use common::api_types::{Event, Kind, digest};
use common::ids::Cursor;
use common::moment::Moment;
use sqlx::AnyConnection;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Events that are read at once.
const PAGE: u32 = 1_000;
/// Further behind than this, the state is loaded anew.
const FAR: u64 = 20_000;

/// What the store holds.
pub(super) struct Loaded {
    pub(super) world: World,
    /// The last events, rendered.
    pub(super) told: Vec<Arc<Told>>,
    /// When the last one was written.
    pub(super) latest: Moment,
    pub(super) oldest: u64,
}

/// Reads everything at one place of the bus; gives a new store its epoch.
pub(super) async fn load(store: &Store) -> Result<Loaded, store::Error> {
    let shared = store.engine() == store::Engine::Postgres;
    let fresh = fresh()?;
    store
        .write(move |c| {
            Box::pin(async move {
                let (seq, mut epoch) = store::entities::head(c, shared).await?;
                if epoch.is_empty() {
                    let sql = "INSERT INTO meta (key, value) VALUES ('epoch', $1)";
                    sqlx::query(sql).bind(fresh.clone()).execute(&mut *c).await?;
                    epoch = fresh;
                }
                loaded(c, Cursor { epoch, seq }).await
            })
        })
        .await
}

/// A new epoch.
fn fresh() -> Result<String, store::Error> {
    let mut random = [0; 8];
    match rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()) {
        Ok(_) => Ok(digest::hex(&random)),
        Err(e) => Err(store::Error::Sql(sqlx::Error::Io(e.into()))),
    }
}

async fn loaded(c: &mut AnyConnection, cursor: Cursor) -> Result<Loaded, store::Error> {
    let mut from = cursor.seq.saturating_sub(recent::MOST as u64);
    let (mut told, mut latest) = (Vec::new(), Moment::from_unix_ms(0));
    // in pages: an event weighs several times what is kept of it
    loop {
        let events = store::events::after(c, &cursor.epoch, from, PAGE).await?;
        let Some(last) = events.last() else { break };
        (from, latest) = (last.seq, last.time);
        told.extend(events.iter().map(|event| Arc::new(Told::of(event))));
    }
    let oldest = store::events::oldest(c).await?.unwrap_or(cursor.seq + 1);
    let world = store::entities::load(c, cursor).await?;
    Ok(Loaded { world, told, latest, oldest })
}

/// How a batch ended.
pub(super) enum Ended {
    /// Each decision's events.
    Stored(Vec<Vec<Arc<Event>>>),
    /// Nothing of it is stored.
    Failed(store::Error),
    /// The last step failed: the events, if they were stored.
    Open(Vec<Vec<Arc<Event>>>, store::Error),
}

/// Decides a batch on the draft and stores it. (`&mut`, because decisions are `Send` but not `Sync`.) Unless it ends as [`Ended::Stored`], the draft is ahead of the store.
pub(super) async fn batch(
    centre: &Centre,
    draft: &mut Draft,
    requests: &mut [Request],
) -> Result<Ended, Error> {
    let mut made = decide(draft, requests);
    if made.iter().all(Vec::is_empty) {
        // that nothing has to change must be true of what is stored, which others, or a commit of unknown fate, may have moved on
        let doubtful = centre.shared() || centre.trouble().is_some();
        if !doubtful || !catch_up(centre, draft).await? {
            return Ok(Ended::Stored(made));
        }
        made = decide(draft, requests);
        if made.iter().all(Vec::is_empty) {
            return Ok(Ended::Stored(made));
        }
    }
    let mut writing = match centre.inner.store.begin().await {
        Ok(writing) => writing,
        Err(e) => return Ok(Ended::Failed(e)),
    };
    let c = writing.connection();
    match turn(centre, draft, c).await? {
        Ok(false) => {}
        Ok(true) => made = decide(draft, requests),
        Err(e) => return Ok(Ended::Failed(e)),
    }
    if let Err(e) = write(centre, draft, c, &made.concat()).await {
        writing.rollback().await;
        return Ok(Ended::Failed(e));
    }
    Ok(match writing.commit().await {
        Ok(()) => Ended::Stored(made),
        Err(e) => Ended::Open(made, e),
    })
}

fn decide(draft: &mut Draft, requests: &mut [Request]) -> Vec<Vec<Arc<Event>>> {
    let now = Moment::now();
    draft.refused.clear();
    requests
        .iter_mut()
        .map(|request| {
            let changes = (request.decide)(&draft.world);
            draft.take(&request.origin, changes, now)
        })
        .collect()
}

/// Takes the writer's turn among all processes. True if others had written: they are taken in, and what was decided is forgotten.
async fn turn(
    centre: &Centre,
    draft: &mut Draft,
    c: &mut AnyConnection,
) -> Result<Result<bool, store::Error>, Error> {
    let (head, epoch) = match store::entities::head(c, centre.shared()).await {
        Ok(head) => head,
        Err(e) => return Ok(Err(e)),
    };
    let known = centre.inner.recent_head();
    check(centre, head, &epoch)?;
    if head == known {
        return Ok(Ok(false));
    }
    revert(centre, draft);
    Ok(match absorb(centre, draft, c, head).await {
        Ok(true) => Ok(true),
        Ok(false) => reload(centre, draft, c, head).await.map(|()| true),
        Err(e) => Err(e),
    })
}

fn check(centre: &Centre, head: u64, epoch: &str) -> Result<(), Error> {
    let same = epoch == centre.epoch() && head >= centre.inner.recent_head();
    if same { Ok(()) } else { Err(Error::Replaced) }
}

async fn write(
    centre: &Centre,
    draft: &Draft,
    c: &mut AnyConnection,
    events: &[Arc<Event>],
) -> Result<(), store::Error> {
    let Some(last) = events.last() else { return Ok(()) };
    store::events::append(c, events).await?;
    store::entities::save(c, &draft.world, &draft.touched, events).await?;
    store::entities::set_head(c, last.seq).await?;
    if centre.shared() {
        super::listen::notify(c, centre.epoch(), last.seq).await?;
    }
    Ok(())
}

/// Takes in what others have stored; whether there was anything. The draft must hold nothing of its own.
pub(super) async fn catch_up(centre: &Centre, draft: &mut Draft) -> Result<bool, Error> {
    let mut c = centre.inner.store.read().acquire().await.map_err(store::Error::from)?;
    let (head, epoch) = store::entities::head(&mut c, false).await?;
    check(centre, head, &epoch)?;
    if head == centre.inner.recent_head() {
        return Ok(false);
    }
    if absorb(centre, draft, &mut c, head).await? {
        return Ok(true);
    }
    drop(c);
    // several statements see one state only while nobody writes
    let mut writing = centre.inner.store.begin().await?;
    let c = writing.connection();
    let (head, epoch) = store::entities::head(c, centre.shared()).await?;
    check(centre, head, &epoch)?;
    reload(centre, draft, c, head).await?;
    writing.rollback().await;
    Ok(true)
}

/// Follows the events up to `head`. False if that is too far, or not possible any more.
async fn absorb(
    centre: &Centre,
    draft: &mut Draft,
    c: &mut AnyConnection,
    head: u64,
) -> Result<bool, store::Error> {
    let mut known = centre.inner.recent_head();
    if head - known > FAR {
        return Ok(false);
    }
    while known < head {
        let events = store::events::after(c, centre.epoch(), known, PAGE).await?;
        if events.first().is_none_or(|e| e.seq != known + 1) {
            return Ok(false);
        }
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        events.iter().for_each(|event| draft.apply(event));
        known = draft.world.cursor().seq;
        centre.inner.counts.others.fetch_add(events.len() as u64, Ordering::Relaxed);
        publish(centre, draft, &events);
    }
    Ok(true)
}

/// Begins anew with what the store holds: this process was away for longer than events are kept, or for many.
async fn reload(
    centre: &Centre,
    draft: &mut Draft,
    c: &mut AnyConnection,
    head: u64,
) -> Result<(), store::Error> {
    let cursor = Cursor { epoch: centre.epoch().to_owned(), seq: head };
    let loaded = loaded(c, cursor).await?;
    tracing::info!(from = centre.inner.recent_head(), to = head, "state loaded anew");
    *draft = Draft::new(loaded.world, loaded.latest);
    centre.inner.recent.replace(loaded.told, head);
    centre.inner.oldest.store(loaded.oldest, Ordering::Relaxed);
    centre.inner.replace(draft.world.clone());
    Ok(())
}

/// Lets everybody see what is stored.
pub(super) fn publish(centre: &Centre, draft: &mut Draft, events: &[Arc<Event>]) {
    events.iter().for_each(|event| centre.inner.recent.push(Arc::new(Told::of(event))));
    let touched = draft.settled();
    centre.inner.adopt(&draft.world, &touched);
}

/// Makes the draft what is stored again.
pub(super) fn revert(centre: &Centre, draft: &mut Draft) {
    let touched: BTreeSet<(Kind, String)> = draft.settled();
    draft.refused.clear();
    centre.read(|world| {
        draft.world.adopt(world, touched.iter().map(|(kind, key)| (*kind, key.as_str())));
    });
}

/// Finds out whether events of a commit that failed were stored. The lock on `head` waits for a commit that still goes on.
pub(super) async fn settle(centre: &Centre, events: &[Arc<Event>]) -> Result<bool, store::Error> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(true) };
    let mut writing = centre.inner.store.begin().await?;
    let c = writing.connection();
    let (head, epoch) = store::entities::head(c, centre.shared()).await?;
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
    let stored = store::events::after(c, &epoch, first.seq - 1, count).await?;
    writing.rollback().await;
    Ok(head >= last.seq && stored.iter().eq(events.iter().map(|e| &**e)))
}

/// Gives a store that went back behind `head` another epoch, so that no reader's cursor can mean two events.
pub(super) async fn renew(centre: &Centre, head: u64) -> Result<(), store::Error> {
    let (old, new) = (centre.epoch().to_owned(), fresh()?);
    let sql = "UPDATE meta SET value = $1 WHERE key = 'epoch' AND value = $2 \
               AND $3 > (SELECT seq FROM head WHERE id = 1)";
    let head = i64::try_from(head).unwrap_or(i64::MAX);
    centre
        .inner
        .store
        .write(move |c| {
            Box::pin(async move {
                sqlx::query(sql).bind(new).bind(old).bind(head).execute(c).await?;
                Ok(())
            })
        })
        .await
}

/// Stores nothing, but shows whether something could be.
pub(super) async fn probe(centre: &Centre) -> Result<(), store::Error> {
    let touch = "UPDATE head SET seq = seq WHERE id = 1";
    centre
        .inner
        .store
        .write(|c| {
            Box::pin(async move {
                sqlx::query(touch).execute(c).await?;
                Ok(())
            })
        })
        .await
}

/// The same error for everybody of a batch.
pub(super) fn all(error: &Error, count: usize) -> Vec<Answer> {
    (0..count).map(|_| Err(error.clone())).collect()
}
