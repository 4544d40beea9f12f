//! One look at every volume, and what is removed in it.

use super::look::Look;
use super::plan::{Plan, Why, plan};
use super::rest::{Known, Rest};
use super::view::View;
use super::walk::{Contents, Removed, clear, remove_place, walk};
use super::{Figures, Settings};
use crate::beneath::{Refused, Root};
use crate::discover::Wanted;
use crate::files::Files;
use crate::source::Source;
use crate::volume::{Form, Volume};
use crate::volumes::Ended;
use common::logging::Episode;
use common::moment::Moment;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A directory that is not there may come back for so long after its instance's end.
const GONE: Duration = Duration::from_secs(60);

/// What lasts from one look to the next.
#[derive(Debug)]
pub(super) struct Round {
    settings: Settings,
    files: Files,
    ended: Ended,
    wanted: Arc<Wanted>,
    figures: Figures,
    trouble: Episode,
    failed: bool,
    /// Volumes of which it was said that they are above their quota.
    over: HashSet<PathBuf>,
    /// Directories of all volumes: what is in an inner one is not the outer's.
    dirs: HashSet<PathBuf>,
    /// Volumes that need no look for a while.
    resting: HashMap<PathBuf, Rest>,
}

/// A directory, and whose it is or was.
struct Place<'a> {
    dir: &'a Path,
    volumes: Vec<&'a Volume>,
    /// Of an instance that runs, or some part of it is.
    runs: bool,
    /// Beneath `volumes_root`.
    ours: bool,
}

impl Place<'_> {
    /// When the last of its instances ended.
    fn ended_at(&self) -> Option<Moment> {
        if self.runs { None } else { self.volumes.iter().filter_map(|v| v.ended_at).max() }
    }
}

impl Round {
    pub(super) fn new(settings: Settings, files: Files, ended: Ended) -> Self {
        let wanted = Wanted::new(&files.settings().include, &files.settings().exclude);
        Self {
            settings,
            files,
            ended,
            wanted: Arc::new(wanted),
            figures: Figures::default(),
            trouble: Episode::new("removing old log files"),
            failed: false,
            over: HashSet::new(),
            dirs: HashSet::new(),
            resting: HashMap::new(),
        }
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    pub(super) fn turn(&mut self, volumes: &[Volume]) {
        let root = self.settings.root.as_deref().map(|root| {
            // as the volumes are named: free of links
            std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned())
        });
        let mut places: BTreeMap<&Path, Vec<&Volume>> = BTreeMap::new();
        for volume in volumes {
            places.entry(&volume.dir).or_default().push(volume);
        }
        let dirs: HashSet<PathBuf> = places.keys().map(|dir| (*dir).to_owned()).collect();
        // what is in a volume that came or went is another's now than at the last look
        let other: Vec<&PathBuf> = dirs.symmetric_difference(&self.dirs).collect();
        self.resting.retain(|dir, _| !other.iter().any(|other| other.starts_with(dir)));
        self.dirs = dirs;
        let view = View::new(&self.files);
        self.failed = false;
        (self.figures.over_quota, self.figures.over_bytes) = (0, 0);
        (self.figures.waiting, self.figures.partial) = (0, 0);
        let mut over = HashSet::new();
        for (dir, of) in places {
            let living = |v: &Volume| {
                v.ended_at.is_none() && (v.dir.starts_with(dir) || dir.starts_with(&v.dir))
            };
            let place = Place {
                dir,
                runs: volumes.iter().any(living),
                ours: root.as_deref().is_some_and(|root| dir.starts_with(root) && dir != root),
                volumes: of,
            };
            if !self.rests(&place, &view) && self.place(&place, root.as_deref(), &view) {
                over.insert(dir.to_owned());
            }
        }
        self.over = over;
        if !self.failed {
            self.trouble.recovered();
        }
    }

    /// One directory; whether it is above its quota and stays so.
    fn place(&mut self, place: &Place<'_>, root: Option<&Path>, view: &View) -> bool {
        let ships = self.files.settings().ships;
        let (wanted, left) = (self.wanted.clone(), place.ours && !place.runs);
        let known = view.known(place.dir);
        let followed = view.followed();
        let look = Look { dir: place.dir, followed, wanted: &wanted, ships, left };
        self.look(place, root, known, &look)
    }

