//! Why a request gets no caller. Pure.

use axum::http::StatusCode;
use common::serve::Problem;
use std::time::Duration;

/// A request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It brings neither token nor session.
    #[error(
        "no token: send `Authorization: Bearer qae_...`, or sign in with a link of `POST /v1/sign-ins`"
    )]
    Missing,
    /// The `authorization` header is none of ours.
    #[error("the authorization header must come once and read `Bearer qae_...`")]
    Malformed,
    /// The token is not known: it never was, or it is revoked.
    #[error("no such token; it may have been revoked")]
    UnknownToken,
    /// The token's time is over.
    #[error("this token has expired; ask an admin for another")]
    ExpiredToken,
    /// The session is over, or never was.
    #[error("this session is over; sign in again")]
    NoSession,
    /// The one-time code was used, has expired, or never was.
    #[error("no such sign-in code: it works once, for five minutes; ask for another")]
    NoCode,
    /// Signed in by cookie, but not from our own page.
    #[error(
        "a request by cookie that changes something must come from this server's own page; \
         programs send `Authorization: Bearer`"
    )]
    ForeignPage,
    /// The header `qae-cause` is no short line of text.
    #[error("the header qae-cause must be one line of at most 200 bytes")]
    BadCause,
    /// Too many failed tries.
    #[error("too many failed tries; come back in {} s", seconds(*.0))]
    Slowed(Duration),
}

/// Rounded up: whoever comes back then finds the door open.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl Denied {
    /// One of every kind, for whoever lists them.
    pub const ALL: [Self; 9] = [
        Self::Missing,
        Self::Malformed,
        Self::UnknownToken,
        Self::ExpiredToken,
        Self::NoSession,
        Self::NoCode,
        Self::ForeignPage,
        Self::BadCause,
        Self::Slowed(Duration::ZERO),
    ];

    /// What a program branches on.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Malformed => "token_malformed",
            Self::UnknownToken => "token_unknown",
            Self::ExpiredToken => "token_expired",
            Self::NoSession => "session_ended",
            Self::NoCode => "code_unknown",
            Self::ForeignPage => "foreign_page",
            Self::BadCause => "bad_cause",
            Self::Slowed(_) => "too_many_failures",
        }
    }

    /// As it is answered; 401 goes out with `www-authenticate`, 429 with `retry-after`.
    pub fn problem(&self) -> Problem {
        let status = match self {
            Self::ForeignPage => StatusCode::FORBIDDEN,
            Self::BadCause => StatusCode::BAD_REQUEST,
            Self::Slowed(_) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::UNAUTHORIZED,
        };
        Problem::new(status, self.code(), self.to_string())
    }

    /// When to come back, if that is what it takes.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Slowed(wait) = self { Some(*wait) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_has_a_code_and_a_status() {
        let codes: BTreeSet<_> = Denied::ALL.iter().map(Denied::code).collect();
        assert_eq!(codes.len(), Denied::ALL.len());
        let status = |denied: Denied| denied.problem().status;
        assert_eq!(status(Denied::Missing), 401);
        assert_eq!(status(Denied::ForeignPage), 403);
        let slowed = Denied::Slowed(Duration::from_millis(1200));
        assert_eq!(slowed.problem().detail, "too many failed tries; come back in 2 s");
        assert_eq!(
            (slowed.retry_after(), status(slowed)),
            (Some(Duration::from_millis(1200)), 429)
        );
    }
}
