//! Why a conversation with the centre failed.

use super::replica::{Broken, Mismatch};
use crate::http::{self, Response, Url};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest token file, in bytes.
const MAX_TOKEN: u64 = 4096;
/// Longest pause the centre may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How much of the centre's words is shown.
const SHOWN: usize = 300;

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token cannot be read.
    #[error("cannot read the token in {}: {source}; put this host's token there, or set [api] token_file", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// There is none in the file.
    #[error("{}: no token in it; one line with a token is wanted", path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// No answer.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The centre says no.
    #[error("{url}: {status} {code}: {detail}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The problem's code; empty if the answer is none of the centre's.
        code: String,
        /// In words.
        detail: String,
        /// When to come again, if it says so.
        after: Option<Duration>,
    },
    /// An answer that cannot be used.
    #[error("{url}: {why}")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something of ours does not fit a header.
    #[error("a digest or a run's name does not fit a header")]
    Header,
    /// The centre ended the stream, with its reason.
    #[error("the centre ended the stream: {code}: {detail}")]
    Closed {
        /// Its code.
        code: String,
        /// In words.
        detail: String,
    },
    /// The stream ended without a word.
    #[error("{url}: the stream of events ended")]
    Ended {
        /// What was asked.
        url: String,
    },
    /// An event was larger than allowed, and is lost.
    #[error("an event is larger than {limit} bytes; taking a snapshot instead")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The copy cannot go on.
    #[error("{0}; taking a snapshot")]
    Broken(#[from] Broken),
    /// A snapshot is not what it says.
    #[error(transparent)]
    Snapshot(#[from] Mismatch),
}

impl Error {
    /// One word, for counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token { .. } | Self::NoToken { .. } => "token",
            Self::Http(http::Error::Connect { .. } | http::Error::Tls { .. }) => "connect",
            Self::Http(http::Error::Timeout { .. }) => "timeout",
            Self::Refused { .. } => "refused",
            Self::Closed { .. } | Self::Ended { .. } => "closed",
            Self::Http(_)
            | Self::Answer { .. }
            | Self::Header
            | Self::TooLarge { .. }
            | Self::Broken(_)
            | Self::Snapshot(_) => "answer",
        }
    }

    /// Every kind.
    pub const KINDS: [&str; 6] = ["token", "connect", "timeout", "refused", "closed", "answer"];

    /// The status and code of a refusal.
    pub(super) fn refused(&self) -> Option<(u16, &str)> {
        match self {
            Self::Refused { status, code, .. } => Some((*status, code)),
            _ => None,
        }
    }

    /// The pause that the centre asks for.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Refused { after, .. } => *after,
            _ => None,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
}

/// What an answer other than the wanted one says.
pub(super) fn refusal(url: &Url, answer: &Response) -> Error {
    let Problem { code, mut detail } = serde_json::from_slice(&answer.body).unwrap_or_default();
    if detail.is_empty() {
        detail = answer.said();
    }
    let short = |text: String| text.chars().take(SHOWN).collect();
    let after = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
    Error::Refused {
        url: url.to_string(),
        status: answer.status,
        code: short(code),
        detail: short(detail),
        after: after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE)),
    }
}

/// The token in a file: its first line.
pub(super) fn token(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text))
        .map_err(|source| Error::Token { path: path.to_owned(), source })?;
    match text.lines().next().map(str::trim) {
        Some(token) if !token.is_empty() => Ok(token.to_owned()),
        _ => Err(Error::NoToken { path: path.to_owned() }),
    }
}
