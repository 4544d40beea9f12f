//! One viewer: a cursor into each of its files. Nothing is queued; what it has not taken stays in the file.
//!
//! [`Viewer::next`] gives one frame at a time and may be given up at any moment without losing any: a cursor moves only when its frame is
//! there, after the last wait. Files take turns, one frame each. Backlog and what follows are the same cursor, so there is no seam.

mod cursor;
mod join;
mod steps;

use super::access::Access;
use super::files::Wanted;
use super::filter::LineFilter;
use super::message::{Encoded, Form, bare, encode};
use super::pace::Budget;
use super::room::Room;
use crate::source::SourceId;
use crate::volume::InstanceKey;
use common::api_types::live::{Frame, Told};
use common::ids::InstanceId;
use cursor::{Begin, Cursor};
use futures_util::future::select_all;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep_until;

/// Most files of one viewer.
pub const FILES: usize = 64;
/// A stop of all lines for so long is the end of an ended instance's.
const QUIET: Duration = Duration::from_secs(1);

/// Where a file goes on that was seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct From {
    /// What it is known by.
    pub source: String,
    /// The generation.
    pub generation: u64,
    /// The byte.
    pub offset: u64,
}

/// What a viewer asks for.
#[derive(Debug)]
pub struct Asked {
    /// Whose files.
    pub instance: InstanceKey,
    /// Which of them.
    pub wanted: Wanted,
    /// What it may see.
    pub access: Access,
    /// Which lines.
    pub filter: Arc<LineFilter>,
    /// How many lines to begin with.
    pub lines: u32,
    /// Places to go on at.
    pub from: Vec<From>,
    /// How frames are written.
    pub form: Form,
    /// Whether to go on with what comes.
    pub follow: bool,
}

/// A frame for the viewer.
#[derive(Debug)]
pub struct Out {
    /// Its bytes.
    pub encoded: Encoded,
    /// Lines in it.
    pub lines: u32,
}

/// A viewer.
#[derive(Debug)]
pub struct Viewer {
    room: Arc<Room>,
    asked: Asked,
    cursors: Vec<Cursor>,
    out: VecDeque<Out>,
    /// Everything was told.
    over: bool,
    turn: usize,
    budget: Budget,
    set: watch::Receiver<u64>,
    /// The list of files may be another.
    stale: bool,
    next_list: Instant,
    /// When it came, in nanoseconds since 1970: what is born later is new to it.
    came_ns: i128,
    begun: bool,
    left_out: u64,
    present: bool,
    ended: bool,
    /// Files that were told to the end.
    done: HashSet<SourceId>,
    last_read: Instant,
    /// The file of the last lines, for headings between files.
    heading: Option<Arc<str>>,
}

impl Viewer {
    /// Nothing is read yet.
    pub fn new(room: Arc<Room>, asked: Asked) -> Self {
        let now = Instant::now();
        let came = common::moment::Moment::now().unix_ms();
        let set = room.listings.subscribe();
        Self {
            room,
            asked,
            cursors: Vec::new(),
            out: VecDeque::new(),
            over: false,
            turn: 0,
            budget: Budget::new(now),
            set,
            stale: true,
            next_list: now,
            // file systems take the time of birth from a clock that ticks some milliseconds apart
            came_ns: i128::from(came) * 1_000_000 - 10_000_000,
            begun: false,
            left_out: 0,
            present: true,
            ended: false,
            done: HashSet::new(),
            last_read: now,
            heading: None,
        }
    }

    /// The next frame; None when nothing more will come. May be dropped before it is ready.
    pub async fn next(&mut self) -> Option<Out> {
        loop {
            if let Some(out) = self.out.pop_front() {
                return Some(out);
            }
            if self.over {
                return None;
            }
            let now = Instant::now();
            self.list(now);
            if !self.out.is_empty() {
                continue;
            }
            match self.pick(now) {
                Some(n) => self.advance(n).await,
                None if self.is_over(now) => {}
                None => self.wait(now).await,
            }
        }
    }

