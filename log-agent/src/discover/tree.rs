//! What the follower remembers of volumes, directories and files.

use super::marks::Marks;
use crate::beneath::Root;
use crate::files::Why;
use crate::identity::{Head, Mark};
use crate::name::FileName;
use crate::source::{Source, SourceId, Tally};
use crate::volume::Volume;
use common::logging::Episode;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A volume, as long as it is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct VolId(pub(super) u64);

/// A directory, as long as it is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DirId(pub(super) u64);

/// One directory of this host that is a log volume, or several volumes: it may pass from an ended instance to the next.
#[derive(Debug)]
pub(super) struct Vol {
    /// Whose its files are: a running instance before ended ones, the last ended of those.
    pub(super) owner: Arc<Volume>,
    pub(super) path: PathBuf,
    /// None while it cannot be opened.
    pub(super) root: Option<Arc<Root>>,
    /// Its directories; the first is its own.
    pub(super) dirs: Vec<DirId>,
    /// In the order they were found in, which is about that in memory: looking at all of them is mostly waiting for memory.
    pub(super) sources: BTreeMap<SourceId, Arc<Source>>,
    /// What they come to.
    pub(super) tally: Arc<Tally>,
    pub(super) deleted: BTreeSet<SourceId>,
    pub(super) todo: VecDeque<Task>,
    pub(super) next_scan: Instant,
    pub(super) last_scan: Instant,
    /// Time its work took since then.
    pub(super) spent: Duration,
    /// To be looked at soon.
    pub(super) urgent: bool,
    /// Notices were lost since the last look at everything.
    pub(super) deaf: bool,
    /// Some directory has no watch: it is looked at often.
    pub(super) blind: bool,
    /// Births, renames and deaths in the second that began then.
    pub(super) events: (Instant, u32),
    /// No watch until then.
    pub(super) storm: Option<Instant>,
    pub(super) storms: u64,
    pub(super) gaps: BTreeMap<Why, (u64, u64)>,
    pub(super) fault: Episode,
    pub(super) fault_now: Option<String>,
}

/// One directory.
#[derive(Debug)]
pub(super) struct Dir {
    pub(super) vol: VolId,
    pub(super) parent: Option<DirId>,
    /// None for the volume's own.
    pub(super) name: Option<FileName>,
    pub(super) ino: u64,
    pub(super) wd: Option<i32>,
    pub(super) slots: HashMap<Box<[u8]>, Slot>,
    /// Its last change when it was listed, once that is old enough to tell a later one apart.
    pub(super) listed: Option<i128>,
    /// Entries left out since there are too many.
    pub(super) over: u64,
    pub(super) writes: Writes,
}

/// How writes into a directory are noticed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Writes {
    /// By notices; since when they came without a pause, the last of them, and how many.
    Told { since: Instant, last: Instant, count: u32 },
    /// By looking every few milliseconds: cheaper for the writers, whom each notice costs about as much as half a write.
    Looked { next: Instant, grown: Instant },
}

impl Writes {
    pub(super) fn told(now: Instant) -> Self {
        Self::Told { since: now, last: now, count: 0 }
    }
}

/// What is under a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) ino: u64,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    File(SourceId),
    Dir(DirId),
    /// Not read, and why.
    No(&'static str),
}

impl What {
    pub(super) fn refused(self) -> Option<&'static str> {
        match self {
            Self::No(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Work to do in a volume.
#[derive(Debug)]
pub(super) enum Task {
    List(DirId),
    Check(DirId, Box<[u8]>),
}

/// What only the follower knows of a source.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) source: Arc<Source>,
    pub(super) vol: VolId,
    /// Where it has its name.
    pub(super) at: Option<(DirId, Box<[u8]>)>,
    pub(super) touched: bool,
    /// Nobody knows yet whether it is a copy.
    pub(super) undecided: bool,
    /// In the list of those that wait to be told apart.
    pub(super) waits: bool,
    /// When it was last seen to have grown.
    pub(super) grown: Instant,
    /// Places this generation was seen to reach.
    pub(super) marks: Marks,
    /// The last generations before this one: what a copy of them can be recognised by.
    pub(super) before: Vec<Before>,
    /// A generation ended in an earlier round, and the next one waits until its copies are found.
    pub(super) ended: Option<Ended>,
    /// Its name was looked for everywhere then.
    pub(super) searched: Option<Instant>,
}

/// A generation that was truncated.
#[derive(Debug, Clone)]
pub(super) struct Before {
    /// None: it is known from the journal.
    pub(super) generation: Option<u64>,
    pub(super) head: Head,
    /// As far as it was acknowledged by then.
    pub(super) mark: Mark,
    /// It was truncated not after that, in nanoseconds since 1970: a file born later is no copy.
    pub(super) until_ns: i128,
    /// Places it was seen to reach.
    pub(super) marks: Marks,
}

impl Before {
    pub(super) fn new(generation: Option<u64>, head: Head, mark: Mark, until_ns: i128) -> Self {
        Self { generation, head, mark, until_ns, marks: Marks::default() }
    }
}

/// A generation whose loss is not known yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) round: u64,
    pub(super) at: Instant,
    pub(super) read_to: u64,
    pub(super) end: u64,
    /// As far as its copies go.
    pub(super) copied: u64,
}
