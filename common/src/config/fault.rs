//! What can be wrong with a config file, and how it is said.

use std::fmt;
use std::path::PathBuf;

/// Why there is no config. Everything but [`Error::Read`] is exit code 64 wherever it happens; a named file that cannot be read too.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("{}: cannot read the config file: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than any config.
    #[error("{}: over 1 MiB, which is no config file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("{}:{line}: not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where the first foreign byte is.
        line: usize,
    },
    /// The file is not TOML.
    #[error("{}:{line}: not TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// The file is TOML, but not this product's config. One line per fault.
    #[error("{}", listed(path, faults))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// In order of their lines; never empty.
        faults: Vec<Fault>,
    },
}

fn listed(path: &std::path::Path, faults: &[Fault]) -> String {
    let lines: Vec<_> = faults
        .iter()
        .map(|fault| match fault.line() {
            0 => format!("{}: {fault}", path.display()),
            line => format!("{}:{line}: {fault}", path.display()),
        })
        .collect();
    lines.join("\n")
}

/// One thing wrong with a file. Lines count from 1; 0 means the value is not from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A section no daemon has.
    UnknownSection {
        /// Where.
        line: usize,
        /// What was typed.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A section's name with something else than keys beneath.
    NotATable {
        /// Where.
        line: usize,
        /// The section.
        name: String,
    },
    /// A section that may come many times is none of that kind.
    NotMany {
        /// Where.
        line: usize,
        /// The section.
        name: String,
    },
    /// A section comes more often than any host needs.
    TooMany {
        /// Where.
        line: usize,
        /// The section.
        name: String,
    },
    /// A key the section does not have.
    UnknownKey {
        /// Where.
        line: usize,
        /// The section.
        section: String,
        /// What was typed.
        key: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// Every key the section has.
        known: Vec<String>,
    },
    /// A value of a wrong type, form or range.
    Value {
        /// Where.
        line: usize,
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// The value as typed.
        value: String,
        /// What is wrong and what to write instead.
        why: String,
    },
}

impl Fault {
    /// Where it is, from 1; 0 if not in the file.
    pub fn line(&self) -> usize {
        match self {
            Self::UnknownSection { line, .. }
            | Self::NotATable { line, .. }
            | Self::NotMany { line, .. }
            | Self::TooMany { line, .. }
            | Self::UnknownKey { line, .. }
            | Self::Value { line, .. } => *line,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSection { name, nearest: Some(nearest), .. } => {
                write!(f, "unknown section [{}] (did you mean [{nearest}]?)", name.escape_debug())
            }
            Self::UnknownSection { name, nearest: None, .. } => write!(
                f,
                "unknown section [{}] (known: {})",
                name.escape_debug(),
                super::SECTIONS.join(", ")
            ),
            Self::NotATable { name, .. } => {
                write!(f, "`{name}` must be a section: a line [{name}] with its keys beneath")
            }
            Self::NotMany { name, .. } => {
                write!(f, "`{name}` may come many times: a line [[{name}]] with its keys beneath")
            }
            Self::TooMany { name, .. } => {
                write!(f, "more than {} times [[{name}]]; leave some out", super::MOST_SECTIONS)
            }
            Self::UnknownKey { section, key, nearest: Some(nearest), .. } => write!(
                f,
                "unknown key `{}` in [{section}] (did you mean `{nearest}`?)",
                key.escape_debug()
            ),
            Self::UnknownKey { section, key, nearest: None, known, .. } => write!(
                f,
                "unknown key `{}` in [{section}] (known: {})",
                key.escape_debug(),
                known.join(", ")
            ),
            Self::Value { section, key, value, why, .. } => {
                write!(f, "[{section}] {key} = {value}: {why}")
            }
        }
    }
}

/// The known word that was probably meant, if any is near. Case does not matter, a common beginning counts.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&typed, word), word))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}
