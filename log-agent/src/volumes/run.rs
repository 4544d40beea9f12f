//! The one task that hears engines, looks at the disk beside that, and publishes the list.

mod places;
mod remember;

use super::Settings;
use super::claim::{self, By};
use super::danger::{self, Danger, Guarded};
use super::figures::Figures;
use super::ledger::{Ledger, Refusal, Running};
use super::living::living;
use super::root::Listing;
use super::survey::{self, Asked, Found, Question};
use crate::volume::{InstanceKey, Volume};
use common::container::Container;
use common::docker::{Event, Inventory};
use common::logging::Episode;
use common::mesos::{Agent, AskError, Names};
use common::moment::Moment;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Most looks under way: one that hangs must not stop the others.
const LOOKS: usize = 64;
/// Containers that came and went unseen, whose directories are looked for.
const DEPARTED: usize = 4_096;

/// What is heard.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) docker: watch::Receiver<Arc<Inventory>>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) forgotten: mpsc::Receiver<(InstanceKey, PathBuf)>,
}

/// Where it goes.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) list: watch::Sender<Arc<Vec<Volume>>>,
    pub(super) shown: watch::Sender<Arc<Figures>>,
}

/// Until `stop`.
pub(super) async fn run(settings: Settings, mut inputs: Inputs, out: Out, stop: CancellationToken) {
    let (pace, asks) = (settings.pace, settings.mesos.is_some());
    let mut watcher = Watcher::new(settings, out);
    watcher.remember().await;
    watcher.begin();
    let mut looks = ticks(pace.look);
    let mut questions = ticks(pace.ask);
    let mut saves = ticks(pace.save);
    let (mut following, mut hearing, mut forgetting) = (true, true, true);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            changed = inputs.docker.changed(), if following => following = changed.is_ok(),
            event = inputs.events.recv(), if hearing => match event {
                Some(event) => watcher.heard(&event),
                None => hearing = false,
            },
            done = inputs.forgotten.recv(), if forgetting => match done {
                Some((instance, dir)) => watcher.forget(&instance, dir),
                None => forgetting = false,
            },
            _ = looks.tick() => watcher.look_again(),
            _ = questions.tick(), if asks => watcher.ask(),
            _ = saves.tick(), if watcher.is_unsaved() => {
                watcher.save();
                continue;
            }
            Some(found) = watcher.looks.join_next() => watcher.found(found),
            Some(answer) = watcher.asking.join_next() => watcher.answered(answer),
            Some(saved) = watcher.saving.join_next() => {
                watcher.saved(saved);
                continue;
            }
        }
        let inventory = inputs.docker.borrow_and_update().clone();
        watcher.update(&inventory, Moment::now(), Instant::now());
    }
    while let Some(saved) = watcher.saving.join_next().await {
        watcher.saved(saved);
    }
    watcher.save();
    while let Some(saved) = watcher.saving.join_next().await {
        watcher.saved(saved);
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

type Saved = Result<(), String>;

struct Watcher {
    settings: Settings,
    out: Out,
    ledger: Ledger,
    names: Names,
    /// The Mesos agent has answered.
    named: bool,
    /// Since when a container waits for its name.
    unnamed: HashMap<String, Instant>,
    /// None until links in it are resolved.
    guarded: Option<Guarded>,
    /// How often that was asked for: the last answer counts.
    guarding: u64,
    /// Where the engine says that its data is.
    engine_root: Option<PathBuf>,
    places: HashMap<Asked, Result<PathBuf, Danger>>,
    looked_for: HashSet<Asked>,
    listing: Option<Listing>,
    listing_now: bool,
    departed: Vec<(Arc<Container>, Moment)>,
    looks: JoinSet<Found>,
    asking: JoinSet<Result<Names, AskError>>,
    saving: JoinSet<Saved>,
    /// What the memory holds, and what is being written.
    written: Ledger,
    writing: Ledger,
    figures: Figures,
    refused: BTreeSet<Refusal>,
    about_names: Episode,
    about_root: Episode,
    about_memory: Episode,
}

impl Watcher {
    fn new(settings: Settings, out: Out) -> Self {
        let root = settings.root.as_deref().unwrap_or_else(|| "".as_ref()).display().to_string();
        Self {
            settings,
            out,
            ledger: Ledger::default(),
            names: Names::default(),
            named: false,
            unnamed: HashMap::new(),
            guarded: None,
            guarding: 0,
            engine_root: None,
            places: HashMap::new(),
            looked_for: HashSet::new(),
            listing: None,
            listing_now: false,
            departed: Vec::new(),
            looks: JoinSet::new(),
            asking: JoinSet::new(),
            saving: JoinSet::new(),
            written: Ledger::default(),
            writing: Ledger::default(),
            figures: Figures::default(),
            refused: BTreeSet::new(),
            about_names: Episode::new("log volumes by the Mesos agent"),
            about_root: Episode::new(format!("volumes_root {root}")),
            about_memory: Episode::new("the memory of ended instances' log volumes"),
        }
    }

    fn begin(&mut self) {
        let Settings { docker_root, own, root, .. } = &self.settings;
        let engine = self.engine_root.as_deref().map(danger::unmapped);
        let docker = [Some(docker_root.as_path()), engine].into_iter().flatten();
        let docker = docker.map(Path::to_owned).collect();
        let guarded = Guarded { docker, own: own.clone(), root: root.clone() };
        (self.guarded, self.guarding) = (None, self.guarding + 1);
        self.look(Question::Guarded(self.guarding, guarded));
    }

    /// Guards what the engine says is its own; nothing is judged before.
    fn guard(&mut self, engine: Option<&Path>) {
        let Some(engine) = engine.filter(|root| self.engine_root.as_deref() != Some(*root)) else {
            return;
        };
        self.engine_root = Some(engine.to_owned());
        if danger::unmapped(engine) != self.settings.docker_root {
            tracing::info!(
                "Docker keeps its data in {}: of it, too, only volumes and container logs are read",
                engine.display()
            );
            self.begin();
        }
    }

    fn look(&mut self, question: Question) {
        self.looks.spawn_blocking(move || survey::look(question));
    }

    fn look_again(&mut self) {
        let away = |place: &Result<_, _>| matches!(place, Err(Danger::Unreachable(_)));
        let again = self.places.iter().filter(|(_, place)| away(place)).map(|(key, _)| key.clone());
        for key in again.collect::<Vec<_>>() {
            self.seek(key);
        }
        if let Some(root) = self.settings.root.clone().filter(|_| !self.listing_now) {
            self.listing_now = true;
            self.look(Question::Root(root));
        }
    }

    fn found(&mut self, found: Result<Found, JoinError>) {
        match found {
            Ok(Found::Guarded(nth, guarded)) if nth == self.guarding => {
                self.guarded = Some(guarded);
            }
            Ok(Found::Guarded(..)) => {}
            Ok(Found::Place(asked, place)) => {
                self.looked_for.remove(&asked);
                self.places.insert(asked, place);
            }
            Ok(Found::Root(listing)) => {
                self.listing_now = false;
                match listing {
                    Ok(listing) => {
                        self.about_root.recovered();
                        self.figures.foreign = listing.foreign;
                        self.listing = Some(listing);
                    }
                    Err(error) => {
                        self.figures.root_errors += 1;
                        self.about_root.failed(&error);
                    }
                }
            }
            Err(error) => tracing::error!("a look at a log volume ended by itself: {error}"),
        }
    }

    /// Asks the Mesos agent, if there is one and no question is under way.
    fn ask(&mut self) {
        let Some(agent) = self.settings.mesos.clone().filter(|_| self.asking.is_empty()) else {
            return;
        };
        self.figures.mesos_asked += 1;
        self.asking.spawn(names(agent));
    }

    fn answered(&mut self, answer: Result<Result<Names, AskError>, JoinError>) {
        match answer {
            Ok(Ok(names)) => {
                self.about_names.recovered();
                (self.names, self.named) = (names, true);
                return;
            }
            Ok(Err(error)) => self.about_names.failed(&error),
            Err(error) => self.about_names.failed(&error),
        }
        self.figures.mesos_errors += 1;
    }

    fn heard(&mut self, event: &Event) {
        let Event::Died { container, .. } = event else { return };
        let now = Moment::now();
        if self.ledger.entries().any(|e| e.container == container.id) {
            self.ledger.ended(&container.id, Vec::new(), now);
        } else if !claim::of(container, self.settings.stdout).is_empty() {
            if self.departed.len() < DEPARTED {
                self.departed.push((container.clone(), now));
            } else {
                self.figures.unseen_dropped += 1;
            }
        }
    }

    fn forget(&mut self, instance: &InstanceKey, dir: PathBuf) {
        if self.ledger.forget(instance, &dir) {
            self.figures.forgotten += 1;
        }
        // the listing that is here may still show it
        if let Some(listing) = &mut self.listing {
            listing.found.retain(|(_, found)| *found != dir);
        }
    }

    /// Everything from what is known now.
    fn update(&mut self, inventory: &Inventory, now: Moment, clock: Instant) {
        self.guard(inventory.root.as_deref());
        let Some(guarded) = self.guarded.clone() else { return };
        let docker = self.settings.docker.is_some();
        let living = living(docker.then_some(&inventory.containers), &self.names);
        let waiting = self.waiting(living.unnamed, clock);
        let mut refused = BTreeSet::new();
        let mut asked = HashSet::new();
        let (mut of_docker, mut of_mesos) = (Vec::new(), Vec::new());
        let there: HashSet<&str> = living.containers.iter().map(|c| c.id.as_str()).collect();
        self.departed.retain(|(c, _)| !there.contains(c.id.as_str()));
        for container in &living.containers {
            let running = if waiting.contains(&container.id) {
                let container = container.id.clone();
                Running { container, complete: false, entries: Vec::new() }
            } else {
                self.place(container, &guarded, &mut asked, &mut refused)
            };
            match container.source {
                common::container::Source::Mesos => of_mesos.push(running),
                _ => of_docker.push(running),
            }
        }
        let whole = (!docker || inventory.whole, self.settings.mesos.is_none() || self.named);
        self.ledger.observe(By::Docker, of_docker, whole.0, now);
        self.ledger.observe(By::Mesos, of_mesos, whole.1, now);
        for (container, at) in std::mem::take(&mut self.departed) {
            let named = self.names.rename(&container).map_or(container, Arc::new);
            let had = self.place(&named, &guarded, &mut asked, &mut refused);
            if had.complete {
                self.ledger.ended(&named.id, had.entries, at);
            } else {
                self.departed.push((named, at));
            }
        }
        let engines = docker || self.settings.mesos.is_some();
        if let Some(listing) = &self.listing {
            let alone = engines && whole.0 && whole.1;
            self.ledger.found(&listing.found, listing.whole, alone, now);
        }
        self.figures.forgotten_too_many += self.ledger.limit() as u64;
        self.figures.unnamed = waiting.len();
        self.seek_all(asked);
        self.publish(refused);
    }
}

/// `/state` has it all; where it is forbidden `/containers` has at least the names.
async fn names(agent: Agent) -> Result<Names, AskError> {
    match agent.state().await {
        Err(error) if !error.is_recovering() => {
            agent.ask().await.map(|answer| answer.names).map_err(|_| error)
        }
        answer => answer,
    }
}