    /// Another filter; with `lines`, everything begins again with so many that fit.
    pub fn filter(&mut self, filter: Arc<LineFilter>, lines: Option<u32>) {
        self.tell(Frame::Filter(filter.asked().clone()));
        self.asked.filter = filter;
        for cursor in &mut self.cursors {
            let source = cursor.source().id();
            cursor.shelf =
                self.room.sharing.shelf(source, self.asked.filter.asked(), self.asked.form);
            if let Some(lines) = lines {
                cursor.begin = Some(Begin::Last(lines));
            }
            cursor.dry = false;
        }
    }

    /// It stood still by its own wish and goes on; at the end if it likes.
    pub fn resume(&mut self, at_end: bool) {
        for cursor in &mut self.cursors {
            cursor.lag.forgive();
            cursor.jump |= at_end && cursor.begin.is_none();
        }
    }

    /// The cursor that may have something, turn by turn.
    fn pick(&mut self, now: Instant) -> Option<usize> {
        let all = self.cursors.len();
        let first = if self.asked.follow { self.turn } else { 0 };
        let mut order = (0..all).map(|n| (first + n) % all);
        let found = order.find(|n| {
            let cursor = &self.cursors[*n];
            // what is left in a file that was renamed comes before the one that has its name now
            let waits = matches!(cursor.begin, Some(Begin::First | Begin::New))
                && self.cursors.iter().any(|c| !c.dry && c.was.as_ref() == Some(&cursor.file));
            !waits && cursor.is_due(now, self.shows_rest(), self.asked.follow)
        })?;
        self.turn = found + 1;
        Some(found)
    }

    /// Whether nothing more will come; says so.
    fn is_over(&mut self, now: Instant) -> bool {
        if !self.asked.follow {
            self.over = true;
            return true;
        }
        let done = |c: &Cursor| c.rest.is_none() && now.duration_since(c.progress) >= QUIET;
        let quiet = self.cursors.iter().all(done);
        if self.present && !(self.ended && quiet) {
            return false;
        }
        let (why, detail) = if self.present {
            ("instance_ended", "the instance has ended, and everything it wrote was told")
        } else {
            ("gone", "the instance has no log volume here any more")
        };
        if !self.present && !quiet {
            return false;
        }
        self.tell(Frame::End { why: why.to_owned(), detail: detail.to_owned() });
        self.over = true;
        true
    }

    /// Waits until something may have come.
    async fn wait(&mut self, now: Instant) {
        let open = self.shows_rest();
        let mut until = now + Duration::from_secs(60);
        until = self.cursors.iter().filter_map(|c| c.due_at(open)).fold(until, Instant::min);
        if self.stale {
            until = until.min(self.next_list);
        }
        if self.ended || !self.present {
            let quiet = self.cursors.iter().map(|c| c.progress + QUIET).max();
            until = until.min(quiet.unwrap_or(now).max(now + Duration::from_millis(10)));
        }
        let (set, stale) = (&mut self.set, self.stale);
        let tides: Vec<_> =
            self.cursors.iter_mut().map(|cursor| Box::pin(cursor.tide.changed())).collect();
        let any = !tides.is_empty();
        let grown = tokio::select! {
            // a list that is old already waits for its time
            _ = set.changed(), if !stale => {
                self.stale = true;
                None
            }
            (_, n, _) = async { select_all(tides).await }, if any => Some(n),
            () = sleep_until(until.into()) => None,
        };
        if let Some(cursor) = grown.and_then(|n| self.cursors.get_mut(n)) {
            cursor.dry = false;
        }
        // what comes meanwhile comes together
        let gather = self.cursors.iter().map(|c| c.shelf.gather()).max();
        sleep_until((self.last_read + gather.unwrap_or_default()).into()).await;
    }

    fn tell(&mut self, frame: Frame) {
        let told = match frame {
            Frame::Hello { .. } | Frame::Waiting { .. } => {
                Told { instance: Some(self.id()), frame }
            }
            frame => bare(frame),
        };
        if let Some(encoded) = encode(&told, self.asked.form) {
            self.out.push_back(Out { encoded, lines: 0 });
        }
    }

    /// Whether the beginning of a line is shown if no end comes: a filter knows lines only by their ends.
    fn shows_rest(&self) -> bool {
        self.asked.filter.is_open() || self.ended
    }

    fn id(&self) -> InstanceId {
        self.asked.instance.id.clone()
    }
}

#[cfg(test)]
mod tests;
