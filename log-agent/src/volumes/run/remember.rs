//! The ledger's way to the disk and back.

use super::{Saved, Watcher};
use crate::volumes::claim::By;
use crate::volumes::ledger::Ledger;
use crate::volumes::memory;
use tokio::task::JoinError;

impl Watcher {
    /// Takes up what was known before.
    pub(super) async fn remember(&mut self) {
        let Some(path) = self.settings.memory.clone() else { return };
        let loaded = tokio::task::spawn_blocking(move || {
            memory::load(&path).map_err(|error| match memory::put_aside(&path) {
                Ok(()) => format!("{error}; it is put aside as {}.bad", path.display()),
                Err(aside) => format!("{error}; putting it aside failed, too: {aside}"),
            })
        });
        let entries = match loaded.await {
            Ok(Ok(entries)) => entries,
            Ok(Err(error)) => return self.memory_failed(&error),
            Err(error) => return self.memory_failed(&error),
        };
        for entry in entries.iter().filter(|e| e.by != By::Root) {
            let asked = (entry.container.clone(), entry.source.clone());
            self.places.insert(asked, Ok(entry.dir.clone()));
        }
        self.ledger = Ledger::new(entries);
        self.written = self.ledger.clone();
    }

    pub(super) fn memory_failed(&mut self, error: &dyn std::fmt::Display) {
        self.figures.memory_errors += 1;
        self.about_memory.failed(error);
    }

    /// Whether the memory is to be written.
    pub(super) fn is_unsaved(&self) -> bool {
        let may = self.settings.memory.is_some() && self.saving.is_empty();
        may && self.ledger != self.written
    }

    /// Writes the memory, if it is another.
    pub(super) fn save(&mut self) {
        let Some(path) = self.settings.memory.clone().filter(|_| self.is_unsaved()) else {
            return;
        };
        match memory::print(self.ledger.entries()) {
            Ok(json) => {
                self.writing = self.ledger.clone();
                self.saving.spawn_blocking(move || {
                    memory::save(&path, &json).map(drop).map_err(|error| error.to_string())
                });
            }
            Err(error) => self.memory_failed(&error),
        }
    }

    pub(super) fn saved(&mut self, saved: Result<Saved, JoinError>) {
        match saved {
            Ok(Ok(())) => {
                self.written = std::mem::take(&mut self.writing);
                self.about_memory.recovered();
            }
            Ok(Err(error)) => self.memory_failed(&error),
            Err(error) => self.memory_failed(&error),
        }
    }
}
