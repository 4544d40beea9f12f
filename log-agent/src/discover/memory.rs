//! What the journal remembers of files that were not found again yet.

use crate::files::Known;
use crate::identity::Identity;
use std::collections::HashMap;

/// By inode.
#[derive(Debug, Default)]
pub(super) struct Memory(HashMap<u64, Vec<Known>>);

impl Memory {
    pub(super) fn new(known: Vec<Known>) -> Self {
        let mut memory = Self::default();
        for known in known {
            memory.remember(known);
        }
        memory
    }

    pub(super) fn remember(&mut self, known: Known) {
        let of_ino = self.0.entry(known.identity.ino).or_default();
        of_ino.retain(|k| k.identity.dev != known.identity.dev);
        of_ino.push(known);
    }

    pub(super) fn has(&self, ino: u64) -> bool {
        self.0.contains_key(&ino)
    }

    /// Takes what is known of a found file. The number of a device can change with a restart of the machine; then the time of birth speaks.
    pub(super) fn take(&mut self, found: &Identity) -> Option<Known> {
        let of_ino = self.0.get_mut(&found.ino)?;
        let same = |k: &Known| k.identity.dev == found.dev;
        let born = |k: &Known| k.identity.birth.is_some() && k.identity.birth == found.birth;
        let at = of_ino.iter().position(same).or_else(|| of_ino.iter().position(born))?;
        let known = of_ino.swap_remove(at);
        if of_ino.is_empty() {
            self.0.remove(&found.ino);
        }
        Some(known)
    }
}
