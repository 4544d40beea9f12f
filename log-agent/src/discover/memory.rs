//! What the journal remembers of files that were not found again yet.

use crate::files::Known;
use crate::identity::Identity;
use std::collections::{HashMap, VecDeque};

/// Most files that are remembered though they were found: whoever moves files out of a volume does not fill the memory.
const LATELY: usize = 4_096;

/// By inode.
#[derive(Debug, Default)]
pub(super) struct Memory {
    files: HashMap<u64, Vec<Known>>,
    /// Device and inode of those that were followed and let go, the oldest first.
    lately: VecDeque<(u64, u64)>,
}

impl Memory {
    pub(super) fn new(known: Vec<Known>) -> Self {
        let mut memory = Self::default();
        for known in known {
            memory.remember(known);
        }
        memory
    }

    /// A followed file is let go that may be found again.
    pub(super) fn let_go(&mut self, known: Known) {
        if self.lately.len() == LATELY {
            if let Some((dev, ino)) = self.lately.pop_front() {
                self.forget(dev, ino);
            }
        }
        self.lately.push_back((known.identity.dev, known.identity.ino));
        self.remember(known);
    }

    fn forget(&mut self, dev: u64, ino: u64) {
        if let Some(of_ino) = self.files.get_mut(&ino) {
            of_ino.retain(|k| k.identity.dev != dev);
            if of_ino.is_empty() {
                self.files.remove(&ino);
            }
        }
    }

    fn remember(&mut self, known: Known) {
        let of_ino = self.files.entry(known.identity.ino).or_default();
        of_ino.retain(|k| k.identity.dev != known.identity.dev);
        of_ino.push(known);
    }

    pub(super) fn has(&self, ino: u64) -> bool {
        self.files.contains_key(&ino)
    }

    /// Takes what is known of a found file. The number of a device can change with a restart of the machine; then the time of birth speaks.
    pub(super) fn take(&mut self, found: &Identity) -> Option<Known> {
        let of_ino = self.files.get_mut(&found.ino)?;
        let same = |k: &Known| k.identity.dev == found.dev;
        let born = |k: &Known| k.identity.birth.is_some() && k.identity.birth == found.birth;
        let at = of_ino.iter().position(same).or_else(|| of_ino.iter().position(born))?;
        let known = of_ino.swap_remove(at);
        if of_ino.is_empty() {
            self.files.remove(&found.ino);
        }
        Some(known)
    }
}
