//! Why there is no answer.

use crate::tls;
use std::io;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is none this client can ask.
    #[error("{url:?} cannot be asked: {why}")]
    Url {
        /// As it was given, credentials left out.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No connection.
    #[error("{url}: cannot connect: {cause}")]
    Connect {
        /// What was asked.
        url: String,
        /// The system's word.
        cause: io::Error,
    },
    /// Connected, but not to somebody who proves to be who is meant.
    #[error("{url}: no TLS: {cause}{}", tls::hint(cause, ca_setting))]
    Tls {
        /// What was asked.
        url: String,
        /// rustls' word.
        cause: io::Error,
        /// As in [`super::Options`].
        ca_setting: &'static str,
    },
    /// The call took too long.
    #[error("{url}: no answer within {}", humantime::format_duration(*after))]
    Timeout {
        /// What was asked.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("{url}: {}", told(cause))]
    Protocol {
        /// What was asked.
        url: String,
        /// hyper's word.
        cause: hyper::Error,
    },
    /// A WebSocket broke, or what came is none.
    #[error("{url}: {cause}")]
    Socket {
        /// What was asked.
        url: String,
        /// tungstenite's word.
        cause: String,
    },
    /// The answer is not 2xx.
    #[error("{url}: answered {status}: {body}")]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The body is larger than allowed.
    #[error("{url}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl Error {
    /// The status, if an answer came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// hyper says what it did; why that failed is beneath.
fn told(error: &hyper::Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        told.push_str(": ");
        told.push_str(&deeper.to_string());
        cause = deeper.source();
    }
    told
}
