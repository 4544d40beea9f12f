//! Why a command did not do what was asked, and the exit code that says so.

use common::exit::Exit;
use common::http;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument or a setting is wrong in a way clap cannot see.
    #[error("{0}")]
    Usage(String),
    /// The config file is wrong.
    #[error(transparent)]
    Config(#[from] common::config::Error),
    /// A file cannot be read or written.
    #[error("cannot {step} {}: {source}", path.display())]
    File {
        /// What was tried.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nothing says where the centre is.
    #[error(
        "no centre known: no .qae directory upward from here and no [api] in /etc/qae/qae.toml\n\
         start one with `qae up`, or name it with --url http://HOST:PORT and --token-file FILE"
    )]
    Nowhere,
    /// No answer.
    #[error("{0}")]
    Away(#[from] http::Error),
    /// The centre said no.
    #[error("{detail}{}", hint(*status))]
    Refused {
        /// HTTP status.
        status: u16,
        /// The problem's code.
        code: String,
        /// What it says.
        detail: String,
    },
    /// What answers is no centre of this kind.
    #[error("{url}: answers, but not as a QAE centre of this version: {why}")]
    Foreign {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something else that is needed is not there.
    #[error("{0}")]
    Missing(String),
    /// `qae doctor` found something that does not work; it has been printed.
    #[error("not everything works")]
    Sick {
        /// Not even the centre answers.
        away: bool,
    },
    /// Nobody takes the output any more: what was wanted has been read.
    #[error("the output is closed")]
    Unread,
    /// A part of `qae up` ended by itself.
    #[error("{part}: {why}")]
    Part {
        /// Which.
        part: &'static str,
        /// Why.
        why: String,
        /// What kind of failure it is.
        exit: Exit,
    },
}

fn hint(status: u16) -> &'static str {
    match status {
        401 => "; name a token with --token-file or QAE_TOKEN_FILE",
        _ => "",
    }
}

impl Error {
    /// For an `io::Error` of a file.
    pub fn file(step: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { step, path, source }
    }

    /// Says it on stderr and gives the code.
    pub fn exit(&self) -> ExitCode {
        let why = match self {
            Self::Unread => return ExitCode::SUCCESS,
            // the report ends with the same words
            Self::Sick { away } => {
                let exit = if *away { Exit::Missing } else { Exit::Refused };
                return ExitCode::from(exit.code());
            }
            Self::Refused { status: 400..=499, .. } => Exit::Refused,
            Self::Usage(_) | Self::Config(_) => Exit::BadConfig,
            Self::Part { exit, .. } => *exit,
            Self::File { .. }
            | Self::Nowhere
            | Self::Away(_)
            | Self::Refused { .. }
            | Self::Foreign { .. }
            | Self::Missing(_) => Exit::Missing,
        };
        why.because("qae", self)
    }
}
