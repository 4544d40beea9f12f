//! Files that come, are renamed and go while a viewer watches.

use super::cursor::{Begin, Cursor};
use super::{FILES, Viewer};
use crate::live::files::{Listed, Listing, known_by};
use crate::source::{Source, SourceId, State};
use common::api_types::live::Frame;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Least time between two looks at the list: a storm of renames must not cost a viewer's lines.
const AGAIN: Duration = Duration::from_millis(50);

impl Viewer {
    /// Compares the cursors with the list of files, if that may be another.
    pub(super) fn list(&mut self, now: Instant) {
        self.stale |= self.set.has_changed().unwrap_or(false);
        if !self.stale || now < self.next_list {
            return;
        }
        self.set.borrow_and_update();
        self.stale = false;
        self.next_list = now + AGAIN;
        let listing = self.room.listings.of(&self.asked.instance);
        (self.present, self.ended) = (listing.present, listing.ended);
        let names: HashMap<SourceId, &Arc<str>> =
            listing.files.iter().map(|f| (f.source.id(), &f.file)).collect();
        for n in 0..self.cursors.len() {
            self.compare(n, names.get(&self.cursors[n].source().id()).copied());
        }
        self.done.retain(|id| names.contains_key(id));
        self.join(&listing, now);
        if !self.begun {
            self.begun = true;
            if self.cursors.is_empty() {
                self.tell(Frame::Waiting { expires: self.asked.access.expires() });
            }
        }
    }

    fn compare(&mut self, n: usize, name: Option<&Arc<str>>) {
        let Some(cursor) = self.cursors.get_mut(n) else { return };
        let Some(name) = name else {
            cursor.gone = true;
            return;
        };
        cursor.gone = false;
        if *name == cursor.file {
            return;
        }
        let was = std::mem::replace(&mut cursor.file, name.clone());
        cursor.was = Some(was.clone());
        if cursor.begin.is_none() {
            let of = cursor.of();
            self.tell(Frame::Rotated { of, was: was.to_string() });
        }
    }

    /// Takes up files that are asked for, as many as there may be: those that have their name and were written last first.
    fn join(&mut self, listing: &Listing, now: Instant) {
        let known: Vec<SourceId> = self.cursors.iter().map(|c| c.source().id()).collect();
        let fits = |f: &&Listed| {
            let id = f.source.id();
            !known.contains(&id)
                && !self.done.contains(&id)
                && f.source.state() != State::Deleted
                && self.asked.wanted.fits(&f.file)
                && self.asked.access.reads(&f.file)
        };
        let mut new: Vec<&Listed> = listing.files.iter().filter(fits).collect();
        let rank =
            |f: &Listed| (f.source.state() != State::Live, u64::MAX - f.source.modified_ms());
        if self.cursors.len() + new.len() > FILES {
            new.sort_by_key(|f| rank(f));
            self.make_room(new.iter().filter(|f| f.source.state() == State::Live).count());
        }
        let room = FILES.saturating_sub(self.cursors.len());
        let left_out = new.len().saturating_sub(room) as u64;
        new.truncate(room);
        new.sort_by(|a, b| a.file.cmp(&b.file));
        for listed in new {
            let begin = self.beginning(listed);
            let filter = self.asked.filter.asked();
            let shelf = self.room.sharing.shelf(listed.source.id(), filter, self.asked.form);
            let (file, id) = (listed.file.clone(), known_by(&listed.source));
            self.cursors.push(Cursor::new(&listed.source, file, id, begin, shelf, now));
        }
        if std::mem::replace(&mut self.left_out, left_out) != left_out && left_out > 0 {
            self.tell(Frame::LeftOut { files: left_out });
        }
    }

    /// Gives up renamed files that were told to their end, the quietest first.
    fn make_room(&mut self, wanted: usize) {
        let mut quiet: Vec<(Instant, SourceId)> = self
            .cursors
            .iter()
            .filter(|c| c.dry && c.begin.is_none() && c.source().state() == State::Rotated)
            .map(|c| (c.progress, c.source().id()))
            .collect();
        quiet.sort_unstable();
        let needed = (self.cursors.len() + wanted).saturating_sub(FILES);
        for (_, id) in quiet.into_iter().take(needed) {
            self.cursors.retain(|c| c.source().id() != id);
            self.done.insert(id);
        }
    }

    /// Where a file begins for this viewer.
    fn beginning(&self, listed: &Listed) -> Begin {
        let id = known_by(&listed.source);
        if let Some(from) = self.asked.from.iter().find(|from| from.source == id) {
            return Begin::At { generation: from.generation, offset: from.offset };
        }
        match () {
            () if !self.begun || !self.is_new(&listed.source) => Begin::Last(self.asked.lines),
            () if self.asked.wanted.names(&listed.file) => Begin::First,
            () => Begin::New,
        }
    }

    /// Whether a file was born while the viewer watched.
    fn is_new(&self, source: &Source) -> bool {
        let birth = source.identity().birth;
        birth.is_none_or(|(s, ns)| i128::from(s) * 1_000_000_000 + i128::from(ns) >= self.came_ns)
    }
}
