//! Every token and session in memory, by the hash of its secret, so that thousands of reports ask the store nothing. Pure.
//!
//! It is the whole of both tables as of a version: a number in `meta` that every change of them raises in its transaction. Whoever finds
//! another number loads again.

use super::caller::{Grant, Session};
use super::secret::Hash;
use super::signing::Signing;
use common::moment::Moment;
use std::collections::HashMap;
use std::sync::Arc;

/// A session as it is stored.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Hash of its secret.
    pub hash: Hash,
    /// The token it stands for.
    pub token: String,
    /// When it ends.
    pub expires: Moment,
}

/// What the store held at `version`.
#[derive(Debug)]
pub struct Known {
    version: i64,
    tokens: HashMap<Hash, Arc<Grant>>,
    ids: HashMap<String, Arc<Grant>>,
    sessions: HashMap<Hash, (Arc<Grant>, Session)>,
    codes: HashMap<Hash, Moment>,
    signing: Arc<Signing>,
}

impl Known {
    /// From what was read. A session of a token that is gone is none.
    pub fn new(
        version: i64,
        tokens: Vec<(Hash, Grant)>,
        sessions: Vec<SessionRow>,
        codes: HashMap<Hash, Moment>,
        signing: Signing,
    ) -> Self {
        let tokens: HashMap<_, _> =
            tokens.into_iter().map(|(hash, grant)| (hash, Arc::new(grant))).collect();
        let ids: HashMap<_, _> = tokens.values().map(|g| (g.id.clone(), g.clone())).collect();
        let of = |row: SessionRow| {
            let grant = ids.get(&row.token)?.clone();
            Some((row.hash, (grant, Session { hash: row.hash, expires: row.expires })))
        };
        let sessions = sessions.into_iter().filter_map(of).collect();
        Self { version, tokens, ids, sessions, codes, signing: Arc::new(signing) }
    }

    /// Of the store.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The token with this secret, expired or not.
    pub fn token(&self, hash: &Hash) -> Option<&Arc<Grant>> {
        self.tokens.get(hash)
    }

    /// Whether there is a token of this id.
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    /// The session with this secret, over or not, and what its token grants.
    pub fn session(&self, hash: &Hash) -> Option<&(Arc<Grant>, Session)> {
        self.sessions.get(hash)
    }

    /// When this one-time code ends; None if there is none.
    pub fn code(&self, hash: &Hash) -> Option<Moment> {
        self.codes.get(hash).copied()
    }

    /// What signs tickets.
    pub fn signing(&self) -> &Arc<Signing> {
        &self.signing
    }

    /// Tokens, and sessions.
    pub fn counts(&self) -> (usize, usize) {
        (self.tokens.len(), self.sessions.len())
    }
}
