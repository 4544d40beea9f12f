//! Which files a viewer may see, by the names it knows them under.

use crate::files::Files;
use crate::name::FileName;
use crate::source::Source;
use crate::volume::{Form, InstanceKey, Volume};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// Instances whose list is kept.
const KEPT: usize = 1_000;

/// A file of an instance.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The file.
    pub source: Arc<Source>,
    /// Its name as it is shown: beneath the log volume, or beneath the instance where it has several volumes.
    pub file: Arc<str>,
}

/// The files of an instance at one moment, by name.
#[derive(Debug, Default)]
pub struct Listing {
    /// The files.
    pub files: Vec<Listed>,
    /// The instance has a volume.
    pub present: bool,
    /// It has ended.
    pub ended: bool,
}

/// A list, and what it was made of: the number of the set of files, and the volumes.
type Kept = (u64, Arc<Vec<Volume>>, Arc<Listing>);

/// The lists of instances that are looked at, each made once however many look.
#[derive(Debug)]
pub struct Listings {
    files: Files,
    kept: Mutex<HashMap<InstanceKey, Kept>>,
}

impl Listings {
    /// None made yet.
    pub fn new(files: Files) -> Self {
        Self { files, kept: Mutex::default() }
    }

    /// The instance of this id; one that runs before those that ended, the last ended of these.
    pub fn instance(&self, id: &str) -> Option<InstanceKey> {
        let volumes = self.files.volumes();
        let of_id = volumes.iter().filter(|volume| volume.instance.id.as_str() == id);
        let latest = of_id.max_by_key(|v| v.ended_at.map_or(u64::MAX, |at| at.unix_ms()))?;
        Some(latest.instance.clone())
    }

    /// The files of an instance as they are now.
    pub fn of(&self, instance: &InstanceKey) -> Arc<Listing> {
        // the number first: what changes while the list is made makes another one
        let version = *self.files.subscribe().borrow();
        let volumes = self.files.volumes();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, at, listing)) = kept.get(instance) {
            if *of == version && Arc::ptr_eq(at, &volumes) {
                return listing.clone();
            }
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let listing = Arc::new(list(&self.files, &volumes, instance));
        kept.insert(instance.clone(), (version, volumes, listing.clone()));
        listing
    }

    /// Tells when a list may be another.
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.files.subscribe()
    }
}

fn list(files: &Files, volumes: &[Volume], instance: &InstanceKey) -> Listing {
    let own: Vec<&Volume> = volumes.iter().filter(|v| v.instance == *instance).collect();
    let mut listed: Vec<Listed> = files
        .of(instance)
        .into_iter()
        .map(|source| {
            let dir = source.volume().dir.clone();
            let volume = own.iter().find(|v| v.dir == dir);
            let file = match volume {
                Some(volume) if volume.form == Form::DockerJson => streams(&source.name()),
                _ => source.name().shown_within(volume.map_or("", |v| v.name.as_str())),
            };
            Listed { source, file: file.into() }
        })
        .collect();
    listed.sort_by(|a, b| (&a.file, a.source.id()).cmp(&(&b.file, b.source.id())));
    let ended = own.iter().all(|volume| volume.ended_at.is_some());
    Listing { files: listed, present: !own.is_empty(), ended }
}

/// The name of Docker's own log: both streams of the container are in it.
fn streams(name: &FileName) -> String {
    let shown = name.shown();
    let generation = shown.split_once("-json.log").map_or("", |(_, rest)| rest);
    format!("stdout+stderr{generation}")
}

/// What a file is known by outside: the same after a rename, and after this process started again.
pub fn known_by(source: &Source) -> String {
    let identity = source.identity();
    let mut hash = Xxh3::new();
    hash.update(&identity.dev.to_le_bytes());
    hash.update(&identity.ino.to_le_bytes());
    let (seconds, nanos) = identity.birth.unwrap_or_default();
    hash.update(&seconds.to_le_bytes());
    hash.update(&nanos.to_le_bytes());
    format!("{:016x}", hash.digest())
}

/// Which files are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    exact: Vec<FileName>,
    globs: Vec<globset::GlobMatcher>,
}

/// Why names are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// No name beneath the volume.
    #[error("`file` is no name of a file: {0}")]
    Name(#[from] crate::name::NameError),
    /// No glob.
    #[error(
        "`file` is no glob that can be used: only * and ? within a segment, and ** for any segments"
    )]
    Glob,
    /// Too many.
    #[error("`file` may be given {} times", Wanted::MOST)]
    Many,
}

impl Wanted {
    /// Most names and globs.
    pub const MOST: usize = 16;

    /// From names and globs; none: every file.
    pub fn new(asked: &[String]) -> Result<Self, WantedError> {
        if asked.len() > Self::MOST {
            return Err(WantedError::Many);
        }
        let mut wanted = Self::default();
        for text in asked {
            if !text.contains(['*', '?']) {
                wanted.exact.push(FileName::parse_shown(text)?);
                continue;
            }
            if text.len() > 1_024 || text.contains(['[', ']', '{', '}', '\\', '\0']) {
                return Err(WantedError::Glob);
            }
            let glob = globset::GlobBuilder::new(text).literal_separator(true).build();
            wanted.globs.push(glob.map_err(|_| WantedError::Glob)?.compile_matcher());
        }
        if asked.is_empty() {
            wanted.globs = Self::new(&["**".to_owned()])?.globs;
        }
        Ok(wanted)
    }

    /// Whether a file of this shown name is asked for.
    pub fn fits(&self, file: &str) -> bool {
        self.names(file) || self.globs.iter().any(|glob| glob.is_match(file))
    }

    /// Whether it is asked for by its very name.
    pub fn names(&self, file: &str) -> bool {
        !self.exact.is_empty()
            && FileName::parse_shown(file).is_ok_and(|name| self.exact.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted(asked: &[&str]) -> Result<Wanted, WantedError> {
        Wanted::new(&asked.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_and_globs() {
        for (asked, file, fits) in [
            (&[][..], "a/b.log", true),
            (&["app.log"], "app.log", true),
            (&["app.log"], "app.log.1", false),
            (&["a b.log"], "a%20b.log", true),
            (&["a%20b.log"], "a%20b.log", true),
            (&["*.log"], "a.log", true),
            (&["*.log"], "a/b.log", false),
            (&["**/*.log"], "a/b.log", true),
            (&["x", "a/*"], "a/b", true),
        ] {
            assert_eq!(wanted(asked).unwrap().fits(file), fits, "{asked:?} {file}");
        }
        for wrong in
            ["../x", "/etc/passwd", "a//b", "a/../../b", "%2e%2e/x", "%zz", "", "{a,b}*", "[a]*"]
        {
            assert!(wanted(&[wrong]).is_err(), "{wrong}");
        }
        assert_eq!(wanted(&["a"; 17]).unwrap_err(), WantedError::Many);
    }

    #[test]
    fn a_second_volume_has_its_path_in_front() {
        let name = FileName::new("access.log").unwrap();
        assert_eq!(name.shown_within(""), "access.log");
        assert_eq!(name.shown_within("/var/log/nginx"), "var/log/nginx/access.log");
        let docker = FileName::new("ab12-json.log.1").unwrap();
        assert_eq!(streams(&docker), "stdout+stderr.1");
    }

    proptest! {
        #[test]
        fn any_text_is_borne(asked in ".{0,40}|[*?a/.]{0,30}", file in "[a-z./]{0,30}") {
            if let Ok(wanted) = wanted(&[&asked]) {
                wanted.fits(&file);
            }
        }
    }
}
