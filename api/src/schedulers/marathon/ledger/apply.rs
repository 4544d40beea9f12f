//! One event: what it moves, what it makes dirty.

use super::{Ledger, MOST_RECENT};
use crate::schedulers::marathon::translate::{self, app_id, word};
use crate::schedulers::marathon::wire::{Event, TaskUpdate};
use common::api_types::{Exit, InstanceState};
use common::container::Health;
use common::ids::AppId;
use common::moment::Moment;

/// What a status does to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is so already.
    Stays,
    /// It goes there.
    Goes,
    /// It cannot be: the event is old, or one is missing between.
    DoesNotFit,
}

impl Ledger {
    /// An event. True if it was of use: it changed something or made something dirty.
    pub fn hear(&mut self, event: Event, now: Moment) -> bool {
        match &mut self.recent {
            Some(recent) if recent.len() < MOST_RECENT => recent.push(event.clone()),
            Some(_) => self.dirty.all = true,
            None => {}
        }
        self.heard(event, now)
    }

    pub(super) fn heard(&mut self, event: Event, now: Moment) -> bool {
        match event {
            Event::Task(update) => self.task(&update, now),
            Event::Check { app, of, alive, whole } => self.check(&app, &of, alive, whole),
            Event::Instance { app, instance, condition } => {
                !self.agrees(&instance, &condition) && self.soil(&app)
            }
            Event::Apps(apps) => apps.iter().fold(false, |any, app| self.soil(app) | any),
            Event::Group(group) => self.group(&group),
            Event::All => {
                self.dirty.all = true;
                true
            }
            Event::Attached | Event::Other => false,
        }
    }

    /// Marks an app dirty. False for one that is known to be none.
    fn soil(&mut self, app: &str) -> bool {
        match app_id(app) {
            Some(id) => {
                !self.foreign.contains(&id) && {
                    self.dirty.apps.insert(id);
                    true
                }
            }
            None => false,
        }
    }

    fn group(&mut self, group: &str) -> bool {
        let Some(group) = app_id(group) else {
            self.dirty.all = true;
            return true;
        };
        let beneath = format!("{group}/");
        let of_group = |id: &&AppId| **id == group || id.as_str().starts_with(&beneath);
        let apps: Vec<AppId> = self.apps.keys().filter(of_group).cloned().collect();
        let any = !apps.is_empty();
        self.dirty.apps.extend(apps);
        any
    }

    fn task(&mut self, update: &TaskUpdate, now: Moment) -> bool {
        let said = translate::state(&update.status);
        let Some(known) = self.tasks.get_mut(&update.task) else {
            // an end of what is not listed is no news
            return said != Some(InstanceState::Ended) && self.soil(&update.app);
        };
        let task = &mut known.task;
        let Some(said) = said else { return self.soil(&update.app) };
        match step(task.state, said) {
            Step::Stays => return false,
            Step::DoesNotFit => return self.soil(&update.app),
            Step::Goes => {}
        }
        let at = update.timestamp.as_deref().and_then(Moment::parse).unwrap_or(now);
        task.state = said;
        match said {
            InstanceState::Running => {
                task.started_at = task.started_at.or(Some(at));
                task.host = update.host.as_deref().and_then(translate::host).or(task.host.take());
            }
            InstanceState::Ended => {
                task.ended_at = Some(at);
                task.exit = Some(Exit { reason: Some(reason(update)), ..Exit::default() });
            }
            _ => {}
        }
        self.tell(&update.task);
        self.soil(&update.app);
        true
    }

    fn check(&mut self, app: &str, of: &str, alive: Option<bool>, whole: bool) -> bool {
        let checks = app_id(app).and_then(|id| self.apps.get(&id)).map_or(0, |known| known.checks);
        // one check that passes says nothing of the others
        let health = match alive {
            Some(false) => Health::Unhealthy,
            Some(true) if whole || checks <= 1 => Health::Healthy,
            _ => return self.soil(app),
        };
        let running = |id: &String| {
            self.tasks.get(id).is_some_and(|known| known.task.state == InstanceState::Running)
        };
        let named = self.tasks.contains_key(of).then(|| of.to_owned());
        let of_instance = self.by_instance.get(of).into_iter().flatten().cloned();
        let mut tasks: Vec<String> = named.into_iter().chain(of_instance).collect();
        tasks.dedup();
        tasks.retain(running);
        let [one] = tasks.as_slice() else { return self.soil(app) };
        let Some(known) = self.tasks.get_mut(one) else { return false };
        known.blank_since = None;
        if known.task.health == health {
            return false;
        }
        known.task.health = health;
        let one = one.clone();
        self.tell(&one);
        true
    }

    /// Whether what Marathon says of an instance is what its tasks say. It never moves a task: it comes before or after what Mesos says of
    /// this run or the next one under the same id.
    fn agrees(&self, instance: &str, condition: &str) -> bool {
        let tasks = self.by_instance.get(instance).into_iter().flatten();
        let mut live = tasks.filter_map(|id| self.tasks.get(id)).filter(|known| known.is_live());
        let Some(known) = live.next() else { return false };
        let wanted = match condition {
            "Created" | "Provisioned" | "Staging" => InstanceState::Staging,
            "Starting" => InstanceState::Starting,
            "Running" => InstanceState::Running,
            "Killing" => InstanceState::Stopping,
            "Unreachable" => InstanceState::Unreachable,
            // between two runs, given up, over, unknown: better look
            _ => return false,
        };
        known.task.state == wanted && live.next().is_none()
    }
}

fn step(known: InstanceState, said: InstanceState) -> Step {
    use InstanceState::{Ended, Running, Staging, Starting, Stopping, Unreachable};
    match (known, said) {
        (a, b) if a == b => Step::Stays,
        (Ended, _) => Step::DoesNotFit,
        (_, Ended | Unreachable) | (Staging, Starting) => Step::Goes,
        (Staging | Starting | Unreachable, Running | Stopping) | (Running, Stopping) => Step::Goes,
        _ => Step::DoesNotFit,
    }
}

/// `TASK_FAILED: Container exited with status 1`.
fn reason(update: &TaskUpdate) -> String {
    let status = word(&update.status);
    match word(update.message.trim()) {
        message if message.is_empty() => status,
        message => format!("{status}: {message}"),
    }
}
