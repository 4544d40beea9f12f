//! What may be done with each file of a volume: what is in it, beside what is followed and acknowledged. Pure, but for asking sources.

use super::generation;
use super::plan::{Item, Standing};
use super::walk::Contents;
use crate::beneath::{Kind, Weight};
use crate::discover::Wanted;
use crate::name::FileName;
use crate::source::{Source, State};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The sources, by device and inode.
pub(super) type Followed = HashMap<(u64, u64), Arc<Source>>;

/// What judges.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) dir: &'a Path,
    pub(super) followed: &'a Followed,
    pub(super) wanted: &'a Wanted,
    /// Somebody ships and acknowledges.
    pub(super) ships: bool,
    /// Nobody writes here any more, and the directory is this product's own: every file is an older one.
    pub(super) left: bool,
}

impl Look<'_> {
    /// Every file, in the order of the contents.
    pub(super) fn items(&self, contents: &Contents) -> Vec<Item> {
        let names: Vec<&[u8]> = contents.files.iter().map(|(name, _)| name.bytes()).collect();
        let older = generation::older(&names);
        let files = contents.files.iter().zip(older);
        files
            .map(|((name, weight), older)| Item {
                on_disk: weight.on_disk,
                changed_ns: weight.changed_ns,
                standing: self.standing(name, weight, older),
            })
            .collect()
    }

    fn standing(&self, name: &FileName, weight: &Weight, older: bool) -> Standing {
        // what has a second name frees nothing, and the other one is somebody's
        if weight.kind != Kind::File || weight.links > 1 {
            return Standing::Stays;
        }
        match self.source(weight) {
            Some(source) => {
                let older = older || self.left || source.state() == State::Rotated;
                match (older, self.is_safe(source, weight.len)) {
                    (false, _) => Standing::Stays,
                    (true, true) => Standing::Safe,
                    (true, false) => Standing::Unsafe,
                }
            }
            // left out of shipping by the operator, a compressed generation for instance
            None if !self.wanted.admits(name) && (older || self.left) => Standing::Safe,
            // not found yet, or refused: nobody has it
            None => Standing::Stays,
        }
    }

    fn source(&self, weight: &Weight) -> Option<&Arc<Source>> {
        let source = self.followed.get(&(weight.dev, weight.ino))?;
        (source.volume().dir == self.dir).then_some(source)
    }

    /// The source of a file, by its place in the contents.
    pub(super) fn source_of(&self, contents: &Contents, at: usize) -> Option<&Arc<Source>> {
        self.source(&contents.files.get(at)?.1)
    }

    /// Whether a file of so many bytes is whole elsewhere.
    fn is_safe(&self, source: &Source, len: u64) -> bool {
        let place = source.acknowledged_to();
        !self.ships
            || place.generation == source.generation() && place.mark.offset >= len.max(source.len())
    }

    /// Whether everything that is followed here, deleted files included, is whole elsewhere.
    pub(super) fn all_safe(&self) -> bool {
        let here = self.followed.values().filter(|s| s.volume().dir == self.dir);
        here.into_iter().all(|source| self.is_safe(source, 0))
    }

    /// Files that are to be read and are not followed.
    pub(super) fn unread(&self, contents: &Contents) -> usize {
        let unread = |(name, weight): &&(FileName, Weight)| {
            weight.kind == Kind::File
                && weight.links == 1
                && self.wanted.admits(name)
                && self.source(weight).is_none()
        };
        contents.files.iter().filter(unread).count()
    }
}
