//! A file under a name: one that is followed already, one the journal remembers, or a new one.

use super::Follower;
use super::marks::Marks;
use super::tree::{Before, DirId, Followed, Task, VolId, What};
use crate::beneath::{Root, Stat};
use crate::dockerlog;
use crate::files::Why;
use crate::identity::{HASHED, Head, Identity, Mark, Seen, Verdict, judge};
use crate::name::FileName;
use crate::outlet;
use crate::source::{Counted, Inner, Source, SourceId, State, Tide};
use crate::volume::Form;
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

/// What is remembered of a found file.
struct Recalled {
    identity: Identity,
    /// Where shipping goes on; None for what is not the file it was, or never was seen.
    start: Option<Mark>,
    /// What it was before it was truncated.
    before: Option<Before>,
    state: State,
}

impl Follower {
    /// A file under a name.
    pub(super) fn file(
        &mut self,
        vol: VolId,
        at: (DirId, &[u8]),
        name: &FileName,
        ino: u64,
        now: Instant,
    ) -> What {
        let Some(root) = self.root(vol) else { return What::No("gone") };
        if let Some(id) = self.by_inode.get(&(root.dev(), ino)).copied() {
            if !self.is_another(id, &root, name) {
                return self.moved(id, vol, at, name, root).unwrap_or(What::No("hard_link"));
            }
        }
        if !self.is_form(vol, name) || !self.memory.has(ino) && !self.admits(vol, name) {
            return What::No("excluded");
        }
        let limits = self.shared.settings.limits;
        if self.vols.get(&vol).is_none_or(|v| v.sources.len() >= limits.files) {
            return What::No("too_many");
        }
        match root.open_file(name) {
            Ok((file, stat)) if stat.ino == ino => match self.recall(vol, &file, &stat, name) {
                Some(recalled) => self.follow(vol, at, name, root, (file, stat), recalled, now),
                None => What::No("excluded"),
            },
            Ok(_) => What::No("replaced"),
            Err(refused) => What::No(refused.reason()),
        }
    }

    /// Whether a file has the inode of a followed one that was deleted while it was closed; that one is let go then. The inode of an open
    /// file is not used again.
    fn is_another(&mut self, id: SourceId, root: &Root, name: &FileName) -> bool {
        let Some(source) = self.followed.get(&id).map(|f| f.source.clone()) else { return false };
        let (known, open) = (source.identity().birth, source.inner().file.is_some());
        if open || known.is_none() {
            return false;
        }
        let another = root.open_file(name).is_ok_and(|(_, stat)| stat.birth != known);
        if another {
            self.give_up(&source, Why::Closed);
        }
        another
    }

    /// A followed file is closed and not under its name any more: it was renamed, deleted, or its inode is another file's by now.
    pub(super) fn not_under_its_name(&mut self, id: SourceId) {
        let Some(followed) = self.followed.get_mut(&id) else { return };
        let Some((dir, key)) = followed.at.take() else { return };
        self.unplaced.push(id);
        let vol = followed.vol;
        if let Some(dir) = self.dirs.get_mut(&dir) {
            dir.slots.remove(&key);
        }
        if let Some(vol) = self.vols.get_mut(&vol) {
            vol.todo.push_back(Task::Check(dir, key));
        }
    }

    /// How the files of a volume are written.
    pub(super) fn form(&self, vol: VolId) -> Form {
        self.vols.get(&vol).map_or(Form::Plain, |vol| vol.owner.form)
    }

    /// Among Docker's own files of a container only its log is read, whatever is known.
    fn is_form(&self, vol: VolId, name: &FileName) -> bool {
        self.form(vol) == Form::Plain || dockerlog::is_log(name)
    }

    /// Whether a new file of this name is read. Docker's log was asked for by itself: no glob says more.
    fn admits(&self, vol: VolId, name: &FileName) -> bool {
        match self.form(vol) {
            Form::Plain => self.wanted.admits(name),
            Form::DockerJson => dockerlog::is_log(name),
        }
    }

    /// A followed file under another name: it was renamed, unless its old name still names it.
    fn moved(
        &mut self,
        id: SourceId,
        vol: VolId,
        at: (DirId, &[u8]),
        name: &FileName,
        root: Arc<Root>,
    ) -> Option<What> {
        let followed = self.followed.get(&id)?;
        let (old, old_vol) = (followed.source.name(), followed.vol);
        if followed.at.is_some() && (old_vol, &*old) != (vol, name) {
            let ino = followed.source.identity().ino;
            let still = self.root(old_vol).and_then(|root| root.look(&old).ok());
            if still.is_some_and(|(_, at)| at == ino) {
                return None;
            }
        }
        if let Some(was) = self.vols.get_mut(&old_vol) {
            was.sources.remove(&id);
            was.deleted.remove(&id);
        }
        let of = self.vols.get_mut(&vol)?;
        let followed = self.followed.get_mut(&id)?;
        of.sources.insert(id, followed.source.clone());
        followed.vol = vol;
        followed.at = Some((at.0, at.1.into()));
        followed.searched = None;
        {
            let mut inner = followed.source.inner();
            inner.volume = of.owner.clone();
            inner.tally = Some(of.tally.clone());
            inner.root = root;
            if *inner.name != *name || inner.tide.state == State::Deleted {
                inner.name = Arc::new(name.clone());
                inner.tide.state = State::Rotated;
            }
        }
        followed.source.publish();
        self.set_changed = true;
        self.touch(id);
        Some(What::File(id))
    }