    /// Whether the last turn found nothing to do in a volume for a while.
    #[cfg(test)]
    pub(super) fn is_resting(&self, dir: &Path) -> bool {
        self.resting.contains_key(dir)
    }

    /// Whether a volume needs no look yet.
    fn rests(&self, place: &Place<'_>, view: &View) -> bool {
        let (Some(rest), Some(known)) = (self.resting.get(place.dir), view.known(place.dir)) else {
            return false;
        };
        let rests = place.runs
            && rest.goes_on(&known, now_ns())
            && Root::open(place.dir).is_ok_and(|root| rest.is_as_listed(&root));
        if rests {
            self.forget_ended(place);
        }
        rests
    }

    fn look(
        &mut self,
        place: &Place<'_>,
        root: Option<&Path>,
        known: Option<Known>,
        look: &Look<'_>,
    ) -> bool {
        self.resting.remove(place.dir);
        let limits = self.files.settings().limits;
        let opened = Root::open(place.dir);
        let found =
            opened.and_then(|root| walk(&root, &limits, &self.dirs).map(|found| (root, found)));
        let (held, mut contents) = match found {
            Ok(found) => found,
            Err(Refused::Gone) => {
                self.gone(place, look);
                return false;
            }
            Err(refused) => {
                self.trouble(place.dir, &refused);
                return false;
            }
        };
        self.figures.partial += u64::from(contents.partial);
        if self.done(place, root, (&held, &contents), look) {
            return false;
        }
        // Docker's logs are Docker's to rotate; and where nobody has a copy, only what is ours is removed
        let theirs = place.volumes.iter().any(|v| v.form == Form::DockerJson);
        let judged = !theirs && (place.ours || look.ships);
        let items = if judged { look.items(&contents) } else { Vec::new() };
        let plan = plan(&items, &self.settings.rules, self.settings.quiet, now_ns());
        let idle = plan == Plan::default() && !contents.partial && !contents.fresh;
        if let Some(known) = known.filter(|_| idle && place.runs) {
            let listed = std::mem::take(&mut contents.listed);
            let rest = Rest::new(known, held.dev(), listed, &items, &self.settings.rules);
            self.resting.insert(place.dir.to_owned(), rest);
        }
        self.remove(place, &held, &contents, &plan, look);
        self.over(place.dir, plan.over)
    }

    /// Removes what the plan says.
    fn remove(
        &mut self,
        place: &Place<'_>,
        held: &Root,
        contents: &Contents,
        plan: &Plan,
        look: &Look<'_>,
    ) {
        let mut removed: HashMap<(Why, bool), Removed> = HashMap::new();
        for removal in &plan.removals {
            let Some((name, weight)) = contents.files.get(removal.item) else { continue };
            match held.remove(name, weight.dev, weight.ino) {
                Ok(()) => {
                    let of = removed.entry((removal.why, removal.lost)).or_default();
                    of.files += 1;
                    of.bytes = of.bytes.saturating_add(weight.on_disk);
                }
                // renamed or removed meanwhile: the next look sees it
                Err(Refused::Gone | Refused::Replaced) => continue,
                Err(refused) => {
                    self.trouble(&place.dir.join(name.path()), &refused);
                    continue;
                }
            }
            let source = look.source_of(contents, removal.item).filter(|_| removal.lost);
            if let Some(source) = source {
                self.lose(place, source);
            }
        }
        let (app, dir) = (&place.volumes[0].instance.app, place.dir.display());
        for ((why, lost), Removed { files, bytes }) in removed {
            let (count, why) = match why {
                Why::Age => (&mut self.figures.removed_by_age, "they are older than keep"),
                Why::Quota => (&mut self.figures.removed_by_quota, "the volume is above its quota"),
            };
            *count += files;
            self.figures.removed_lost += if lost { files } else { 0 };
            self.figures.bytes_freed = self.figures.bytes_freed.saturating_add(bytes);
            tracing::info!(
                "{app}: {files} older log files of {dir}, {bytes} bytes, are removed: {why}"
            );
        }
    }

