//! Ships into files, for those without a Flume: `sink = "dir:/path"`.
//!
//! `PATH/<app>/<instance>/<file>.<UTC time>-<n>.zst`: unpacked and put one behind the other, the parts of a file are the log file again, byte
//! for byte (`zstdcat app.log.*.zst`). Files of their own for each log file, and not one for an app, because a backup is looked for by
//! instance and file, and lines without anything added can be read with what everybody has. The price is an fsync for each log file in a
//! batch; they are made together after everything is written, so that the file system commits once.
//!
//! What a batch has of a log file is a zstd frame of its own, checksummed and complete on disk before the batch counts as kept. A crash
//! leaves at most one torn frame, the last of its part; everything before it is read as ever. A part is never continued by another process,
//! and after a failed write by none: what was not acknowledged comes again, into a new part. Nothing is ever removed here.

mod name;
mod part;

use super::batch::Events;
use super::sink::{Failure, Sink, Status};
use common::logging::Episode;
use part::{Packer, Part};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory; made if it is not there.
    pub path: PathBuf,
    /// A part is ended when it has so many bytes on disk,
    pub part_bytes: u64,
    /// or is so old.
    pub part_age: Duration,
    /// zstd's level.
    pub level: i32,
}

impl Settings {
    /// Parts of 64 MiB or an hour.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let hour = Duration::from_secs(3_600);
        Self { path: path.into(), part_bytes: 64 << 20, part_age: hour, level: 3 }
    }
}

/// Most parts open at once; the one not used for longest is ended.
const OPEN: usize = 256;

/// The sink.
#[derive(Debug)]
pub struct Dir {
    settings: Settings,
    parts: HashMap<PathBuf, Part>,
    packer: Option<Packer>,
    turn: u64,
    status: Status,
    episode: Episode,
}

/// Why a batch was not kept.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// A step failed.
    #[error("cannot {step} {}: {source}", path.display())]
    Io { step: &'static str, path: PathBuf, source: io::Error },
    /// A line does not say where it is from: a bug.
    #[error("an event has no {0}")]
    Header(&'static str),
}

impl Error {
    fn io(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { step, path, source }
    }
}

impl Dir {
    /// Writes nothing yet.
    pub fn new(settings: Settings) -> Self {
        let peer = settings.path.display().to_string();
        Self {
            settings,
            parts: HashMap::new(),
            packer: None,
            turn: 0,
            episode: Episode::new(format!("shipping to {peer}")),
            status: Status { peer, ..Status::default() },
        }
    }

    fn keep(&mut self, events: &Events<'_>, now: SystemTime) -> Result<(), Error> {
        let files = by_file(events)?;
        self.end_old(now);
        self.turn += 1;
        // its memory is kept from batch to batch
        let mut packer = match self.packer.take() {
            Some(packer) => packer,
            None => Packer::new(self.settings.level)
                .map_err(Error::io("pack for", &self.settings.path))?,
        };
        let mut written = Vec::with_capacity(files.len());
        let kept = files.into_iter().try_for_each(|(name, bytes)| {
            let path = self.settings.path.join(name);
            written.push(path.clone());
            self.part(&path, now)?.write(&bytes, &mut packer)
        });
        self.packer = Some(packer);
        let kept = kept.and_then(|()| {
            written.iter().filter_map(|p| self.parts.get(p)).try_for_each(Part::sync)
        });
        for path in written {
            let part_bytes = self.settings.part_bytes;
            // after a failure nothing is known of what is on disk: what comes next goes into new parts
            if kept.is_err() || self.parts.get(&path).is_some_and(|p| p.len() >= part_bytes) {
                self.parts.remove(&path);
            }
        }
        kept
    }

    fn part(&mut self, path: &Path, now: SystemTime) -> Result<&mut Part, Error> {
        if !self.parts.contains_key(path) {
            if self.parts.len() >= OPEN {
                let oldest =
                    self.parts.iter().min_by_key(|(_, p)| p.used()).map(|(k, _)| k.clone());
                oldest.map(|oldest| self.parts.remove(&oldest));
            }
            let part = Part::create(&self.settings.path, path, now)?;
            self.parts.insert(path.to_owned(), part);
        }
        let turn = self.turn;
        let part = self.parts.get_mut(path).ok_or(Error::Header("part"))?;
        part.use_at(turn);
        Ok(part)
    }

    fn end_old(&mut self, now: SystemTime) {
        let most = self.settings.part_age;
        self.parts.retain(|_, part| now.duration_since(part.since()).unwrap_or_default() < most);
    }
}

/// What a batch has of each file, as it was in that file; in the order the files come first.
fn by_file(events: &Events<'_>) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    let mut at = HashMap::new();
    for event in events.iter() {
        let (mut key, mut part) = ([None; 3], None);
        for (name, value) in event.headers() {
            match name {
                "app" => key[0] = Some(value),
                "instance" => key[1] = Some(value),
                "file" => key[2] = Some(value),
                "part" => part = Some(value),
                _ => {}
            }
        }
        let [Some(app), Some(instance), Some(file)] = key else {
            return Err(Error::Header("app, instance or file"));
        };
        let index = *at.entry((app, instance, file)).or_insert_with(|| {
            files.push((name::path(app, instance, file), Vec::new()));
            files.len() - 1
        });
        let bytes = &mut files[index].1;
        bytes.extend_from_slice(event.body);
        if !matches!(part, Some("first" | "middle")) {
            bytes.push(b'\n');
        }
    }
    Ok(files)
}

impl Sink for Dir {
    fn send(&mut self, events: &Events<'_>) -> Result<(), Failure> {
        if events.is_empty() {
            return Ok(());
        }
        let result = self.keep(events, SystemTime::now()).map_err(|error| {
            self.episode.failed(&error);
            // some of the files may have theirs
            Failure::Lost { cause: error.to_string(), doubtful: true }
        });
        if result.is_ok() {
            self.episode.recovered();
        }
        self.status.count(events, &result);
        result
    }

    fn idle(&mut self) {
        self.end_old(SystemTime::now());
    }

    fn status(&self) -> Status {
        self.status.clone()
    }
}

#[cfg(test)]
mod tests;
