//! One stream: which instances are in it by now, and a reader for each.

use super::outlet::{Outlet, Stream, outlet};
use super::reader::Reader;
use super::{INSTANCES, Inner, Members, Place, Say, Wanted, past};
use crate::access::Caller;
use common::api_types::Instance;
use common::api_types::live::{Frame, Told};
use common::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Changes of the world are gathered for so long before the instances are looked at again.
const SETTLE: Duration = Duration::from_millis(200);

/// What every part of a stream needs.
pub(super) struct Ground {
    pub inner: Arc<Inner>,
    pub caller: Caller,
    pub wanted: Wanted,
    pub outlet: Outlet,
    pub say: watch::Receiver<Say>,
    /// The stream's own end, as far as it is known.
    pub expires: Moment,
}

impl Ground {
    /// Tells of an instance.
    pub(super) async fn tell(
        &self,
        instance: &Instance,
        frame: Frame,
    ) -> Result<(), super::outlet::Gone> {
        self.put(&Told { instance: Some(instance.id.clone()), frame }).await
    }

    async fn put(&self, told: &Told) -> Result<(), super::outlet::Gone> {
        // names and numbers in structs: nothing of it can fail to print
        self.outlet.put(serde_json::to_string(told).unwrap_or_default()).await
    }
}

/// Starts a stream.
pub(super) fn start(
    inner: Arc<Inner>,
    caller: Caller,
    members: Members,
    wanted: Wanted,
    place: Place,
) -> Stream {
    let (sender, say) = watch::channel(Say::new(wanted.filter.clone()));
    let (outlet, cut, stream) = outlet(sender, place);
    let expires = caller.ends().unwrap_or(Moment::LAST);
    let ground = Arc::new(Ground { inner, caller, wanted, outlet, say, expires });
    stream.of_hub(tokio::spawn(run(ground, members, cut)))
}

/// Until the work is done, or the caller, the viewer or the daemon ends it.
async fn run(ground: Arc<Ground>, members: Members, cut: oneshot::Sender<Frame>) {
    let ended = ground.inner.access.ended(&ground.caller);
    let closing = ground.inner.closing.clone();
    let work = async {
        if ground.wanted.follow {
            follow(&ground, members).await;
        } else {
            past::show(&ground, members).await;
        }
    };
    let last = tokio::select! {
        () = work => return,
        () = ground.outlet.closed() => return,
        ended = ended => end(ended.code(), ended.detail()),
        () = closing.cancelled() => end("stopping", "this qae-api is ending; come back"),
    };
    // a viewer that is gone needs no good-bye
    drop(cut.send(last));
}

pub(super) fn end(why: &str, detail: &str) -> Frame {
    Frame::End { why: why.to_owned(), detail: detail.to_owned() }
}

/// What a run of an instance is told apart by: a container may start again under its key.
type Run = (u64, Option<Moment>);

fn run_of(instance: &Instance) -> Run {
    (instance.restarts, instance.started_at)
}

/// The readers of a stream.
#[derive(Default)]
struct Readers {
    tasks: JoinSet<(Arc<Instance>, Option<Frame>)>,
    /// By key: the word that the instance has left the world, and which run is read.
    known: BTreeMap<String, (CancellationToken, Run)>,
    /// Read to their end, as long as they are listed.
    done: BTreeMap<String, Run>,
    left_out: bool,
}

async fn follow(ground: &Arc<Ground>, members: Members) {
    let mut head = ground.inner.centre.watch();
    let mut readers = Readers::default();
    let app = match members {
        Members::One(instance) => {
            readers.begin(ground, &instance);
            let living = ground.inner.centre.read(|world| world.instance(&instance.key).is_some());
            if !living {
                readers.over(&instance.key);
            }
            None
        }
        Members::App(app, ended) => {
            for instance in ended.iter().take(INSTANCES) {
                readers.begin(ground, instance);
                readers.over(&instance.key);
            }
            Some(app)
        }
    };
    let mut waiting = false;
    loop {
        head.mark_unchanged();
        if let Some(app) = &app {
            let living: Vec<_> =
                ground.inner.centre.read(|world| world.of_app(app).cloned().collect());
            readers.are(ground, &living).await;
            if readers.known.is_empty() && !waiting {
                let told =
                    Told { instance: None, frame: Frame::Waiting { expires: ground.expires } };
                if ground.put(&told).await.is_err() {
                    return;
                }
            }
            waiting = readers.known.is_empty();
        } else {
            readers.look(ground);
        }
        tokio::select! {
            changed = head.changed() => {
                if changed.is_err() {
                    return;
                }
                sleep(SETTLE).await;
            }
            Some(ended) = readers.tasks.join_next() => {
                let Some(told) = readers.ended(ended.ok(), app.is_some()) else { continue };
                if ground.put(&told).await.is_err() || app.is_none() {
                    return;
                }
            }
        }
    }
}

impl Readers {
    fn begin(&mut self, ground: &Arc<Ground>, instance: &Arc<Instance>) {
        let over = CancellationToken::new();
        self.known.insert(instance.key.clone(), (over.clone(), run_of(instance)));
        let reader = Reader::new(Arc::clone(ground), Arc::clone(instance), over);
        let instance = Arc::clone(instance);
        self.tasks.spawn(async move { (instance, reader.run().await) });
    }

    /// The instance has left the world.
    fn over(&self, key: &str) {
        if let Some((over, _)) = self.known.get(key) {
            over.cancel();
        }
    }

    /// Of a stream of one: whether it is still there.
    fn look(&self, ground: &Ground) {
        for (key, (over, _)) in &self.known {
            if ground.inner.centre.read(|world| world.instance(key).is_none()) {
                over.cancel();
            }
        }
    }

    /// A reader has ended; what is to be told of it, of one of several with its instance. One that panicked leaves nothing: its instance
    /// stays known, and is not read again.
    fn ended(
        &mut self,
        ended: Option<(Arc<Instance>, Option<Frame>)>,
        several: bool,
    ) -> Option<Told> {
        let (instance, frame) = ended?;
        if let Some((key, (_, run))) = self.known.remove_entry(&instance.key) {
            self.done.insert(key, run);
        }
        Some(Told { instance: several.then(|| instance.id.clone()), frame: frame? })
    }

    /// These live now.
    async fn are(&mut self, ground: &Arc<Ground>, living: &[Arc<Instance>]) {
        let keys: BTreeSet<&str> = living.iter().map(|i| i.key.as_str()).collect();
        self.done.retain(|key, _| keys.contains(key.as_str()));
        for (key, (over, _)) in &self.known {
            if !keys.contains(key.as_str()) {
                over.cancel();
            }
        }
        let mut left_out = 0;
        for instance in living {
            let read = self.known.contains_key(&instance.key);
            let done = self.done.get(&instance.key).is_some_and(|run| *run == run_of(instance));
            if read || done {
                continue;
            }
            if self.known.len() >= INSTANCES {
                left_out += 1;
                continue;
            }
            self.begin(ground, instance);
        }
        if left_out > 0 && !self.left_out {
            let detail = format!(
                "{left_out} more instances are not in this stream, which has {INSTANCES}; ask for one by its key"
            );
            let frame = Frame::Refused { code: "too_many_instances".to_owned(), detail };
            // the viewer may be gone: then nobody needs it
            ground.put(&Told { instance: None, frame }).await.ok();
        }
        self.left_out = left_out > 0;
    }
}
