//! Real files, followed as they are. Nothing sleeps: what must become true is waited for, and what must not happen has had its turn.

use super::*;
use crate::files::{self, Pace};
use crate::name::FileName;
use crate::source::{Place, Source};
use crate::volume::{Form, InstanceKey};
use common::ids::{AppId, InstanceId};
use common::moment::Moment;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use tokio::sync::mpsc;

const DEADLINE: Duration = Duration::from_secs(20);

struct Lab {
    dir: tempfile::TempDir,
    files: Files,
    volumes: Vec<Volume>,
    round: Round,
    forgotten: mpsc::Receiver<(InstanceKey, PathBuf)>,
}

fn key(app: &str, id: &str) -> InstanceKey {
    InstanceKey { app: AppId::new(app), id: InstanceId::new(id) }
}

impl Lab {
    fn new(keep: Duration, quota: u64) -> Self {
        Self::with(keep, quota, true)
    }

    fn with(keep: Duration, quota: u64, ships: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pace = Pace {
            rescan: Duration::from_millis(100),
            linger: Duration::ZERO,
            copy: Duration::from_millis(20),
            ..Pace::default()
        };
        let settings = files::Settings { ships, pace, ..files::Settings::default() };
        let files = Files::resume(settings, Vec::new()).unwrap();
        let root = fs::canonicalize(dir.path()).unwrap().join("volumes");
        let (ended, forgotten) = Ended::channel();
        let settings = Settings {
            every: Duration::ZERO,
            quiet: Duration::ZERO,
            ..Settings::new(Rules { keep, quota }, Some(root))
        };
        let round = Round::new(settings, files.clone(), ended);
        Self { dir, files, volumes: Vec::new(), round, forgotten }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    /// Makes a directory a volume.
    fn volume(&mut self, instance: InstanceKey, dir: &str, ended: bool) {
        let dir = self.path(dir);
        fs::create_dir_all(&dir).unwrap();
        let ended_at = ended.then(|| Moment::from_unix_ms(1));
        let volume = Volume { instance, dir, name: String::new(), ended_at, form: Form::Plain };
        self.volumes.push(volume);
        self.files.set_volumes(Arc::new(self.volumes.clone()));
    }

    fn write(&self, name: &str, bytes: usize) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        // no two files begin with the same bytes: nobody waits to see whether one is a copy
        file.write_all(format!("{name}\n").as_bytes()).unwrap();
        file.write_all(&vec![b'x'; bytes]).unwrap();
        file.write_all(b"\n").unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(Instant::now() < until, "never: {what}; {:#?}", self.files.all());
            self.files.woken(0).wait(Duration::from_millis(5), 64);
        }
    }

    fn source(&self, name: &str) -> Option<Arc<Source>> {
        let path = self.path(name);
        self.files.all().into_iter().find(|s| s.volume().dir.join(s.name().path()) == path)
    }

    /// Waits until files are found under their names, whole.
    fn found(&self, names: &[&str]) {
        for name in names {
            let len = fs::metadata(self.path(name)).unwrap().len();
            self.until(name, |lab| {
                lab.source(name).is_some_and(|s| s.len() == len && s.start().is_some())
            });
        }
    }

    /// Ships a file.
    fn ship(&self, name: &str) {
        self.found(&[name]);
        let source = self.source(name).unwrap();
        let mark = source.mark_at(source.len()).unwrap().unwrap();
        source.acknowledged(Place { generation: source.generation(), mark });
    }

    fn turn(&mut self) -> Figures {
        let volumes = self.volumes.clone();
        self.round.turn(&volumes);
        self.round.figures()
    }

    /// Takes what is done with off the list, as the finder of volumes would.
    fn forgotten(&mut self) -> Vec<(InstanceKey, PathBuf)> {
        let forgotten: Vec<_> = std::iter::from_fn(|| self.forgotten.try_recv().ok()).collect();
        self.volumes.retain(|v| !forgotten.contains(&(v.instance.clone(), v.dir.clone())));
        self.files.set_volumes(Arc::new(self.volumes.clone()));
        forgotten
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(dir)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn only_old_generations_that_are_safe_go_by_age() {
    let mut lab = Lab::new(Duration::ZERO, u64::MAX);
    lab.volume(key("web", "a"), "v", false);
    for name in ["app.log", "app.log.2", "app.log.3", "app.log.4", "app.log.5.gz", "photo.gz"] {
        lab.write(&format!("v/{name}"), 10);
    }
    lab.ship("v/app.log");
    lab.ship("v/app.log.2");
    // half of it is shipped
    lab.found(&["v/app.log.3"]);
    fs::hard_link(lab.path("v/app.log.4"), lab.path("other")).unwrap();
    lab.rename("v/app.log", "v/moved");
    lab.write("v/app.log", 10);
    lab.until("renamed", |lab| lab.source("v/moved").is_some());
    lab.ship("v/app.log");
    let figures = lab.turn();
    assert_eq!(lab.names("v"), ["app.log", "app.log.3", "app.log.4", "photo.gz"]);
    assert_eq!((figures.removed_by_age, figures.failures), (3, 0), "{figures:?}");
    assert!(figures.bytes_freed > 0 && figures.removed_lost == 0);
    lab.until("let go", |lab| lab.source("v/moved").is_none());
    // written to after it was acknowledged
    lab.ship("v/app.log.3");
    lab.write("v/app.log.3", 1);
    lab.turn();
    assert!(lab.path("v/app.log.3").exists());
    lab.ship("v/app.log.3");
    assert_eq!(lab.turn().removed_by_age, 4);
    assert!(lab.files.take_gaps().is_empty());
    lab.files.stop();
}

#[test]
fn above_the_quota_the_oldest_go_and_what_is_lost_is_a_gap() {
    let mut lab = Lab::new(Duration::from_secs(3_600), 250_000);
    lab.volume(key("web", "a"), "v", false);
    for name in ["app.log.3", "app.log.2", "app.log.1", "app.log"] {
        lab.write(&format!("v/{name}"), 100_000);
        lab.found(&[&format!("v/{name}")]);
    }
    lab.ship("v/app.log.2");
    let figures = lab.turn();
    assert_eq!(lab.names("v"), ["app.log", "app.log.1"]);
    assert_eq!((figures.removed_by_quota, figures.removed_lost, figures.over_quota), (2, 1, 0));
    lab.until("given up", |lab| lab.source("v/app.log.3").is_none());
    let gaps = lab.files.take_gaps();
    let of_quota: Vec<_> = gaps.iter().filter(|g| g.why == files::Why::Quota).collect();
    assert_eq!((of_quota.len(), gaps.len()), (1, 1), "{gaps:?}");
    assert!(of_quota[0].from == 0 && of_quota[0].to > 100_000);
    // and the centre hears of it
    let (_, losses) = lab.files.losses(Moment::now());
    let lost = losses[0].reasons["quota"];
    assert_eq!((losses.len(), losses[0].instance.as_str()), (1, "a"));
    assert_eq!((losses[0].file.as_str(), lost.gaps), ("app.log.3", 1));
    assert_eq!(lost.bytes, of_quota[0].to);
    // the one that is written stays, whatever its size
    lab.write("v/app.log", 300_000);
    lab.found(&["v/app.log"]);
    lab.ship("v/app.log.1");
    let figures = lab.turn();
    assert_eq!(lab.names("v"), ["app.log"]);
    assert!(figures.over_quota == 1 && figures.over_bytes > 100_000, "{figures:?}");
    lab.files.stop();
}

impl Lab {
    /// Looks until a volume needs no look any more: its directory must not have changed for a second.
    fn rests(&mut self, dir: &str) {
        let (dir, until) = (self.path(dir), Instant::now() + DEADLINE);
        while !self.round.is_resting(&dir) {
            assert!(Instant::now() < until, "never rests: {:?}", self.round.figures());
            self.turn();
            self.files.woken(0).wait(Duration::from_millis(20), 64);
        }
    }
}

#[test]
fn a_volume_that_rests_is_looked_at_when_a_file_becomes_old() {
    let mut lab = Lab::new(Duration::from_secs(3), u64::MAX);
    lab.volume(key("web", "a"), "v", false);
    let begun = Instant::now();
    lab.write("v/app.log", 10);
    lab.write("v/app.log.1", 10);
    lab.ship("v/app.log.1");
    lab.rests("v");
    let until = Instant::now() + DEADLINE;
    while lab.turn().removed_by_age == 0 {
        assert!(Instant::now() < until, "never removed");
        lab.files.woken(0).wait(Duration::from_millis(20), 64);
    }
    // but for a tick of the kernel's clock
    assert!(begun.elapsed() >= Duration::from_millis(2_900));
    assert_eq!(lab.names("v"), ["app.log"]);
    lab.files.stop();
}

#[test]
fn a_volume_that_rests_is_looked_at_when_a_file_grows_above_the_quota() {
    let mut lab = Lab::new(Duration::from_secs(3_600), 400_000);
    lab.volume(key("web", "a"), "v", false);
    lab.write("v/app.log.1", 100_000);
    lab.write("v/app.log", 10);
    lab.ship("v/app.log.1");
    lab.rests("v");
    lab.write("v/app.log", 10);
    lab.found(&["v/app.log"]);
    lab.turn();
    assert!(lab.round.is_resting(&lab.path("v")), "that it grew is no reason to look");
    // its directory tells nothing of that either
    lab.write("v/app.log", 350_000);
    lab.found(&["v/app.log"]);
    assert_eq!(lab.turn().removed_by_quota, 1);
    assert_eq!(lab.names("v"), ["app.log"]);
    lab.until("let go", |lab| lab.source("v/app.log.1").is_none());
    // and a new name is seen at once, too
    lab.rests("v");
    lab.write("v/app.log.1", 100_000);
    lab.ship("v/app.log.1");
    assert_eq!(lab.turn().removed_by_quota, 2);
    lab.files.stop();
}

#[test]
fn an_ended_instance_s_own_directory_goes_when_all_of_it_is_safe() {
    let mut lab = Lab::new(Duration::from_secs(3_600), u64::MAX);
    lab.volume(key("web", "a"), "volumes/web/a", true);
    lab.volume(key("web", "b"), "volumes/web/b", false);
    lab.volume(key("api", "c"), "volumes/api/c", true);
    for name in ["web/a/app.log", "web/a/d/e/old.gz", "web/b/app.log", "api/c/app.log"] {
        lab.write(&format!("volumes/{name}"), 10);
    }
    std::os::unix::fs::symlink("/etc", lab.path("volumes/web/a/etc")).unwrap();
    lab.found(&["volumes/web/a/app.log", "volumes/web/b/app.log"]);
    lab.ship("volumes/api/c/app.log");
    let figures = lab.turn();
    assert_eq!((figures.volumes_removed, figures.waiting), (1, 1), "{figures:?}");
    assert_eq!(lab.names("volumes"), ["web"]);
    assert_eq!(lab.forgotten(), [(key("api", "c"), lab.path("volumes/api/c"))]);
    lab.ship("volumes/web/a/app.log");
    let figures = lab.turn();
    assert_eq!((figures.volumes_removed, figures.waiting), (2, 0), "{figures:?}");
    assert_eq!(figures.removed_with_volume, 4);
    assert_eq!(lab.names("volumes/web"), ["b"]);
    assert_eq!(lab.forgotten(), [(key("web", "a"), lab.path("volumes/web/a"))]);
    assert!(Path::new("/etc/passwd").exists());
    lab.files.stop();
}

#[test]
fn a_mounted_directory_is_the_user_s_and_only_forgotten() {
    let mut lab = Lab::new(Duration::from_secs(3_600), u64::MAX);
    lab.volume(key("web", "a"), "v", true);
    lab.write("v/app.log", 10);
    lab.found(&["v/app.log"]);
    assert_eq!(lab.turn().waiting, 1);
    assert!(lab.forgotten().is_empty());
    // one that the next instance has is forgotten whatever was shipped
    lab.volume(key("web", "b"), "v", false);
    assert_eq!(lab.turn().waiting, 0);
    assert_eq!(lab.forgotten(), [(key("web", "a"), lab.path("v"))]);
    lab.volumes[0].ended_at = Some(Moment::from_unix_ms(1));
    lab.ship("v/app.log");
    assert_eq!(lab.turn().waiting, 0);
    assert_eq!(lab.forgotten(), [(key("web", "b"), lab.path("v"))]);
    assert_eq!(lab.names("v"), ["app.log"]);
    // and one that is not there any more, too
    lab.volume(key("web", "c"), "gone", true);
    fs::remove_dir(lab.path("gone")).unwrap();
    lab.turn();
    assert_eq!(lab.forgotten(), [(key("web", "c"), lab.path("gone"))]);
    lab.files.stop();
}

#[test]
fn where_nothing_is_shipped_only_what_is_ours_goes() {
    let mut lab = Lab::with(Duration::ZERO, 0, false);
    lab.volume(key("web", "a"), "v", false);
    lab.volume(key("web", "b"), "volumes/web/b", false);
    for name in ["v/app.log", "v/app.log.1", "volumes/web/b/app.log", "volumes/web/b/app.log.1"] {
        lab.write(name, 10);
        lab.found(&[name]);
    }
    let docker = FileName::new("app.log.1").unwrap();
    assert!(lab.files.all().iter().any(|s| *s.name() == docker));
    lab.turn();
    assert_eq!(lab.names("v"), ["app.log", "app.log.1"]);
    assert_eq!(lab.names("volumes/web/b"), ["app.log"]);
    lab.files.stop();
}

#[test]
fn docker_s_own_logs_are_docker_s() {
    let mut lab = Lab::new(Duration::ZERO, 0);
    lab.volume(key("web", "a"), "v", false);
    lab.volumes[0].form = Form::DockerJson;
    lab.write("v/x-json.log", 10);
    lab.write("v/x-json.log.1", 10);
    lab.turn();
    assert_eq!(lab.names("v"), ["x-json.log", "x-json.log.1"]);
    lab.files.stop();
}

#[test]
fn the_thread_looks_and_ends() {
    let lab = Lab::new(Duration::ZERO, u64::MAX);
    let (list, volumes) = watch::channel(Arc::default());
    let (ended, _forgotten) = Ended::channel();
    let settings = Settings {
        every: Duration::from_millis(1),
        quiet: Duration::ZERO,
        ..Settings::new(Rules { keep: Duration::ZERO, quota: u64::MAX }, None)
    };
    let dir = lab.path("v");
    fs::create_dir(&dir).unwrap();
    let retention = start(settings, lab.files.clone(), volumes, ended).unwrap();
    let volume = Volume {
        instance: key("web", "a"),
        dir,
        name: String::new(),
        ended_at: None,
        form: Form::Plain,
    };
    let all = Arc::new(vec![volume]);
    lab.files.set_volumes(all.clone());
    lab.write("v/app.log", 10);
    lab.write("v/app.log.1", 10);
    lab.ship("v/app.log.1");
    list.send_replace(all);
    lab.until("removed", |_| retention.figures().removed_by_age == 1);
    assert!(!retention.died());
    retention.stop();
    assert!(retention.died());
    lab.files.stop();
}
