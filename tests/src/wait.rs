//! Waiting for what has to come, with a deadline: no test sleeps for a guessed time.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// How often a condition is looked at, at most. A look that takes longer is followed by as long a pause: looking must not be the load.
const STEP: Duration = Duration::from_millis(100);

/// Tries `probe` until it succeeds; after `within`, gives its last error together with `what` was awaited.
pub fn eventually<T>(
    within: Duration,
    what: &str,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        let begin = Instant::now();
        match probe() {
            Ok(value) => return Ok(value),
            Err(e) if Instant::now() >= end => {
                return Err(e).with_context(|| format!("{what}: not within {within:?}"));
            }
            Err(_) => std::thread::sleep(begin.elapsed().max(STEP)),
        }
    }
}
