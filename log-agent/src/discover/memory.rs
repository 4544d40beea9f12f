//! What the journal remembers of files that were not found again yet.

use super::copies::Heads;
use super::tree::Before;
use crate::files::Known;
use crate::identity::Identity;
use std::collections::HashMap;

/// By inode, and by head for copies.
#[derive(Debug, Default)]
pub(super) struct Memory {
    by_ino: HashMap<u64, Vec<Known>>,
    heads: Heads<(u64, u64)>,
}

impl Memory {
    pub(super) fn new(known: Vec<Known>) -> Self {
        let mut memory = Self::default();
        for known in known {
            memory.remember(known);
        }
        memory
    }

    pub(super) fn remember(&mut self, known: Known) {
        let of_ino = self.by_ino.entry(known.identity.ino).or_default();
        if let Some(at) = of_ino.iter().position(|k| k.identity.dev == known.identity.dev) {
            let old = of_ino.swap_remove(at).identity;
            self.heads.remove(old.head, (old.dev, old.ino));
        }
        self.heads.add(known.identity.head, (known.identity.dev, known.identity.ino));
        of_ino.push(known);
    }

    pub(super) fn has(&self, ino: u64) -> bool {
        self.by_ino.contains_key(&ino)
    }

    /// Takes what is known of a found file. The number of a device can change with a restart of the machine; then the time of birth speaks.
    pub(super) fn take(&mut self, found: &Identity) -> Option<Known> {
        let of_ino = self.by_ino.get_mut(&found.ino)?;
        let same = |k: &Known| k.identity.dev == found.dev;
        let born = |k: &Known| k.identity.birth.is_some() && k.identity.birth == found.birth;
        let at = of_ino.iter().position(same).or_else(|| of_ino.iter().position(born))?;
        let known = of_ino.swap_remove(at);
        self.heads.remove(known.identity.head, (known.identity.dev, known.identity.ino));
        if of_ino.is_empty() {
            self.by_ino.remove(&found.ino);
        }
        Some(known)
    }

    /// Files never found again that begin like this: a copy of one may have survived it.
    pub(super) fn alike(&self, first: &[u8]) -> Vec<Before> {
        let alike = self.heads.alike(first).into_iter();
        alike
            .filter_map(|(dev, ino)| self.by_ino.get(&ino)?.iter().find(|k| k.identity.dev == dev))
            .map(|known| Before { head: known.identity.head, mark: known.mark })
            .collect()
    }
}
