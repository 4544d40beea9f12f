//! What is counted of reports.

use super::ReportError;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counted since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Reports taken.
    pub reports: AtomicU64,
    /// Of those: judged, since they said something new.
    pub judged: AtomicU64,
    /// Agents that fell silent.
    pub silences: AtomicU64,
    /// Containers and ends without a usable name, left out of judged reports.
    pub skipped: AtomicU64,
    /// Reports of other processes of the API that were taken over.
    pub taken_over: AtomicU64,
    /// Writes of reports that failed and are tried again.
    pub write_failures: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counts {
    pub(super) fn enter<T>(&self, result: &Result<T, ReportError>) {
        match result {
            Ok(_) => {
                self.reports.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                *refused.entry(error.code()).or_default() += 1;
            }
        }
    }

    /// Reports not taken, by code.
    pub fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
