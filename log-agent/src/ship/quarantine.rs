//! Events the sink fails at, one by one: kept in a file beside the journal, so that nothing is lost without a trace.
//!
//! A line of JSON each: when, why, its headers, its body in Base64. The file is bounded; what does not fit is said in the log alone.

use super::batch::Events;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::moment::Moment;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Largest file.
const LARGEST: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Quarantine {
    path: PathBuf,
}

#[derive(serde::Serialize)]
struct Kept<'a> {
    at_ms: u64,
    cause: String,
    headers: BTreeMap<&'a str, &'a str>,
    body_base64: String,
}

impl Quarantine {
    pub(super) fn new(dir: &Path) -> Self {
        Self { path: dir.join("quarantine.jsonl") }
    }

    /// Puts events aside.
    pub(super) fn put(&self, events: &Events<'_>, cause: &dyn std::fmt::Display) {
        for event in events.iter() {
            let header = |name| event.header(name).unwrap_or("?");
            let (app, file, offset) = (header("app"), header("file"), header("offset"));
            let kept = Kept {
                at_ms: Moment::now().unix_ms(),
                cause: cause.to_string(),
                headers: event.headers().collect(),
                body_base64: STANDARD.encode(event.body),
            };
            let saved = match self.save(&kept) {
                Ok(true) => format!("it is kept in {}", self.path.display()),
                Ok(false) => format!("{} is full, it is not kept", self.path.display()),
                Err(error) => format!("it cannot be kept in {}: {error}", self.path.display()),
            };
            tracing::warn!(
                "{app}: the sink fails again and again at the line at byte {offset} of {file} ({cause}); it is left out, {saved}"
            );
        }
    }

    fn save(&self, kept: &Kept<'_>) -> io::Result<bool> {
        let mut line = serde_json::to_vec(kept).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        if file.metadata()?.len() + line.len() as u64 > LARGEST {
            return Ok(false);
        }
        file.write_all(&line)?;
        Ok(true)
    }
}