    /// What is remembered of a file nobody follows; None if it is not to be followed.
    fn recall(
        &mut self,
        vol: VolId,
        file: &File,
        stat: &Stat,
        name: &FileName,
    ) -> Option<Recalled> {
        let mut head = [0; HASHED];
        let got = file.read_at(&mut head, 0).unwrap_or(0);
        let head = &head[..got];
        // its head is known by the first look that finds bytes, together with how far they go
        let identity =
            Identity { dev: stat.dev, ino: stat.ino, birth: stat.birth, head: Head::EMPTY };
        let new = Recalled { identity, start: None, before: None, state: State::Live };
        let Some(known) = self.memory.take(&identity) else {
            return self.admits(vol, name).then_some(new);
        };
        let seen = Seen { birth: stat.birth, head, before: &before(file, known.mark) };
        let verdict = judge(&known.identity, &known.mark, &seen);
        if verdict == Verdict::Reused {
            return self.admits(vol, name).then_some(new);
        }
        let state = if known.name == *name { State::Live } else { State::Rotated };
        Some(match verdict {
            Verdict::Same => {
                let identity = Identity { head: known.identity.head, ..identity };
                Recalled { identity, start: Some(known.mark), state, ..new }
            }
            _ => {
                let (head, mark) = (known.identity.head, known.mark);
                let before = Some(Before::new(None, head, mark, stat.changed_ns));
                Recalled { before, state, ..new }
            }
        })
    }

    /// Begins to follow a file.
    #[allow(clippy::too_many_arguments, reason = "everything that is known of one file")]
    fn follow(
        &mut self,
        vol: VolId,
        at: (DirId, &[u8]),
        name: &FileName,
        root: Arc<Root>,
        (file, stat): (File, Stat),
        recalled: Recalled,
        now: Instant,
    ) -> What {
        let Recalled { identity, start, before, state } = recalled;
        let id = SourceId(self.next_id());
        let Some(of) = self.vols.get_mut(&vol) else { return What::No("gone") };
        let keeps = self.shared.bell.has_room(of.sources.len() + 1);
        let tally = of.tally.clone();
        let resumed = start.unwrap_or(Mark::START);
        let inner = Inner {
            root,
            volume: of.owner.clone(),
            name: Arc::new(name.clone()),
            identity,
            // the first look finds its length
            tide: Tide { len: resumed.offset, generation: 0, state },
            seen: resumed,
            start,
            told: start.is_some(),
            suspected: None,
            read_to: resumed.offset,
            acknowledged: resumed,
            previous: VecDeque::new(),
            changed_ns: 0,
            fresh: true,
            modified_ms: stat.modified_ms,
            on_disk: 0,
            tally: None,
            counted: Counted::default(),
            // without it the file is read by its name, and what is deleted unread is a gap
            file: keeps.then(|| Arc::new(file)),
        };
        let outlet = outlet::of(&inner.volume.instance, self.shared.settings.outlets);
        let source = Arc::new(Source::new(id, self.shared.bell.clone(), outlet, inner));
        of.sources.insert(id, source.clone());
        if keeps {
            self.shared.bell.opened();
        }
        self.by_inode.insert((stat.dev, stat.ino), id);
        self.heads.add(identity.head, id);
        if let Some(before) = &before {
            self.heads.add(before.head, id);
        }
        let mut marks = Marks::default();
        marks.add(resumed);
        let followed = Followed {
            source: source.clone(),
            vol,
            at: Some((at.0, at.1.into())),
            touched: false,
            undecided: start.is_none(),
            waits: false,
            grown: now,
            marks,
            before: before.into_iter().collect(),
            ended: None,
            searched: None,
        };
        self.followed.insert(id, followed);
        self.shared.shown().sources.insert(id, source.clone());
        // whoever sees that something came finds it
        source.inner().tally = Some(tally);
        self.set_changed = true;
        self.touch(id);
        What::File(id)
    }
}

/// The bytes before a mark as they are now.
fn before(file: &File, mark: Mark) -> Vec<u8> {
    let mut before = vec![0; mark.behind()];
    let from = mark.offset - before.len() as u64;
    let got = file.read_at(&mut before, from).unwrap_or(0);
    before.truncate(got);
    before
}
