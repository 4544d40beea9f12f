//! The end of a permission while something made under it still runs: a stream of events, a relayed log.

use super::{Access, Caller};
use common::moment::Moment;
use std::time::Duration;
use tokio::time::sleep;

/// Why a caller is none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its token was revoked.
    TokenRevoked,
    /// Its token's time is over.
    TokenExpired,
    /// Its session is over: signed out, replaced, or its time has come.
    SessionEnded,
}

impl Ended {
    /// What a program branches on.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TokenRevoked => "token_revoked",
            Self::TokenExpired => "token_expired",
            Self::SessionEnded => "session_ended",
        }
    }

    /// For people.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::TokenRevoked => "the token was revoked",
            Self::TokenExpired => "the token has expired",
            Self::SessionEnded => "the session is over; sign in again",
        }
    }
}

/// Longest sleep: the wall clock may be set meanwhile, and timers do not reach as far as tokens.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

impl Access {
    /// Whether a caller that was let in still is.
    pub fn still(&self, caller: &Caller, now: Moment) -> Result<(), Ended> {
        let known = self.known();
        if !known.has(&caller.id) {
            return Err(Ended::TokenRevoked);
        }
        if caller.token.expired(now) {
            return Err(Ended::TokenExpired);
        }
        match caller.session {
            Some(session) if session.expires <= now || known.session(&session.hash).is_none() => {
                Err(Ended::SessionEnded)
            }
            _ => Ok(()),
        }
    }

    /// Comes when the caller is none any more, and says why. Cheap to wait for: it wakes on changes of access and at the end of the
    /// token's or session's time.
    pub fn ended(&self, caller: &Caller) -> impl Future<Output = Ended> + Send + use<> {
        let (access, caller) = (self.clone(), caller.clone());
        async move {
            let mut version = access.inner.version.subscribe();
            loop {
                version.mark_unchanged();
                let now = Moment::now();
                if let Err(ended) = access.still(&caller, now) {
                    return ended;
                }
                let rest = caller.ends().map_or(LONGEST_SLEEP, |end| end.since(now));
                tokio::select! {
                    // its sender lives in `access`
                    _ = version.changed() => {}
                    // a timer counts whole milliseconds, as moments do
                    () = sleep(rest.min(LONGEST_SLEEP)) => {}
                }
            }
        }
    }
}
