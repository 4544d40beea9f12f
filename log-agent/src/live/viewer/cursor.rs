//! A viewer's cursor into one file.

use crate::live::pace::Lag;
use crate::live::read::Spot;
use crate::live::share::Shelf;
use crate::source::{Hold, Source, State, Tide};
use common::api_types::live::Of;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The beginning of a line that stays without an end for so long is shown.
const REST: Duration = Duration::from_secs(1);
/// A deleted file that was not written for so long is over.
const OVER: Duration = Duration::from_secs(1);

/// Where a cursor begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// At so many lines before the end.
    Last(u32),
    /// At the first byte.
    First,
    /// At the first byte, unless it turns out to be the copy of a file that was told.
    New,
    /// Where it was before.
    At {
        /// The generation.
        generation: u64,
        /// The byte.
        offset: u64,
    },
}

/// A cursor.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) hold: Hold,
    pub(super) tide: watch::Receiver<Tide>,
    /// The file's name as it was told last.
    pub(super) file: Arc<str>,
    /// The name it had before.
    pub(super) was: Option<Arc<str>>,
    pub(super) known_by: String,
    /// None once it has said hello.
    pub(super) begin: Option<Begin>,
    pub(super) spot: Spot,
    pub(super) shelf: Arc<Shelf>,
    pub(super) lag: Lag,
    /// Nothing more was there.
    pub(super) dry: bool,
    /// To the end, by the viewer's wish.
    pub(super) jump: bool,
    /// It is not in the list any more.
    pub(super) gone: bool,
    /// Since when the beginning of a line is there.
    pub(super) rest: Option<Instant>,
    /// Look again then, told or not.
    pub(super) again: Option<Instant>,
    /// When something was read last.
    pub(super) progress: Instant,
    /// When something was told last.
    pub(super) told: Instant,
    /// Its length as far as it was seen in this generation.
    pub(super) len: u64,
}

impl Cursor {
    pub(super) fn new(
        source: &Arc<Source>,
        file: Arc<str>,
        known_by: String,
        begin: Begin,
        shelf: Arc<Shelf>,
        now: Instant,
    ) -> Self {
        let hold = source.hold();
        let tide = source.changed();
        let spot = Spot::start(source.generation());
        Self {
            hold,
            tide,
            file,
            was: None,
            known_by,
            begin: Some(begin),
            spot,
            shelf,
            lag: Lag::default(),
            dry: false,
            jump: false,
            gone: false,
            rest: None,
            again: None,
            progress: now,
            told: now,
            len: 0,
        }
    }

    pub(super) fn source(&self) -> &Arc<Source> {
        self.hold.source()
    }

    /// How frames name it.
    pub(super) fn of(&self) -> Of {
        let (source, file) = (self.known_by.clone(), self.file.to_string());
        Of { source, file, generation: self.spot.place.generation }
    }

    /// It will not be written any more, as far as anybody can tell.
    pub(super) fn has_departed(&self) -> bool {
        self.gone || self.tide.borrow().state == State::Deleted
    }

    /// Whether it is to be looked at now.
    pub(super) fn is_due(&self, now: Instant, open: bool, follow: bool) -> bool {
        let told = self.tide.has_changed().unwrap_or(false);
        let last = !follow && self.rest.is_some();
        !self.dry || self.jump || told || last || self.due_at(open).is_some_and(|at| at <= now)
    }

    /// When it is to be looked at though nothing is told. `open`: every line is shown.
    pub(super) fn due_at(&self, open: bool) -> Option<Instant> {
        // whether a line is shown is not known before its end
        let rest = self.rest.filter(|_| open).map(|since| since + REST);
        let over = self.has_departed().then(|| self.progress + OVER);
        [rest, over, self.again].into_iter().flatten().min()
    }

    /// Whether the beginning of a line has waited long enough.
    pub(super) fn rest_is_due(&self, now: Instant) -> bool {
        self.rest.is_some_and(|since| since + REST <= now)
    }

    /// Whether its end was told, and it is over.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.dry && self.has_departed() && self.progress + OVER <= now
    }
}
