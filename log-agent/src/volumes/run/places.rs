//! From containers to directories: what was looked at, what is looked for, and what is refused.

use super::{LOOKS, Watcher};
use crate::volume::Form;
use crate::volumes::claim::{self, Claim};
use crate::volumes::danger::{self, Guarded};
use crate::volumes::ledger::{Entry, Refusal, Running};
use crate::volumes::survey::{Asked, Question};
use common::container::Container;
use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

impl Watcher {
    /// Those of the unnamed that wait yet.
    pub(super) fn waiting(&mut self, unnamed: Vec<String>, clock: Instant) -> HashSet<String> {
        let (asks, pace) = (self.settings.mesos.is_some(), self.settings.pace.name);
        let since = |id: String| {
            let since = self.unnamed.get(&id).copied().unwrap_or(clock);
            (id, since)
        };
        self.unnamed = unnamed.into_iter().map(since).collect();
        let waits = |(_, since): &(&String, &Instant)| asks && clock.duration_since(**since) < pace;
        self.unnamed.iter().filter(waits).map(|(id, _)| id.clone()).collect()
    }

    /// What a container has, as far as that was looked at.
    pub(super) fn place(
        &self,
        container: &Container,
        guarded: &Guarded,
        asked: &mut HashSet<Asked>,
        refused: &mut BTreeSet<Refusal>,
    ) -> Running {
        let mut running =
            Running { container: container.id.clone(), complete: true, entries: Vec::new() };
        for claim in claim::of(container, self.settings.stdout) {
            let key = (claim.container.clone(), claim.source.clone());
            let judged = match self.places.get(&key) {
                None => {
                    running.complete = false;
                    asked.insert(key);
                    continue;
                }
                Some(Err(danger)) => Err(danger.clone()),
                Some(Ok(dir)) => danger::judge(&claim, dir, guarded).map(|()| dir),
            };
            asked.insert(key);
            match judged {
                Ok(dir) => running.entries.push(entry(claim, dir.clone())),
                Err(why) => {
                    let Claim { instance, source, .. } = claim;
                    refused.insert(Refusal { instance, source, why });
                }
            }
        }
        running
    }

    /// Has places looked for that are asked for, and forgets those nobody asks for any more.
    pub(super) fn seek_all(&mut self, asked: HashSet<Asked>) {
        let remembered: HashSet<Asked> =
            self.ledger.entries().map(|e| (e.container.clone(), e.source.clone())).collect();
        self.places.retain(|key, _| asked.contains(key) || remembered.contains(key));
        for key in asked {
            if !self.places.contains_key(&key) {
                self.seek(key);
            }
        }
    }

    /// Has a place looked for, unless it is already, or too many looks hang.
    pub(super) fn seek(&mut self, key: Asked) {
        if self.looked_for.len() < LOOKS && self.looked_for.insert(key.clone()) {
            self.look(Question::Place(key));
        }
    }

    pub(super) fn publish(&mut self, mut refused: BTreeSet<Refusal>) {
        let (volumes, overlapping) = self.ledger.volumes();
        refused.extend(overlapping);
        for new in refused.difference(&self.refused) {
            let Refusal { instance, source, why } = new;
            self.figures.refused_total += 1;
            tracing::warn!(
                "{}/{}: {source} is not read as its log volume: {why}",
                instance.app,
                instance.id
            );
        }
        self.figures.running = volumes.iter().filter(|v| v.ended_at.is_none()).count();
        self.figures.ended = volumes.len() - self.figures.running;
        self.figures.refused = refused.iter().cloned().collect();
        self.refused = refused;
        self.out.list.send_if_modified(|before| {
            let modified = **before != volumes;
            if modified {
                *before = Arc::new(volumes);
            }
            modified
        });
        self.out.shown.send_if_modified(|before| {
            let modified = **before != self.figures;
            if modified {
                *before = Arc::new(self.figures.clone());
            }
            modified
        });
    }
}

fn entry(claim: Claim, dir: PathBuf) -> Entry {
    Entry {
        app: claim.instance.app,
        instance: claim.instance.id,
        by: claim.by,
        container: claim.container,
        source: claim.source,
        dir,
        name: claim.name,
        json: claim.form == Form::DockerJson,
        started_at: claim.started_at,
        ended_at: None,
    }
}
