//! How long log files stay.
//!
//! - Of every volume: older generations that were acknowledged, once they are older than `keep`, and while the volume is above its quota the
//!   oldest of them. If that is not enough, older generations nobody has acknowledged: each a gap, counted and logged. Never a file that may
//!   be written yet ([`plan`]).
//! - Of ended instances, `keep` after their end and not before all of it is acknowledged: beneath `volumes_root` the directory itself, which
//!   is this product's own. A directory that was mounted from elsewhere, or a named volume, is the user's and stays; it is followed no more.
//! - Where nothing is shipped, nobody has a copy: then only what is beneath `volumes_root` is removed.
//!
//! Docker's own logs are Docker's to rotate. Files are removed by [`crate::beneath::Root::remove`], that is beneath a held directory, following no link, and
//! only while device and inode are the ones that were judged.
//!
//! One thread, which looks every few seconds; the more there is to look at, the more seldom, up to once a minute. A volume in which nothing
//! can be to do is not walked ([`rest`]).

mod figures;
mod generation;
mod look;
mod plan;
mod rest;
mod round;
mod view;
mod walk;

pub use figures::Figures;
pub use plan::{QUIET, Rules};

use crate::files::Files;
use crate::volume::Volume;
use crate::volumes::Ended;
use round::Round;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The thread takes one part in so many of the time, as long as it need not wait longer than that for it.
const SHARE: u32 = 2_000;
const SELDOM: Duration = Duration::from_secs(60);

/// How long files stay, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The operator's rules.
    pub rules: Rules,
    /// Where the centre's own Docker engine makes volumes: there directories are removed, too.
    pub root: Option<PathBuf>,
    /// Between two looks.
    pub every: Duration,
    /// Files that were changed later than so long ago are left alone.
    pub quiet: Duration,
}

impl Settings {
    /// With the usual times.
    pub fn new(rules: Rules, root: Option<PathBuf>) -> Self {
        Self { rules, root, every: Duration::from_secs(15), quiet: QUIET }
    }
}

/// The running thread.
#[derive(Debug)]
pub struct Retention {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<(bool, Figures)>,
    stopping: Condvar,
}

/// Starts it.
pub fn start(
    settings: Settings,
    files: Files,
    volumes: watch::Receiver<Arc<Vec<Volume>>>,
    ended: Ended,
) -> io::Result<Retention> {
    let shared = Arc::new(Shared::default());
    let every = settings.every;
    let mut round = Round::new(settings, files, ended);
    let thread = std::thread::Builder::new().name("retention".into()).spawn({
        let shared = shared.clone();
        move || {
            let mut pause = Duration::ZERO;
            while !shared.stopped(pause) {
                let began = Instant::now();
                let list = volumes.borrow().clone();
                round.turn(&list);
                shared.show(round.figures());
                pause = every.max(began.elapsed().saturating_mul(SHARE).min(SELDOM));
            }
        }
    })?;
    Ok(Retention { shared, thread: Mutex::new(Some(thread)) })
}

impl Shared {
    /// Waits; true when it is to end.
    fn stopped(&self, pause: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stopping.wait_timeout_while(state, pause, |(stopped, _)| !*stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0.0
    }

    fn show(&self, figures: Figures) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = figures;
    }
}

impl Retention {
    /// What it did.
    pub fn figures(&self) -> Figures {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Whether its thread has ended.
    pub fn died(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the thread after the removal under way.
    pub fn stop(&self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).0 = true;
        self.shared.stopping.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            tracing::error!("the thread that removes old log files had panicked: this is a bug");
        }
    }
}

impl Drop for Retention {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
