//! Settings and limits of following, and the figures that show what they did.

use crate::name::COMPRESSED;
use crate::source::{SourceId, Tally};
use crate::volume::Volume;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How files are followed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Globs beneath a volume: what is read.
    pub include: Vec<String>,
    /// Globs beneath a volume: what is not, though included.
    pub exclude: Vec<String>,
    /// Whether somebody ships and acknowledges; without, nothing waits for that.
    pub ships: bool,
    /// Outlets files are shipped through, at least one.
    pub outlets: usize,
    /// Limits.
    pub limits: Limits,
    /// Times.
    pub pace: Pace,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            include: vec!["**".into()],
            exclude: COMPRESSED.iter().map(|end| format!("**/*{end}")).collect(),
            ships: true,
            outlets: 1,
            limits: Limits::default(),
            pace: Pace::default(),
        }
    }
}

/// Limits, each for one volume unless it says otherwise. What exceeds one is not read and is counted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files followed.
    pub files: usize,
    /// Directories looked into.
    pub directories: usize,
    /// Entries read of one directory.
    pub entries: usize,
    /// Deleted files kept open until they are acknowledged.
    pub deleted: usize,
    /// Bytes such files pin on the disk.
    pub deleted_bytes: u64,
    /// Files open at once, of all volumes; quiet ones are closed above it.
    pub open: usize,
    /// Births, renames and deaths a second; above it a volume is looked at twice a second instead.
    pub events: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 20_000,
            directories: 1_000,
            entries: 50_000,
            deleted: 256,
            deleted_bytes: 10 << 30,
            open: 50_000,
            events: 5_000,
        }
    }
}

/// Times.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks at everything, which make a lost notice harmless.
    pub rescan: Duration,
    /// Least time between two rounds while files are written: what is written meanwhile is noticed together.
    pub gather: Duration,
    /// How long a deleted file is kept open after its last growth, though acknowledged: its writer may still have it.
    pub linger: Duration,
    /// How long a file was not written that may be closed while too many are open.
    pub idle: Duration,
    /// How long a file that looks like the copy of another waits for that one to be truncated.
    pub copy: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rescan: Duration::from_secs(5),
            gather: Duration::from_millis(2),
            linger: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            copy: Duration::from_secs(2),
        }
    }
}

/// Why bytes will not be read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// Truncated or rewritten before they were read.
    Truncated,
    /// Too many deleted files were open.
    TooManyDeleted,
    /// Deleted files pinned too many bytes.
    DeletedBytes,
    /// It was deleted while it was closed, since too many files were open.
    Closed,
    /// The volume is not to be followed any more.
    VolumeGone,
    /// It was deleted, and this process ended before it was acknowledged.
    Stopped,
    /// Its volume was above its quota, and nothing older was left to remove.
    Quota,
}

impl Why {
    /// One word, for counting.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::TooManyDeleted => "too_many_deleted",
            Self::DeletedBytes => "deleted_bytes",
            Self::Closed => "closed",
            Self::VolumeGone => "volume_gone",
            Self::Stopped => "stopped",
            Self::Quota => "quota",
        }
    }
}

/// Bytes nobody will read any more.
#[derive(Debug, Clone)]
pub struct Gap {
    /// Of which source; it may be gone.
    pub source: SourceId,
    /// Of which volume.
    pub volume: Arc<Volume>,
    /// The first byte.
    pub from: u64,
    /// Behind the last.
    pub to: u64,
    /// Why.
    pub why: Why,
}

/// What is in a volume.
#[derive(Debug, Clone)]
pub struct VolumeFigures {
    /// Which.
    pub volume: Arc<Volume>,
    /// What its files come to, at the moment it is asked.
    pub tally: Arc<Tally>,
    /// Files followed.
    pub files: usize,
    /// Directories looked into.
    pub directories: usize,
    /// Deleted files still open.
    pub deleted: usize,
    /// What is there now and not read, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Gaps since the start, and their bytes, by reason.
    pub gaps: BTreeMap<&'static str, (u64, u64)>,
    /// How often it had so many births, renames and deaths that it was looked at now and then instead.
    pub storms: u64,
    /// Why the volume itself cannot be read, if it cannot.
    pub fault: Option<String>,
}
