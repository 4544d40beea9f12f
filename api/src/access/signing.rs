//! The keys that tickets are signed with: one signs, the public halves of earlier ones stay listed while tickets of theirs may be out.
//! Pure; they are stored in `meta` as JSON.

use common::moment::Moment;
use common::ticket::{KeyError, PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;

/// Under which key of `meta` they are.
pub const META: &str = "ticket_keys";
/// Longest life of a ticket.
pub const LONGEST_TICKET: Duration = Duration::from_secs(12 * 3600);
/// Beyond that a retired key is kept, for clocks that differ.
const SPARE: Duration = Duration::from_secs(600);
/// Most retired keys: with the current one half of what an agent takes.
const MOST_RETIRED: usize = 7;

/// As stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    secret: String,
    created: Moment,
    #[serde(default)]
    retired: Vec<Retired>,
}

/// A key that signs no more. Its secret is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    key: PublicKey,
    at: Moment,
}

/// All keys.
#[derive(Debug)]
pub struct Signing {
    current: SigningKey,
    created: Moment,
    retired: Vec<Retired>,
}

/// The keys cannot be read, made or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is stored is none of ours.
    #[error(
        "store: meta \"{META}\": {0}; delete that row and start again: tickets that are out end then"
    )]
    Form(String),
    /// The kernel gives no random bytes.
    #[error("a signing key: {0}")]
    Random(#[from] io::Error),
    /// Rotated too often.
    #[error(
        "{MOST_RETIRED} keys were retired within the last hours already; rotate again when their tickets have ended"
    )]
    Many,
}

impl Signing {
    /// A first key.
    pub fn first(now: Moment) -> Result<Self, Error> {
        Ok(Self { current: SigningKey::generate()?, created: now, retired: Vec::new() })
    }

    /// From the store.
    pub fn read(text: &str) -> Result<Self, Error> {
        // the cause could quote the secret, so that it says only where
        let stored: Stored = serde_json::from_str(text).map_err(|e| {
            Error::Form(format!("no keys, line {} column {}", e.line(), e.column()))
        })?;
        let current = SigningKey::from_secret(&stored.secret)
            .map_err(|e: KeyError| Error::Form(e.to_string()))?;
        Ok(Self { current, created: stored.created, retired: stored.retired })
    }

    /// For the store: it has the secret.
    pub fn text(&self) -> String {
        let (secret, created) = (self.current.secret(), self.created);
        let stored = Stored { secret, created, retired: self.retired.clone() };
        // strings and times: nothing of it can fail to print
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// The one that signs.
    pub fn current(&self) -> &SigningKey {
        &self.current
    }

    /// Every public key whose tickets may still be valid, the current one first.
    pub fn public(&self, now: Moment) -> Vec<PublicKey> {
        let retired = self.retired.iter().filter(|key| needed(key, now)).map(|key| key.key.clone());
        std::iter::once(self.current.public()).chain(retired).collect()
    }

    /// A new key signs from now on; the one before stays listed until its tickets have ended.
    pub fn rotated(&self, now: Moment) -> Result<Self, Error> {
        let mut retired = vec![Retired { key: self.current.public(), at: now }];
        retired.extend(self.retired.iter().filter(|key| needed(key, now)).cloned());
        if retired.len() > MOST_RETIRED {
            return Err(Error::Many);
        }
        Ok(Self { current: SigningKey::generate()?, created: now, retired })
    }
}

fn needed(key: &Retired, now: Moment) -> bool {
    now.since(key.at) < LONGEST_TICKET + SPARE
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ticket::Keys;

    #[test]
    fn retired_keys_stay_as_long_as_their_tickets() {
        let start = Moment::from_unix_ms(1_000_000);
        let first = Signing::first(start).unwrap();
        let second = first.rotated(start.after(Duration::from_secs(60))).unwrap();
        let second = Signing::read(&second.text()).unwrap();
        let public = second.public(start.after(LONGEST_TICKET));
        assert_eq!(public.len(), 2);
        assert_eq!(public[0].kid, second.current().kid());
        assert_eq!(public[1].kid, first.current().kid());
        assert!(Keys::new(&public).is_ok());
        let later = start.after(LONGEST_TICKET + SPARE + Duration::from_secs(60));
        assert_eq!(second.public(later).len(), 1);
        assert!(!second.text().contains(&first.current().secret()), "a retired key signs no more");
    }

    #[test]
    fn keys_do_not_pile_up() {
        let now = Moment::from_unix_ms(1_000_000);
        let mut signing = Signing::first(now).unwrap();
        for _ in 0..MOST_RETIRED {
            signing = signing.rotated(now).unwrap();
        }
        assert!(matches!(signing.rotated(now), Err(Error::Many)));
        let next_day = now.after(Duration::from_secs(86_400));
        assert_eq!(signing.rotated(next_day).unwrap().public(next_day).len(), 2);
    }

    #[test]
    fn what_is_stored_wrongly_is_told_without_its_secret() {
        for text in ["", "{}", "{\"secret\":\"hush\",\"created\":\"2026-01-13T10:00:00Z\"}"] {
            let told = Signing::read(text).unwrap_err().to_string();
            assert!(told.contains("ticket_keys") && !told.contains("hush"), "{told}");
        }
    }
}
