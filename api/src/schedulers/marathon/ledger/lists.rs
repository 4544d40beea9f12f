//! Lists, whole and of one app: what they have is the state, what they lack has ended.

use super::{
    CONFIRM_AFTER, Changed, KnownApp, KnownTask, Ledger, MOST_FOREIGN, Taken, Translated,
    TranslatedTask, VERDICT_KEPT,
};
use common::api_types::{Exit, InstanceState};
use common::container::Health;
use common::ids::AppId;
use common::moment::Moment;
use std::collections::HashSet;

impl Ledger {
    /// A fetch is asked for now: events from now on may be newer than its answer. One fetch at a time.
    pub fn asked(&mut self) {
        self.recent = Some(Vec::new());
    }

    /// The fetch failed: what was dirty still is.
    pub fn failed(&mut self) {
        self.recent = None;
    }

    /// The list of all apps, as asked for by [`Self::asked`].
    pub fn listed(&mut self, list: Vec<Translated>, now: Moment) -> Taken {
        let apps: HashSet<AppId> = list.iter().map(|a| a.app.id.clone()).collect();
        let tasks = ids(&list);
        let missing = self.missing(&tasks, |_| true);
        let live = self.counts().1;
        // apps without tasks are no loss: what they are is listed again, if they are
        let much = missing.len() * 2 > live;
        let confirmed = self.held.is_some_and(|since| now.since(since) >= CONFIRM_AFTER);
        let taken = if much && !confirmed {
            self.held.get_or_insert(now);
            Taken::Held { missing: missing.len(), of: live }
        } else {
            self.held = None;
            self.apps.retain(|id, _| apps.contains(id));
            self.drop_ended(&tasks, |_| true);
            missing.iter().for_each(|id| self.end(id, now));
            Taken::Whole
        };
        for app in list {
            self.take_in(app, now);
        }
        self.dirty.all = matches!(taken, Taken::Held { .. });
        self.dirty.apps.clear();
        self.foreign.clear();
        self.changed = Changed { all: true, ..Changed::default() };
        self.replay(now);
        taken
    }

    /// One app, as asked for by [`Self::asked`].
    pub fn listed_app(&mut self, app: Translated, now: Moment) {
        let id = app.app.id.clone();
        let listed = HashSet::from_iter(app.tasks.iter().map(|t| t.task.id.as_str().to_owned()));
        let missing = self.missing(&listed, |known| known.task.app == id);
        self.dirty.apps.remove(&id);
        if missing.len() * 2 > self.counts().1 {
            // most of the cluster: for a whole list to say
            self.dirty.all = true;
        } else {
            self.drop_ended(&listed, |known| known.task.app == id);
            missing.iter().for_each(|id| self.end(id, now));
        }
        let defined = self.apps.get(&id).is_none_or(|known| known.app != app.app);
        let tasks: Vec<String> = listed.into_iter().collect();
        self.take_in(app, now);
        if defined {
            self.changed.apps.insert(id);
        }
        tasks.iter().chain(&missing).for_each(|id| self.tell(id));
        self.replay(now);
    }

    /// Marathon has no such app. One that is known is gone, if the next list says so too; any other is a pod, not asked for again until then.
    pub fn no_such_app(&mut self, id: &AppId, now: Moment) {
        self.dirty.apps.remove(id);
        if self.apps.contains_key(id) {
            self.dirty.all = true;
        } else if self.foreign.len() < MOST_FOREIGN {
            self.foreign.insert(id.clone());
        }
        self.replay(now);
    }

    fn take_in(&mut self, listed: Translated, now: Moment) {
        let checks = listed.checks;
        for task in listed.tasks {
            let known = self.verdict(task, checks, now);
            self.enter(known);
        }
        self.apps.insert(listed.app.id.clone(), KnownApp { app: listed.app, checks });
    }

    /// "No result" is not a verdict: a task that runs on keeps its last one for a while.
    fn verdict(&self, listed: TranslatedTask, checks: usize, now: Moment) -> KnownTask {
        let TranslatedTask { mut task, instance, checked } = listed;
        if task.state == InstanceState::Ended {
            task.ended_at = Some(now);
        }
        let before = self.tasks.get(task.id.as_str());
        let ended_at = before.and_then(|b| b.task.ended_at).filter(|_| task.ended_at.is_some());
        task.ended_at = ended_at.or(task.ended_at);
        let stands = before.filter(|b| {
            let runs_on = b.task.state == task.state || b.task.state == InstanceState::Unreachable;
            !checked && checks > 0 && runs_on && b.task.health != Health::Unknown
        });
        let blank_since = stands.map(|b| b.blank_since.unwrap_or(now));
        let blank_since = blank_since.filter(|since| now.since(*since) < VERDICT_KEPT);
        if let (Some(before), Some(_)) = (stands, blank_since) {
            task.health = before.task.health;
        }
        KnownTask { task, instance, blank_since }
    }

    /// Live tasks that a list lacks.
    fn missing(&self, listed: &HashSet<String>, among: impl Fn(&KnownTask) -> bool) -> Vec<String> {
        let lacks = |(id, known): &(&String, &KnownTask)| {
            known.is_live() && among(known) && !listed.contains(*id)
        };
        self.tasks.iter().filter(lacks).map(|(id, _)| id.clone()).collect()
    }

    /// Forgets tasks that ended before, are no longer listed, and whose end the centre has heard.
    fn drop_ended(&mut self, listed: &HashSet<String>, among: impl Fn(&KnownTask) -> bool) {
        if self.changed.all {
            return;
        }
        let over = |(id, known): &(&String, &KnownTask)| {
            let told = !self.changed.tasks.contains(*id);
            !known.is_live() && told && among(known) && !listed.contains(*id)
        };
        let over: Vec<String> = self.tasks.iter().filter(over).map(|(id, _)| id.clone()).collect();
        over.iter().for_each(|id| self.remove(id));
    }

    fn end(&mut self, id: &str, now: Moment) {
        let Some(known) = self.tasks.get_mut(id) else { return };
        // with the default strategy Marathon gives up what is out of reach at once, and no event follows
        let reason = match known.task.state {
            InstanceState::Unreachable => "unreachable, given up by Marathon",
            _ => "no longer listed by Marathon",
        };
        known.task.state = InstanceState::Ended;
        known.task.ended_at = Some(now);
        known.task.exit = Some(Exit { reason: Some(reason.to_owned()), ..Exit::default() });
    }

    fn replay(&mut self, now: Moment) {
        for event in self.recent.take().into_iter().flatten() {
            self.heard(event, now);
        }
    }
}

fn ids(list: &[Translated]) -> HashSet<String> {
    list.iter().flat_map(|a| &a.tasks).map(|t| t.task.id.as_str().to_owned()).collect()
}
