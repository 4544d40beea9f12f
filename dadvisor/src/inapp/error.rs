//! Why a container's own figures are missing.

use super::target::Refused;
use common::http;
use std::time::Duration;

/// Why one page gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The label is not followed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The container has no process to enter by.
    #[error("the container does not run")]
    NotRunning,
    /// Its first process has ended, or the number belongs to another process now.
    #[error("process {0} is not the container's any more")]
    Gone(u32),
    /// The namespace may not be entered, and the port is not published.
    #[error(
        "may not enter the network namespace of process {pid} ({error}) and port {port} is not published; run as root with CAP_SYS_ADMIN and CAP_SYS_PTRACE, or publish the port"
    )]
    Denied {
        /// The container's first process.
        pid: u32,
        /// The port asked for.
        port: u16,
        /// The system's word.
        error: std::io::Error,
    },
    /// Something else failed on the way into the namespace.
    #[error("cannot enter the network namespace of process {pid}: {error}")]
    Enter {
        /// The container's first process.
        pid: u32,
        /// The system's word.
        error: std::io::Error,
    },
    /// The thread that enters namespaces could not be started, or ended.
    #[error("the thread that enters network namespaces is not there: {0}")]
    Thread(std::io::Error),
    /// Nothing listens there.
    #[error("cannot connect to port {port} of the container's loopback: {error}")]
    Connect {
        /// The port asked for.
        port: u16,
        /// The system's word.
        error: std::io::Error,
    },
    /// The app is too slow.
    #[error("no whole answer within {0:?}")]
    TimedOut(Duration),
    /// The tick ended before this container's turn.
    #[error("the tick's time was over before its turn")]
    NoTime,
    /// The path cannot be sent.
    #[error("the path is not one HTTP can carry")]
    Path,
    /// The app wants another address to be asked.
    #[error("answered {0}, a redirect, which is not followed; name the final path in the label")]
    Redirect(u16),
    /// Not a 200.
    #[error("answered {0} instead of 200")]
    Status(u16),
    /// The body is over the cap.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// It does not speak HTTP, or closed too early.
    #[error("the answer is not sound HTTP: {0}")]
    Http(String),
    /// The page is not what the label says.
    #[error("{0}")]
    Page(String),
}

/// Without the URL: its query may be a secret, and the label is told beside it.
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::Url { .. } => Self::Path,
            http::Error::Timeout { after, .. } => Self::TimedOut(after),
            http::Error::Status { status: status @ 300..=399, .. } => Self::Redirect(status),
            http::Error::Status { status, .. } => Self::Status(status),
            http::Error::TooLarge { limit, .. } => Self::TooLarge(limit),
            http::Error::Connect { cause, .. } | http::Error::Tls { cause, .. } => {
                Self::Http(cause.to_string())
            }
            http::Error::Protocol { cause, .. } => Self::Http(cause.to_string()),
            http::Error::Socket { cause, .. } => Self::Http(cause),
        }
    }
}

impl Error {
    /// The cause in one word, for counters.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Refused(_) => "label_refused",
            Self::NotRunning => "not_running",
            Self::Gone(_) => "gone",
            Self::Denied { .. } => "denied",
            Self::Enter { .. } => "enter",
            Self::Thread(_) => "thread",
            Self::Connect { .. } => "connect",
            Self::TimedOut(_) => "timed_out",
            Self::NoTime => "no_time",
            Self::Path => "path",
            Self::Redirect(_) => "redirect",
            Self::Status(_) => "status",
            Self::TooLarge(_) => "too_large",
            Self::Http(_) => "http",
            Self::Page(_) => "page",
        }
    }

    /// Every [`Self::cause`], so that a counter is shown before it first rises.
    pub const CAUSES: [&'static str; 15] = [
        "label_refused",
        "not_running",
        "gone",
        "denied",
        "enter",
        "thread",
        "connect",
        "timed_out",
        "no_time",
        "path",
        "redirect",
        "status",
        "too_large",
        "http",
        "page",
    ];

    /// True if the app is to blame, so that asking it less often helps.
    pub(super) const fn counts_for_pause(&self) -> bool {
        !matches!(self, Self::NoTime | Self::Thread(_) | Self::NotRunning)
    }
}
