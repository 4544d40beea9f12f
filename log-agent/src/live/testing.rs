//! For tests: a volume in a temporary directory that is followed.

use super::filter::LineFilter;
use crate::files::{Files, Pace, Settings};
use crate::name::FileName;
use crate::source::Source;
use crate::volume::{Form, InstanceKey, Volume};
use common::api_types::live::{Filter, Of};
use common::ids::{AppId, InstanceId};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that passes never waits so long.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub fn of() -> Of {
    Of { source: "s".into(), file: "a.log".into(), generation: 0 }
}

pub fn filter(grep: &str) -> LineFilter {
    LineFilter::new(Filter { grep: grep.into(), invert: false, case: true }).unwrap()
}

pub fn volume(dir: &Path, instance: &str) -> Volume {
    Volume {
        instance: InstanceKey { id: InstanceId::new(instance), app: AppId::new("shop/web") },
        dir: dir.to_owned(),
        name: String::new(),
        ended_at: None,
        form: Form::Plain,
    }
}

pub struct Lab {
    pub dir: tempfile::TempDir,
    pub files: Files,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.files.stop();
    }
}

impl Lab {
    /// With the volume of instance `one`.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("volume")).unwrap();
        let pace = Pace {
            rescan: Duration::from_millis(200),
            linger: Duration::ZERO,
            copy: Duration::from_millis(150),
            ..Pace::default()
        };
        let settings = Settings { pace, ships: false, ..Settings::default() };
        let files = Files::resume(settings, Vec::new()).unwrap();
        let lab = Self { dir, files };
        lab.files.set_volumes(Arc::new(vec![volume(&lab.path(""), "one")]));
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("volume").join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn append(&self, name: &str, bytes: &[u8]) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(bytes).unwrap();
    }

    pub fn hole(&self, name: &str, to: u64) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(to).unwrap();
    }

    /// The followed file of this name, once all of it was noticed.
    pub fn source(&self, name: &str) -> Arc<Source> {
        let raw = FileName::parse_shown(name).unwrap();
        let path = self.dir.path().join("volume").join(raw.path());
        self.source_of(name, fs::metadata(path).unwrap().len())
    }

    pub fn source_of(&self, name: &str, len: u64) -> Arc<Source> {
        let until = Instant::now() + DEADLINE;
        let mut set = self.files.subscribe();
        loop {
            set.borrow_and_update();
            let all = self.files.all();
            let found = all.into_iter().find(|s| s.name().shown() == name && s.len() == len);
            if let Some(source) = found {
                return source;
            }
            assert!(Instant::now() < until, "{name} of {len} bytes was not found");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
