//! What happened at the door, since the start.

use super::denied::Denied;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts.
#[derive(Debug, Default)]
pub struct Counts {
    denied: [AtomicU64; Denied::ALL.len()],
    loads: AtomicU64,
    unwritten: AtomicU64,
}

/// Names of the counts of [`Denied::ALL`], in its order.
const NAMES: [&str; Denied::ALL.len()] = [
    "denied_token_missing",
    "denied_token_malformed",
    "denied_token_unknown",
    "denied_token_expired",
    "denied_session_ended",
    "denied_code_unknown",
    "denied_foreign_page",
    "denied_bad_cause",
    "denied_too_many_failures",
];

impl Counts {
    /// A request was not let in.
    pub fn denied(&self, denied: &Denied) {
        let place = Denied::ALL.iter().position(|one| one.code() == denied.code());
        if let Some(count) = place.and_then(|place| self.denied.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All tokens were read again.
    pub fn loaded(&self) {
        self.loads.fetch_add(1, Ordering::Relaxed);
    }

    /// Housekeeping could not write.
    pub fn unwritten(&self) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
    }

    /// Every count by name.
    pub fn each(&self, emit: &mut impl FnMut(&'static str, u64)) {
        for (name, count) in NAMES.into_iter().zip(&self.denied) {
            emit(name, count.load(Ordering::Relaxed));
        }
        emit("loads", self.loads.load(Ordering::Relaxed));
        emit("housekeeping_failures", self.unwritten.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_count() {
        for (denied, name) in Denied::ALL.iter().zip(NAMES) {
            assert_eq!(format!("denied_{}", denied.code()), name);
            let counts = Counts::default();
            counts.denied(denied);
            let mut counted = Vec::new();
            counts.each(&mut |name, value| counted.extend((value > 0).then_some(name)));
            assert_eq!(counted, [name]);
        }
    }
}