    /// What was removed though it was not acknowledged is a gap, which the follower counts.
    fn lose(&self, place: &Place<'_>, source: &Arc<Source>) {
        tracing::warn!(
            "{}: {}/{} is removed before all of it was shipped: the volume is above its quota, and nothing that is safe is left to remove",
            place.volumes[0].instance.app,
            place.dir.display(),
            source.name()
        );
        self.files.give_up(source.id());
    }

    fn over(&mut self, dir: &Path, bytes: u64) -> bool {
        if bytes == 0 {
            return false;
        }
        self.figures.over_quota += 1;
        self.figures.over_bytes = self.figures.over_bytes.saturating_add(bytes);
        if !self.over.contains(dir) {
            tracing::warn!(
                "the log volume {} is {bytes} bytes above its quota, and none of its files may be removed: only older generations are",
                dir.display()
            );
        }
        true
    }

    /// A directory that is not there.
    fn gone(&mut self, place: &Place<'_>, look: &Look<'_>) {
        let now = Moment::now();
        let long = place.ended_at().is_some_and(|at| now.since(at) >= GONE);
        if long && look.all_safe() {
            self.forget(&place.volumes);
        }
    }

    /// An ended instance's volume, `keep` after its end; whether it is done with.
    fn done(
        &mut self,
        place: &Place<'_>,
        root: Option<&Path>,
        (held, contents): (&Root, &Contents),
        look: &Look<'_>,
    ) -> bool {
        let (keep, now) = (self.settings.rules.keep, Moment::now());
        if place.runs {
            self.forget_ended(place);
        }
        let Some(age) = place.ended_at().map(|at| now.since(at)).filter(|age| *age >= keep) else {
            return false;
        };
        // what nobody follows may be found yet: it has as long again
        let unread = look.unread(contents) > 0 && age < keep.saturating_mul(2);
        if look.ships && unread || !look.all_safe() {
            self.figures.waiting += 1;
            return false;
        }
        let beneath = root.and_then(|root| Some((root, place.dir.strip_prefix(root).ok()?)));
        if let Some((root, beneath)) = beneath.filter(|(_, b)| b.components().count() == 2) {
            if !self.remove_volume(place, root, beneath, (held, contents)) {
                return false;
            }
        }
        self.forget(&place.volumes);
        true
    }

    fn remove_volume(
        &mut self,
        place: &Place<'_>,
        root: &Path,
        beneath: &Path,
        (held, contents): (&Root, &Contents),
    ) -> bool {
        let mut removed = Removed::default();
        let done = clear(held, contents, &mut removed)
            .and_then(|empty| if empty { remove_place(root, beneath) } else { Ok(false) });
        self.figures.removed_with_volume += removed.files;
        self.figures.bytes_freed = self.figures.bytes_freed.saturating_add(removed.bytes);
        match done {
            Ok(done) => {
                self.figures.volumes_removed += u64::from(done);
                if done {
                    tracing::info!(
                        "{}/{} ended longer ago than keep: its log volume {} is removed, {} files, {} bytes",
                        place.volumes[0].instance.app,
                        place.volumes[0].instance.id,
                        place.dir.display(),
                        removed.files,
                        removed.bytes
                    );
                }
                done
            }
            Err(refused) => {
                self.trouble(place.dir, &refused);
                false
            }
        }
    }

    /// Of a directory that is another instance's by now, and stays followed for that, the instances that ended longer ago than `keep`.
    fn forget_ended(&self, place: &Place<'_>) {
        let (keep, now) = (self.settings.rules.keep, Moment::now());
        let old = |v: &&&Volume| v.ended_at.is_some_and(|at| now.since(at) >= keep);
        place.volumes.iter().filter(old).for_each(|v| self.forget(&[v]));
    }

    fn forget(&self, volumes: &[&Volume]) {
        for volume in volumes {
            // what finds no room is said again after the next look
            if !self.ended.forget(&volume.instance, volume.dir.clone()) {
                return;
            }
        }
    }

    fn trouble(&mut self, path: &Path, refused: &Refused) {
        self.failed = true;
        self.figures.failures += 1;
        self.trouble.failed(&format_args!("{}: {refused}", path.display()));
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> i128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| i128::try_from(now.as_nanos()).unwrap_or(i128::MAX))
}
