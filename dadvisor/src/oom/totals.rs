//! The OOM ledger, kept over restarts of the daemon: loaded at start, saved when a kill was counted.

use crate::oom::Ledger;
use common::atomic_file;
use common::ids::AppId;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The ledger and its file.
#[derive(Debug)]
pub struct OomTotals {
    /// The counts.
    pub ledger: Ledger,
    file: PathBuf,
    saved: u64,
}

impl OomTotals {
    /// Loads `file` (JSON, app id to kills). A file that cannot be read starts the counts at 0, which is said.
    pub fn load(file: PathBuf) -> Self {
        let totals = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice::<BTreeMap<AppId, u64>>(&bytes).unwrap_or_else(|error| {
                tracing::warn!(file = %file.display(), %error, "OOM totals unreadable: counting from 0");
                BTreeMap::new()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "OOM totals unreadable: counting from 0");
                BTreeMap::new()
            }
        };
        let saved = totals.values().sum();
        Self { ledger: Ledger::with_totals(totals), file, saved }
    }

    /// Saves the counts if they rose.
    pub fn save(&mut self) -> Result<(), atomic_file::Error> {
        let now = self.ledger.totals().values().sum();
        if now == self.saved {
            return Ok(());
        }
        let totals = serde_json::Map::from_iter(
            self.ledger.totals().iter().map(|(app, kills)| (app.to_string(), (*kills).into())),
        );
        let bytes = serde_json::Value::Object(totals).to_string().into_bytes();
        atomic_file::write(&self.file, &bytes)?;
        self.saved = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_remembered_and_a_damaged_file_is_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("oom.json");
        let mut totals = OomTotals::load(file.clone());
        totals.ledger.event(&AppId::new("shop/web"), "c1", false);
        totals.save().unwrap();
        assert_eq!(OomTotals::load(file.clone()).ledger.totals()[&AppId::new("shop/web")], 1);
        std::fs::write(&file, b"{not json").unwrap();
        assert!(OomTotals::load(file).ledger.totals().is_empty());
    }
}
